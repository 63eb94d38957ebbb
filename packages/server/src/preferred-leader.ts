import { isVoter, type NodeId, type RaftStatus } from "@quorate/raft";
import type { PreferenceLimits } from "./limits.ts";
import type { MonotonicClock } from "./ports.ts";

/** What {@link PreferredLeader} asks of the nodes. */
export interface PreferencePorts {
  readonly clock: Pick<MonotonicClock, "nowMs">;
  /** As the node said it; whoever has not said any has none. */
  priorityOf(id: NodeId): number;
  /** Of this node. */
  readonly ownPriority: number;
  /** Whether a node's disk has room, this one's included, as far as it was said. */
  hasRoom(id: NodeId): boolean;
}

/** Leads of one node, one after the other, that came to nothing. */
interface Failures {
  readonly count: number;
  /** Until then it is not chosen again. */
  readonly untilMs: number;
}

/** Nodes of whom failures are remembered; there are never more members than this. */
const FAILURES_MAX = 64;

/**
 * Which voter is to lead instead of this node: one with a higher priority that has been well for a while, and where this
 * node's disk is full any that is well, at once. A lead that was not taken, or was over after a moment, cost the ensemble a
 * pause: whoever had it has to wait for the next one, each time twice as long.
 */
export class PreferredLeader {
  readonly #ports: PreferencePorts;
  readonly #limits: PreferenceLimits;
  /** Since when those have been well who are. */
  #wellSinceMs: ReadonlyMap<NodeId, number> = new Map();
  readonly #failures = new Map<NodeId, Failures>();
  /** What was committed at the last look. */
  #committed = 0;
  /** Whoever was seen to lead last, at first and at last. */
  #lead: { readonly id: NodeId; readonly fromMs: number; readonly toMs: number } | null = null;
  /** Who was asked to take over, until somebody leads. */
  #offered: NodeId | null = null;

  constructor(ports: PreferencePorts, limits: PreferenceLimits) {
    this.#ports = ports;
    this.#limits = limits;
  }

  /** Called every now and then on every node; returns whom a leader is to let lead now, or null. */
  look(status: RaftStatus): NodeId | null {
    const committed = this.#committed;
    this.#committed = status.commitIndex;
    if (status.leader !== null) this.#noteLeader(status.leader);
    this.#noteOutcome(status);
    const isFull = !this.#ports.hasRoom(status.id);
    if (status.role !== "leader" || status.transferringTo !== null) {
      this.#wellSinceMs = new Map();
      return null;
    }
    const nowMs = this.#ports.clock.nowMs();
    const well = this.#well(status, committed);
    const before = this.#wellSinceMs;
    this.#wellSinceMs = new Map(well.map((id) => [id, before.get(id) ?? nowMs]));
    const [best] = well
      .filter((id) => isFull || nowMs - (before.get(id) ?? nowMs) >= this.#limits.wellMs)
      .filter((id) => nowMs >= (this.#failures.get(id)?.untilMs ?? 0))
      .sort((a, b) => this.#ports.priorityOf(b) - this.#ports.priorityOf(a));
    return best ?? null;
  }

  /** It was asked to take over. */
  noteOffer(to: NodeId): void {
    this.#offered = to;
    this.#wellSinceMs = new Map();
  }

  #noteLeader(leader: NodeId): void {
    const nowMs = this.#ports.clock.nowMs();
    const lead = this.#lead;
    if (lead?.id !== leader) {
      if (lead !== null && !this.#isLasting(lead.id, lead.toMs - lead.fromMs)) this.#fail(lead.id);
      this.#lead = { id: leader, fromMs: nowMs, toMs: nowMs };
      return;
    }
    this.#lead = { ...lead, toMs: nowMs };
    if (this.#isLasting(leader, nowMs - lead.fromMs)) this.#failures.delete(leader);
  }

  #noteOutcome({ leader, transferringTo }: RaftStatus): void {
    if (this.#offered === null || transferringTo !== null || leader === null) return;
    if (leader !== this.#offered) this.#fail(this.#offered);
    this.#offered = null;
  }

  /**
   * Who is preferred, is heard of, has room, and what was committed at the last look: under load nobody ever has everything.
   * The one furthest along first. To a node whose disk is full whoever has room is preferred.
   */
  #well({ id: self, membership, peers }: RaftStatus, committed: number): readonly NodeId[] {
    const ports = this.#ports;
    const isFull = !ports.hasRoom(self);
    return peers
      .filter(({ recentlyActive, matchIndex }) => recentlyActive && matchIndex >= committed)
      .sort((a, b) => b.matchIndex - a.matchIndex)
      .map(({ id }) => id)
      .filter((id) => isVoter(membership, id) && ports.hasRoom(id))
      .filter((id) => isFull || ports.priorityOf(id) > ports.ownPriority);
  }

  /** A lead of that length makes good for failures: of one that always lasts a little longer than its wait there is no end. */
  #isLasting(id: NodeId, ms: number): boolean {
    return ms >= Math.max(this.#limits.lastingMs, this.#waitMs(this.#failures.get(id)?.count ?? 0));
  }

  #fail(id: NodeId): void {
    const count = (this.#failures.get(id)?.count ?? 0) + 1;
    if (this.#failures.size >= FAILURES_MAX) this.#failures.clear();
    this.#failures.set(id, { count, untilMs: this.#ports.clock.nowMs() + this.#waitMs(count) });
  }

  #waitMs(failures: number): number {
    const { wellMs, waitMsMax } = this.#limits;
    return Math.min(waitMsMax, wellMs * 2 ** failures);
  }
}
