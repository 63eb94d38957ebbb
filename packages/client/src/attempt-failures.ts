import type { QuorateErrorCode } from "./api.ts";
import { QuorateError } from "./errors.ts";

/** Servers named in {@link AttemptFailures.text}; a list of many says no more. */
const NAMED_MAX = 5;

/** Why each server was of no use when it was last tried: what a person needs to know when none of them is. */
export class AttemptFailures {
  readonly #reasons = new Map<string, string>();
  readonly #foreign = new Set<string>();
  #refusal: QuorateError | undefined;

  /** What a server said last that takes no session for now. */
  get refusal(): QuorateError | undefined {
    return this.#refusal;
  }

  /** Bounded by the servers that there are. */
  note(server: string, reason: string): void {
    this.#reasons.delete(server);
    this.#reasons.set(server, reason);
  }

  noteRefusal(code: QuorateErrorCode, message: string): void {
    this.#refusal = new QuorateError(code, message, { retryable: true });
  }

  /** `server` speaks another version of the protocol; returns how many have said so. */
  noteForeign(server: string): number {
    this.#foreign.add(server);
    return this.#foreign.size;
  }

  /** For calls that wait for a connection. */
  trouble(): QuorateError {
    return new QuorateError("CONNECTION_FAILED", `no server reached (${this.text()})`, {
      retryable: true,
    });
  }

  /** The newest first. */
  text(): string {
    if (this.#reasons.size === 0) return "no server has been tried to the end";
    const newest = [...this.#reasons].reverse().slice(0, NAMED_MAX);
    return newest.map(textOf).join("; ");
  }
}

/** The platform's reasons often name the address already. */
function textOf([server, reason]: readonly [string, string]): string {
  return reason.includes(server) ? reason : `${server}: ${reason}`;
}
