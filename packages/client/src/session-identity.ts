import {
  PROTOCOL_VERSION,
  type Hello,
  type SessionId,
  type Zxid,
} from "@quorate/kv-store/protocol";
import type { Welcome } from "./connector.ts";
import { QuorateError } from "./errors.ts";
import { Liveness } from "./liveness.ts";
import { reached } from "./points.ts";
import type { ClientClock, ClientPorts } from "./ports.ts";
import type { SessionOptions } from "./session-phase.ts";
import { SessionSecret } from "./session-secret.ts";

/** What the first welcome, and every later one, tells of the session. */
export interface KnownSession {
  readonly session: SessionId;
  readonly timeoutMs: number;
  readonly clusterId: string;
  readonly historyId: string;
}

/** Who a session is: what a server is told of it in a hello, and which welcome is meant for it. */
export class SessionIdentity {
  readonly #options: SessionOptions;
  readonly #clock: ClientClock;
  readonly #secret: SessionSecret;
  #known: KnownSession | null = null;
  #lastZxid: Zxid | 0 = 0;

  constructor(options: SessionOptions, ports: ClientPorts) {
    this.#options = options;
    this.#clock = ports.clock;
    this.#secret = new SessionSecret(ports, options.timeoutMs);
  }

  /** Null before the first welcome. */
  get session(): SessionId | null {
    return this.#known?.session ?? null;
  }

  /** Highest revision seen. */
  get lastZxid(): Zxid | 0 {
    return this.#lastZxid;
  }

  /** When a session was asked for under its secret for the first time. */
  get askedMs(): number {
    return this.#secret.askedMs;
  }

  /** Throws NOT_READY before the first welcome. */
  known(): KnownSession {
    if (this.#known === null) throw new QuorateError("NOT_READY", "there is no session yet");
    return this.#known;
  }

  /**
   * A hello that leaves now. Who takes the session up again asks for the timeout it was granted: what it counts on does not
   * change while a hello is under way, to whichever server, and whenever that gets it into the log.
   */
  hello(): Hello {
    const { clientName } = this.#options;
    const timeoutMs = this.#known?.timeoutMs ?? this.#options.timeoutMs;
    if (this.#known === null) this.#secret.ask();
    return {
      kind: "hello",
      protocolVersion: PROTOCOL_VERSION,
      session: this.session,
      secret: this.#secret.bytes,
      timeoutMs,
      lastZxid: this.#lastZxid,
      historyId: this.#known?.historyId ?? "",
      clientName,
    };
  }

  /** Whether the welcome is for this session and came in time to be of use. */
  accepts(welcome: Welcome): boolean {
    const known = this.#known;
    if (welcome.protocolVersion !== PROTOCOL_VERSION) return false;
    if (known === null) {
      if (this.#clock.nowMs() < Liveness.deadlineOf(this.askedMs, welcome.timeoutMs)) return true;
      reached("first_welcome_too_late");
      return false;
    }
    return (
      known.session === welcome.session &&
      known.clusterId === welcome.clusterId &&
      // Revisions and tokens of one history mean nothing in another.
      known.historyId === welcome.historyId
    );
  }

  /** Takes over what an accepted welcome tells. */
  learn({ session, timeoutMs, clusterId, historyId, zxid }: Welcome): void {
    this.#known = { session, timeoutMs, clusterId, historyId };
    this.note(zxid);
  }

  note(zxid: Zxid): void {
    if (zxid > this.#lastZxid) this.#lastZxid = zxid;
  }

  /** The session that was asked for, and may have been opened, is of no use: the next hello asks for another one. */
  renew(): void {
    this.#secret.renew();
  }
}
