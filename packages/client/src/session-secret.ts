import { PROTOCOL_LIMITS } from "@quorate/kv-store/protocol";
import { reached } from "./points.ts";
import type { ClientPorts } from "./ports.ts";

/** Part of the session timeout for which a session is asked for under one secret. */
const ASKING_PART = 1 / 2;

/**
 * The secret under which a session is opened and taken up again. While it is being opened every hello bears the same one,
 * so that a lost welcome leaves no second session behind. But the service may have opened the session with the first of
 * these hellos, and been waiting for its client since: how long it lives counts from there, and before that makes a
 * welcome worthless another secret, for another session, takes its place.
 */
export class SessionSecret {
  readonly #ports: ClientPorts;
  readonly #timeoutMs: number;
  #bytes: Uint8Array;
  #askedMs: number | null = null;

  /** `timeoutMs` is the session's. */
  constructor(ports: ClientPorts, timeoutMs: number) {
    this.#ports = ports;
    this.#timeoutMs = timeoutMs;
    this.#bytes = this.#draw();
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** When a session was asked for under it for the first time. */
  get askedMs(): number {
    return this.#askedMs ?? this.#ports.clock.nowMs();
  }

  /** A hello that asks for a session leaves now. */
  ask(): void {
    const now = this.#ports.clock.nowMs();
    if (this.#askedMs !== null && now - this.#askedMs > this.#timeoutMs * ASKING_PART) {
      reached("opening_took_so_long_that_it_began_anew");
      this.renew();
    }
    this.#askedMs ??= now;
  }

  /** The session that it opened, or may have opened, is of no use. */
  renew(): void {
    this.#bytes = this.#draw();
    this.#askedMs = null;
  }

  #draw(): Uint8Array {
    return this.#ports.random.bytes(PROTOCOL_LIMITS.secretBytes);
  }
}
