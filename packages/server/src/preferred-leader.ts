import { isVoter, type NodeId, type RaftStatus } from "@quorate/raft";

/** What {@link PreferredLeader} asks of nodes. */
export interface PreferencePorts {
  /** As the node said it; whoever has not said any has none. */
  priorityOf(id: NodeId): number;
  /** How this node's own compares. */
  readonly ownPriority: number;
  /** Whether a node's disk has room, this one's included, as far as it was said. */
  hasRoom(id: NodeId): boolean;
}

/** How long somebody has to be well before the lead goes there, in looks. */
const WELL_LOOKS = 25;
/** Every offer that came to nothing doubles that, up to so many times: each of them costs the ensemble a pause. */
const DOUBLINGS_MAX = 6;

/**
 * Which voter is to lead instead of this node: one with a higher priority that has been well for a while. Whoever did not
 * take over, or led for a moment only, has to be well for longer the next time.
 */
export class PreferredLeader {
  readonly #ports: PreferencePorts;
  /** Looks in a row that somebody preferred has been well. */
  #wellLooks: ReadonlyMap<NodeId, number> = new Map();
  /** How often the lead was offered to somebody since it last led for a while. */
  readonly #offers = new Map<NodeId, number>();
  /** What was committed at the last look. */
  #committed = 0;
  #leader: NodeId | null = null;
  /** Looks in a row that this one has led. */
  #ledLooks = 0;

  constructor(ports: PreferencePorts) {
    this.#ports = ports;
  }

  /** Called every now and then, on every node; returns whom a leader is to offer the lead now, or null. */
  look(status: RaftStatus): NodeId | null {
    const committed = this.#committed;
    this.#committed = status.commitIndex;
    this.#noteLeader(status.leader);
    if (status.role !== "leader" || status.transferringTo !== null) {
      this.#wellLooks = new Map();
      return null;
    }
    const well = this.#well(status, committed);
    this.#wellLooks = new Map(well.map((id) => [id, (this.#wellLooks.get(id) ?? 0) + 1]));
    const ready = well.filter((id) => (this.#wellLooks.get(id) ?? 0) >= this.#looksNeeded(id));
    const [to] = ready.sort((a, b) => this.#ports.priorityOf(b) - this.#ports.priorityOf(a));
    if (to === undefined) return null;
    this.#noteOffer(to, status);
    return to;
  }

  #noteLeader(leader: NodeId | null): void {
    this.#ledLooks = leader === this.#leader ? this.#ledLooks + 1 : 1;
    this.#leader = leader;
    if (leader !== null && this.#ledLooks >= WELL_LOOKS) this.#offers.delete(leader);
  }

  /** Who is preferred, is heard of, has room, and what was committed at the last look: under load nobody ever has everything. */
  #well({ membership, peers }: RaftStatus, committed: number): readonly NodeId[] {
    const ports = this.#ports;
    return peers
      .filter(({ recentlyActive, matchIndex }) => recentlyActive && matchIndex >= committed)
      .map(({ id }) => id)
      .filter((id) => isVoter(membership, id) && ports.hasRoom(id))
      .filter((id) => ports.priorityOf(id) > ports.ownPriority);
  }

  #looksNeeded(id: NodeId): number {
    return WELL_LOOKS * 2 ** Math.min(DOUBLINGS_MAX, this.#offers.get(id) ?? 0);
  }

  #noteOffer(to: NodeId, { peers }: RaftStatus): void {
    this.#wellLooks = new Map();
    this.#offers.set(to, (this.#offers.get(to) ?? 0) + 1);
    for (const id of this.#offers.keys()) {
      if (peers.every((peer) => peer.id !== id)) this.#offers.delete(id);
    }
  }
}
