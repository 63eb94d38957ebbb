import type { SessionId } from "@quorate/kv-store/protocol";
import type { NodeId } from "@quorate/raft";
import { reached } from "./points.ts";

/** A client's ping that waits for the leader's word. */
interface WaitingPing {
  readonly pong: () => void;
  /** The leader does not keep the session alive any more. */
  readonly refused: () => void;
  isAnswered: boolean;
}

/** Pings that the current leader was asked about together. */
interface SentBatch {
  readonly batch: number;
  readonly pings: ReadonlyMap<SessionId, WaitingPing>;
}

export interface LivenessPorts {
  nowMs(): number;
  /** To the leader, which may be this node. */
  sendTouches(leader: NodeId, batch: number, sessions: readonly SessionId[]): void;
}

/** Pause between two batches, so that ten thousand sessions cost tens of messages a second, not thousands. */
const BATCH_INTERVAL_MS = 20;
/** After this long without an answer its pings are asked about again, in another batch. */
const BATCH_TIMEOUT_MS = 400;
/** Batches whose answers are still waited for: with the timeout, an answer may take three seconds. */
const BATCHES_MAX = 8;

/**
 * Pings of this node's clients on their way to the leader, in batches. A pong is only sent when the leader, in contact
 * with a quorum of its term, has noted the touch: until then the client must assume that nobody knows it lives.
 *
 * A late answer counts as well as one in time. Were only the last batch's heard, then a service so busy that every answer
 * takes longer than the timeout would prove no life at all, and lose all of its sessions at once.
 */
export class Liveness {
  readonly #ports: LivenessPorts;
  /** One for each session, its last: the answer to that one proves more than answers to those before. */
  #gathering = new Map<SessionId, WaitingPing>();
  /** To this leader, oldest first. */
  #sent: SentBatch[] = [];
  #batch = 0;
  #sentMs = Number.NEGATIVE_INFINITY;
  #leader: NodeId | null = null;

  constructor(ports: LivenessPorts) {
    this.#ports = ports;
  }

  /** Pings that are not answered. */
  get waitingCount(): number {
    let count = 0;
    for (const { pings } of [...this.#sent, { pings: this.#gathering }]) {
      for (const { isAnswered } of pings.values()) if (!isAnswered) count += 1;
    }
    return count;
  }

  ping(session: SessionId, pong: () => void, refused: () => void): void {
    this.#gathering.set(session, { pong, refused, isAnswered: false });
  }

  setLeader(leader: NodeId | null): void {
    if (leader === this.#leader) return;
    if (this.#sent.length > 0) reached("touches_under_way_at_leader_change");
    this.#leader = leader;
    this.#gatherUnanswered();
    this.#sent = [];
  }

  /** Called every turn and tick. */
  flush(): void {
    const now = this.#ports.nowMs();
    if (this.#sent.length > 0) {
      if (now - this.#sentMs < BATCH_TIMEOUT_MS) return;
      reached("touches_unanswered_in_time");
      this.#gatherUnanswered();
    }
    if (this.#leader === null || this.#gathering.size === 0) return;
    if (now - this.#sentMs < BATCH_INTERVAL_MS) return;
    const pings = this.#gathering;
    this.#gathering = new Map();
    this.#batch += 1;
    this.#sentMs = now;
    this.#sent.push({ batch: this.#batch, pings });
    if (this.#sent.length > BATCHES_MAX) {
      reached("unanswered_touches_forgotten");
      this.#sent.shift();
    }
    this.#ports.sendTouches(this.#leader, this.#batch, [...pings.keys()]);
  }

  /** The leader noted the touches of a batch, but for those sessions that it does not know. */
  onNoted(batch: number, unknown: readonly number[]): void {
    const at = this.#sent.findIndex((sent) => sent.batch === batch);
    const answered = this.#sent[at];
    if (answered === undefined) {
      reached("answer_to_forgotten_touches");
      return;
    }
    const refused = new Set<number>(unknown);
    const isNewest = at === this.#sent.length - 1;
    if (!isNewest) reached("late_answer_proves_life");
    for (const [session, ping] of answered.pings) {
      // What an earlier answer did not know may have been opened since: the last one tells.
      if (ping.isAnswered || (refused.has(session) && !isNewest)) continue;
      ping.isAnswered = true;
      if (refused.has(session)) {
        reached("pinging_session_unknown_to_leader");
        ping.refused();
      } else {
        ping.pong();
      }
    }
    this.#sent = this.#sent.slice(at + 1).filter(({ pings }) => hasUnanswered(pings));
  }

  /** Their answers have not come: the pings go into the next batch, unless the session has sent a later one. */
  #gatherUnanswered(): void {
    const gathered = new Map<SessionId, WaitingPing>();
    for (const { pings } of [...this.#sent, { pings: this.#gathering }]) {
      for (const [session, ping] of pings) if (!ping.isAnswered) gathered.set(session, ping);
    }
    this.#gathering = gathered;
  }
}

function hasUnanswered(pings: SentBatch["pings"]): boolean {
  for (const ping of pings.values()) if (!ping.isAnswered) return true;
  return false;
}
