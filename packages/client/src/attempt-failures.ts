import { QuorateError } from "./errors.ts";
import type { Goodbye } from "./goodbye.ts";

/** Servers named in {@link AttemptFailures.text}; a list of many says no more. */
const NAMED_MAX = 5;

interface Failure {
  readonly reason: string;
  /** What the server said that took no session for now; null where it said nothing of that kind. */
  readonly refusal: Goodbye | null;
}

/** Why each server was of no use when it was last tried: what a person needs to know when none of them is. */
export class AttemptFailures {
  /** By server; the newest is the last one. */
  readonly #failures = new Map<string, Failure>();
  readonly #foreign = new Set<string>();

  /**
   * What servers said that take no session for now: of one whose disk is full before all else, as there somebody has to do
   * something, and else the newest. What a server said before it was tried once more counts no longer.
   */
  get refusal(): QuorateError | undefined {
    const refusals = [...this.#failures.values()].flatMap(({ refusal }) => refusal ?? []);
    const told = refusals.find(({ code }) => code === "DISK_FULL") ?? refusals.at(-1);
    return told && new QuorateError(told.code, told.message, { retryable: true });
  }

  /** Bounded by the servers that there are. */
  note(server: string, reason: string, goodbye: Goodbye | null = null): void {
    const refusal = goodbye?.fatal === false ? goodbye : null;
    this.#failures.delete(server);
    this.#failures.set(server, { reason, refusal });
  }

  /** `server` speaks otherwise than this client, whatever is tried again; returns how many do. */
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
    if (this.#failures.size === 0) return "no server has been tried to the end";
    const newest = [...this.#failures].reverse().slice(0, NAMED_MAX);
    return newest.map(textOf).join("; ");
  }
}

/** The platform's reasons often name the address already. */
function textOf([server, { reason }]: readonly [string, Failure]): string {
  return reason.includes(server) ? reason : `${server}: ${reason}`;
}
