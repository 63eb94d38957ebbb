import type { NodeId, RaftStatus, Term } from "@quorate/raft";
import { HAND_OVER_MS } from "../leadership.ts";
import { losesQuorum } from "../membership/tolerance.ts";
import type { PeerEnvelope } from "../peer/envelope.ts";
import { reached } from "../points.ts";
import type { MonotonicClock, Timer } from "../ports.ts";

/** What {@link Departures} works with. */
export interface DeparturePorts {
  readonly clock: MonotonicClock;
  readonly electionTimeoutMs: number;
  status(): RaftStatus;
  /** There is a link to it. */
  isUp(id: NodeId): boolean;
  /** Of a node's disk, this one's included, as far as it was said. */
  hasRoom(id: NodeId): boolean;
  /** The log of this node does not go on. */
  isStanding(): boolean;
  /** Asks the leader whether this node may leave. False: it was not sent. */
  ask(leader: NodeId, question: number): boolean;
  answer(to: NodeId, question: number, ok: boolean): void;
}

/** An answer that has not come by then is none, ms. */
const ANSWER_MS = 1_000;
/** Whoever may leave has handed over within this, ms, however busy its machine, and takes no part any more. */
const LEAVING_MS = 2 * HAND_OVER_MS;

/**
 * Whether a damaged node may give up its vote. Only the leader knows who could decide something without it, so the others
 * ask, and one leaves at a time.
 */
export class Departures {
  readonly #ports: DeparturePorts;
  /** What was committed at the last look. */
  #committed = 0;
  /** This node's lead, if it has one. */
  #lead: { readonly term: Term; readonly sinceMs: number } | null = null;
  /** When a node was told that it may leave, this one included. */
  readonly #leavingSinceMs = new Map<NodeId, number>();
  #questions = 0;
  #waiting: { readonly leader: NodeId; readonly settle: (ok: boolean) => void } | null = null;
  #timer: Timer | null = null;

  constructor(ports: DeparturePorts) {
    this.#ports = ports;
  }

  /** Called every now and then. */
  keep(): void {
    const { role, term, commitIndex } = this.#ports.status();
    this.#committed = commitIndex;
    if (role !== "leader") this.#lead = null;
    else if (this.#lead?.term !== term) this.#lead = { term, sinceMs: this.#ports.clock.nowMs() };
    for (const id of this.#leavingSinceMs.keys()) {
      if (!this.#isLeaving(id)) this.#leavingSinceMs.delete(id);
    }
  }

  /** Nobody waits any more. */
  stop(): void {
    this.#timer?.cancel();
    this.#waiting = null;
  }

  /**
   * Whether this node may leave now: then it is to do so at once. One question at a time. A new leader waits until it can
   * tell. False where nobody leads, and where the leader does not answer within a second; never settles once the node is
   * stopped.
   */
  async mayLeave(): Promise<boolean> {
    const status = this.#ports.status();
    const { id, role, leader } = status;
    if (role === "leader") {
      const restMs = this.#unsettledMs(status);
      return restMs > 0 ? this.#afterwards(restMs) : this.#letGo(id);
    }
    if (leader === null) return false;
    this.#questions += 1;
    if (!this.#ports.ask(leader, this.#questions)) return false;
    return new Promise((resolve) => {
      const settle = (ok: boolean): void => {
        this.stop();
        resolve(ok);
      };
      this.#waiting = { leader, settle };
      this.#timer = this.#ports.clock.after(ANSWER_MS, () => settle(false));
    });
  }

  /** A node wants to leave, or hears whether it may. */
  onEnvelope(
    from: NodeId,
    envelope: Extract<PeerEnvelope, { readonly kind: "leave" | "leaveAnswer" }>,
  ): void {
    if (envelope.kind === "leaveAnswer") this.#onAnswer(from, envelope.question, envelope.ok);
    else this.#ports.answer(from, envelope.question, this.#letGo(from));
  }

  #onAnswer(from: NodeId, question: number, ok: boolean): void {
    const waiting = this.#waiting;
    if (waiting !== null && waiting.leader === from && question === this.#questions) {
      waiting.settle(ok);
    }
  }

  #afterwards(restMs: number): Promise<boolean> {
    reached("damaged_leader_waits_until_it_can_tell");
    return new Promise((resolve) => {
      this.#timer = this.#ports.clock.after(restMs, () => resolve(this.mayLeave()));
    });
  }

  #letGo(leaver: NodeId): boolean {
    const { clock } = this.#ports;
    const status = this.#ports.status();
    if (status.role !== "leader" || this.#isNeeded(leaver, status)) return false;
    if (this.#unsettledMs(status) > 0) {
      reached("departure_put_off_by_new_leader");
      return false;
    }
    this.#leavingSinceMs.set(leaver, clock.nowMs());
    return true;
  }

  /** A leader does not know whom the one before it let go: how long it is until those have left. */
  #unsettledMs({ term }: RaftStatus): number {
    const lead = this.#lead;
    return lead?.term === term ? this.#restMs(lead.sinceMs) : this.#leavingMs;
  }

  #isNeeded(leaver: NodeId, status: RaftStatus): boolean {
    const { membership } = status;
    const counts = (id: NodeId): boolean => id !== leaver && this.#counts(id, status);
    const halves = [membership, { ...membership, voters: membership.outgoingVoters }];
    return halves.some((half) => half.voters.length > 0 && losesQuorum(half, counts));
  }

  /**
   * Its vote lets something be decided at once: it answers, has room, and what was committed at the last look. Under load
   * nobody ever has everything; what somebody who was away still lacks may be more than the others can give it.
   */
  #counts(id: NodeId, { id: self, peers }: RaftStatus): boolean {
    const ports = this.#ports;
    if (this.#isLeaving(id) || !ports.hasRoom(id)) return false;
    if (id === self) return !ports.isStanding();
    const peer = peers.find((each) => each.id === id);
    if (peer === undefined || !ports.isUp(id)) return false;
    return peer.recentlyActive && peer.matchIndex >= this.#committed;
  }

  #isLeaving(id: NodeId): boolean {
    const sinceMs = this.#leavingSinceMs.get(id);
    return sinceMs !== undefined && this.#restMs(sinceMs) > 0;
  }

  #restMs(sinceMs: number): number {
    return Math.max(0, sinceMs + this.#leavingMs - this.#ports.clock.nowMs());
  }

  /** Until a node that may leave is not heard of any more. */
  get #leavingMs(): number {
    return ANSWER_MS + LEAVING_MS + 2 * this.#ports.electionTimeoutMs;
  }
}
