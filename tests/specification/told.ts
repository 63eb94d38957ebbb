import {
  logIndex,
  nodeId,
  term,
  type Membership,
  type NodeId,
  type TraceEvent,
} from "@quorate/raft";
import { membershipOf } from "../support/members.ts";
import { AbstractRaft } from "./abstract-raft.ts";

/** The cores of a {@link Told}. */
export const [one, two, three]: readonly [NodeId, NodeId, NodeId] = [
  nodeId(1),
  nodeId(2),
  nodeId(3),
];

/** Memberships of them. */
export const OF_THREE: Membership = membershipOf([1, 2, 3]);
export const OF_TWO: Membership = membershipOf([1, 2]);

/** No entries, as a range of them. */
const nothing: readonly [from: number, to: number] = [1, 0];

/** An ensemble of three cores that a test tells event by event. */
export class Told {
  readonly raft: AbstractRaft = new AbstractRaft();
  #seq = 0;

  constructor() {
    for (const id of [one, two, three]) this.start(id, 0, null, [0, 0]);
  }

  start(
    id: NodeId,
    atTerm: number,
    votedFor: NodeId | null,
    [lastTerm, last]: readonly [term: number, index: number],
  ): void {
    const end = { lastIndex: logIndex(last), lastTerm: term(lastTerm) };
    this.startWith(id, { term: term(atTerm), votedFor, ...end });
  }

  startWith(id: NodeId, event: Partial<TraceEvent<"started">>): void {
    this.tell(id, {
      kind: "started",
      id,
      term: term(1),
      votedFor: null,
      imageIndex: logIndex(0),
      imageTerm: term(0),
      lastIndex: logIndex(0),
      lastTerm: term(0),
      membershipIndex: logIndex(0),
      membership: OF_THREE,
      ...event,
    });
  }

  tell(id: NodeId, event: TraceEvent): void {
    this.raft.take(id, event);
  }

  enter(id: NodeId, atTerm: number): void {
    this.tell(id, { kind: "termEntered", term: term(atTerm) });
  }

  vote(id: NodeId, to: NodeId, atTerm: number): void {
    this.tell(id, { kind: "voteGiven", term: term(atTerm), to });
  }

  begin(id: NodeId, atTerm: number, votedFor: NodeId | null, [from, to] = nothing): void {
    const range = { from: logIndex(from), to: logIndex(to) };
    this.beginWith(id, { term: term(atTerm), votedFor, ...range });
  }

  beginWith(id: NodeId, event: Partial<TraceEvent<"writeBegun">>): void {
    this.#seq += 1;
    this.tell(id, {
      kind: "writeBegun",
      seq: this.#seq,
      term: term(1),
      votedFor: null,
      from: logIndex(1),
      to: logIndex(0),
      snapshotIndex: null,
      ...event,
    });
  }

  end(id: NodeId, atTerm: number, votedFor: NodeId | null, persisted = 0): void {
    const persistedIndex = logIndex(persisted);
    this.tell(id, {
      kind: "writeDurable",
      seq: this.#seq,
      term: term(atTerm),
      votedFor,
      persistedIndex,
    });
  }

  write(id: NodeId, atTerm: number, votedFor: NodeId | null, range = nothing): void {
    this.begin(id, atTerm, votedFor, range);
    this.end(id, atTerm, votedFor, range[1]);
  }

  become(
    id: NodeId,
    from: "follower" | "candidate" | "leader",
    to: "follower" | "candidate" | "leader",
    atTerm: number,
  ): void {
    const reason = to === "candidate" ? "transferOrdered" : "electionWon";
    this.tell(id, { kind: "roleChanged", from, to, term: term(atTerm), reason });
  }

  count(id: NodeId, from: NodeId, atTerm: number): void {
    this.tell(id, { kind: "voteCounted", term: term(atTerm), from, preVote: false, granted: true });
  }

  /** `id` stands in a term, with its own vote durable. */
  stand(id: NodeId, atTerm: number): void {
    this.enter(id, atTerm);
    this.become(id, "follower", "candidate", atTerm);
    this.vote(id, id, atTerm);
    this.write(id, atTerm, id);
    this.count(id, id, atTerm);
    this.tell(id, { kind: "votesRequested", term: term(atTerm), preVote: false });
  }

  /** `voter` gives it its vote, durably. */
  support(id: NodeId, voter: NodeId, atTerm: number): void {
    this.enter(voter, atTerm);
    this.vote(voter, id, atTerm);
    this.write(voter, atTerm, id);
    this.tell(voter, { kind: "voteSent", term: term(atTerm), to: id });
    this.count(id, voter, atTerm);
  }

  /** A vote as `support` gives it, for a log that deserves none: it asks with an entry that is not durable, and forgets it. */
  forge(id: NodeId, voter: NodeId, atTerm: number): void {
    this.append(id, 1, 1);
    this.tell(id, { kind: "votesRequested", term: term(atTerm), preVote: false });
    this.vote(voter, id, atTerm);
    this.write(voter, atTerm, id);
    this.start(id, atTerm, id, [0, 0]);
    this.become(id, "follower", "candidate", atTerm);
    this.count(id, id, atTerm);
    this.count(id, voter, atTerm);
  }

  append(id: NodeId, atTerm: number, from: number, to = from): void {
    this.tell(id, {
      kind: "entriesAppended",
      term: term(atTerm),
      from: logIndex(from),
      to: logIndex(to),
    });
  }

  commit(id: NodeId, index: number, isCounted = true): void {
    this.tell(id, { kind: "commitAdvanced", index: logIndex(index), isCounted });
  }

  acknowledge(id: NodeId, to: NodeId, index: number): void {
    this.tell(id, { kind: "acknowledged", to, matchIndex: logIndex(index) });
    this.tell(to, { kind: "peerMatched", peer: id, matchIndex: logIndex(index), behind: 0 });
  }

  /** A membership of nodes 1 and 2 stands at entry 2, durable at node 3, which it leaves out. */
  leaveOut(): void {
    this.enter(three, 1);
    for (const id of [one, three]) {
      this.append(id, 1, id === one ? 2 : 1, 2);
      this.tell(id, { kind: "membershipInForce", index: logIndex(2), membership: OF_TWO });
    }
    this.write(three, 1, null, [1, 2]);
  }

  /** Node 1 leads term 1, supported by node 2, and its first entry is committed on both. */
  lead(): void {
    this.stand(one, 1);
    this.support(one, two, 1);
    this.become(one, "candidate", "leader", 1);
    this.append(one, 1, 1);
    this.append(two, 1, 1);
    this.write(one, 1, one, [1, 1]);
    this.write(two, 1, one, [1, 1]);
    this.acknowledge(two, one, 1);
    this.commit(one, 1);
    this.commit(two, 1, false);
  }
}
