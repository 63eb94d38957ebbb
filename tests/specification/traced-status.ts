import type {
  Membership,
  NodeId,
  ProgressState,
  RaftStatus,
  Role,
  TraceEvent,
} from "@quorate/raft";

/** What the events have told of a peer. */
interface TracedPeer {
  state: ProgressState;
  matchIndex: number;
  nextIndex: number;
  isFetching: boolean;
}

type Account = Readonly<Record<string, string | number | boolean | null>>;

/** Nothing was told yet. */
const nobody = { voters: [], outgoingVoters: [], learners: [], members: [] } as const;

/**
 * What is known of a core that nobody looks at, from its events alone. Whatever changes without an event makes it differ from
 * the core's own account.
 */
export class TracedStatus {
  #id = 0;
  #role: Role = "follower";
  #term = 0;
  #leader: NodeId | null = null;
  #votedFor: NodeId | null = null;
  #firstIndex = 0;
  #lastIndex = 0;
  #commitIndex = 0;
  #appliedIndex = 0;
  #persistedIndex = 0;
  #membershipIndex = 0;
  #membership: Membership = nobody;
  #transferringTo: NodeId | null = null;
  readonly #peers = new Map<NodeId, TracedPeer>();

  take(event: TraceEvent): void {
    this.#takeElection(event);
    this.#takeLog(event);
    this.#takeMembership(event);
    this.#takePeer(event);
  }

  /** What the core says and its events did not, in words; null where they agree. */
  differenceTo(status: RaftStatus): string | null {
    const own = this.#account();
    const theirs: Account = {
      id: status.id,
      role: status.role,
      term: status.term,
      leader: status.leader,
      votedFor: status.votedFor,
      firstIndex: status.firstIndex,
      lastIndex: status.lastIndex,
      commitIndex: status.commitIndex,
      appliedIndex: status.appliedIndex,
      persistedIndex: status.persistedIndex,
      membership: JSON.stringify(status.membership),
      isMembershipPending: status.isMembershipPending,
      transferringTo: status.transferringTo,
      peers: status.peers
        .map(({ id, state, matchIndex, nextIndex, isFetching }) =>
          peerText(id, { state, matchIndex, nextIndex, isFetching }),
        )
        .join("; "),
    };
    const differences = Object.entries(own).flatMap(([name, told]) => {
      const is = theirs[name];
      return told === is ? [] : [`${name} is ${String(is)}, events say ${String(told)}`];
    });
    return differences.length === 0 ? null : differences.join(", ");
  }

  #account(): Account {
    const peers = [...this.#peers].sort(([left], [right]) => left - right);
    return {
      id: this.#id,
      role: this.#role,
      term: this.#term,
      leader: this.#leader,
      votedFor: this.#votedFor,
      firstIndex: this.#firstIndex,
      lastIndex: this.#lastIndex,
      commitIndex: this.#commitIndex,
      appliedIndex: this.#appliedIndex,
      persistedIndex: this.#persistedIndex,
      membership: JSON.stringify(this.#membership),
      isMembershipPending:
        this.#membershipIndex > this.#commitIndex || this.#membership.outgoingVoters.length > 0,
      transferringTo: this.#transferringTo,
      peers: peers.map(([id, peer]) => peerText(id, peer)).join("; "),
    };
  }

  #takeElection(event: TraceEvent): void {
    switch (event.kind) {
      case "started":
        this.#id = event.id;
        this.#term = event.term;
        this.#votedFor = event.votedFor;
        return;
      case "termEntered":
        this.#term = event.term;
        this.#leader = null;
        this.#votedFor = null;
        return;
      case "roleChanged":
        this.#role = event.to;
        if (event.from !== "leader") return;
        this.#peers.clear();
        this.#transferringTo = null;
        return;
      case "leaderChanged":
        this.#leader = event.leader;
        return;
      case "voteGiven":
        this.#votedFor = event.to;
        return;
      case "transferBegun":
        this.#transferringTo = event.to;
        return;
      case "transferGivenUp":
        this.#transferringTo = null;
        return;
      default:
    }
  }

  #takeLog(event: TraceEvent): void {
    switch (event.kind) {
      case "started":
        this.#firstIndex = event.imageIndex + 1;
        this.#lastIndex = event.lastIndex;
        this.#persistedIndex = event.lastIndex;
        this.#commitIndex = event.imageIndex;
        this.#appliedIndex = event.imageIndex;
        return;
      case "entriesAppended":
        this.#lastIndex = event.to;
        return;
      case "logTruncated":
        this.#lastIndex = event.from - 1;
        this.#persistedIndex = Math.min(this.#persistedIndex, this.#lastIndex);
        return;
      case "logReset":
        this.#firstIndex = event.index + 1;
        this.#lastIndex = event.index;
        this.#commitIndex = event.index;
        this.#persistedIndex = 0;
        return;
      case "memoryTrimmed":
        this.#firstIndex = event.firstIndex;
        return;
      case "writeDurable":
        this.#persistedIndex = event.persistedIndex;
        return;
      case "commitAdvanced":
        this.#commitIndex = event.index;
        return;
      case "applied":
        this.#appliedIndex = event.index;
        return;
      default:
    }
  }

  #takeMembership(event: TraceEvent): void {
    switch (event.kind) {
      case "started":
        this.#membershipIndex = event.membershipIndex;
        this.#membership = event.membership;
        return;
      case "membershipInForce":
      case "membershipFellBack":
        this.#membershipIndex = event.index;
        this.#membership = event.membership;
        return;
      default:
    }
  }

  #takePeer(event: TraceEvent): void {
    if (event.kind === "peerAdded") {
      const { nextIndex } = event;
      this.#peers.set(event.peer, { state: "probe", matchIndex: 0, nextIndex, isFetching: false });
      return;
    }
    const peer = "peer" in event ? this.#peers.get(event.peer) : undefined;
    if (peer === undefined) return;
    switch (event.kind) {
      case "peerRemoved":
        this.#peers.delete(event.peer);
        return;
      case "peerStateChanged":
        peer.state = event.to;
        peer.nextIndex = event.nextIndex;
        peer.isFetching = false;
        return;
      case "peerMatched":
        peer.matchIndex = event.matchIndex;
        peer.nextIndex = Math.max(peer.nextIndex, event.matchIndex + 1);
        return;
      case "peerRejected":
        peer.nextIndex = event.nextIndex;
        peer.isFetching = false;
        return;
      case "appendSent":
        if (peer.state === "replicate") peer.nextIndex = event.lastIndex + 1;
        return;
      case "fetchBegun":
        peer.isFetching = true;
        return;
      case "fetchEnded":
        peer.isFetching = false;
        return;
      default:
    }
  }
}

function peerText(id: number, { state, matchIndex, nextIndex, isFetching }: TracedPeer): string {
  return `${id} ${state} ${matchIndex} ${nextIndex}${isFetching ? " fetching" : ""}`;
}
