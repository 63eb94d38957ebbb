import type { NodeId } from "@quorate/raft";
import type { SessionId } from "@quorate/kv-store/protocol";

/** A client's ping that waits for the leader's word. */
interface WaitingPing {
  readonly pong: () => void;
  /** The leader does not keep the session alive any more. */
  readonly refused: () => void;
}

export interface LivenessPorts {
  nowMs(): number;
  /** To the leader, which may be this node. */
  sendTouches(leader: NodeId, batch: number, sessions: readonly SessionId[]): void;
}

/** Pause between two batches, so that ten thousand sessions cost tens of messages a second, not thousands. */
const BATCH_INTERVAL_MS = 20;
/** After this long without an answer a batch is asked again. */
const BATCH_TIMEOUT_MS = 400;

/**
 * Pings of this node's clients on their way to the leader, in batches. A pong is only sent when the leader, in contact
 * with a quorum of its term, has noted the touch: until then the client must assume that nobody knows it lives.
 */
export class Liveness {
  readonly #ports: LivenessPorts;
  /** One for each session, its last: the answer to that one proves more than answers to those before. */
  #gathering = new Map<SessionId, WaitingPing>();
  #inFlight = new Map<SessionId, WaitingPing>();
  #batch = 0;
  #sentMs = Number.NEGATIVE_INFINITY;
  #leader: NodeId | null = null;

  constructor(ports: LivenessPorts) {
    this.#ports = ports;
  }

  ping(session: SessionId, pong: () => void, refused: () => void): void {
    this.#gathering.set(session, { pong, refused });
  }

  setLeader(leader: NodeId | null): void {
    if (leader === this.#leader) return;
    this.#leader = leader;
    this.#giveUp();
  }

  /** Called every turn and tick. */
  flush(): void {
    const now = this.#ports.nowMs();
    if (this.#inFlight.size > 0) {
      if (now - this.#sentMs < BATCH_TIMEOUT_MS) return;
      this.#giveUp();
    }
    if (this.#leader === null || this.#gathering.size === 0) return;
    if (now - this.#sentMs < BATCH_INTERVAL_MS) return;
    this.#inFlight = this.#gathering;
    this.#gathering = new Map();
    this.#batch += 1;
    this.#sentMs = now;
    this.#ports.sendTouches(this.#leader, this.#batch, [...this.#inFlight.keys()]);
  }

  onNoted(batch: number, unknown: readonly number[]): void {
    if (batch !== this.#batch || this.#inFlight.size === 0) return;
    const pings = this.#inFlight;
    this.#inFlight = new Map();
    const refused = new Set<number>(unknown);
    for (const [session, ping] of pings) {
      if (refused.has(session)) ping.refused();
      else ping.pong();
    }
  }

  /** The answer will not come; the pings go into the next batch. */
  #giveUp(): void {
    if (this.#inFlight.size === 0) return;
    this.#gathering = new Map([...this.#inFlight, ...this.#gathering]);
    this.#inFlight = new Map();
    this.#batch += 1;
  }
}
