import { validateChange, type Membership, type NodeId, type TraceEvent } from "@quorate/raft";
import { AbstractNode, isQuorum, type PlacedMembership } from "./abstract-node.ts";
import { AbstractReads } from "./abstract-reads.ts";
import { ForgivenLosses, type TermLog } from "./forgiven-losses.ts";

/** An event that no action of the specification allows, by the rule that it breaks. */
export class SpecificationError extends Error {
  override readonly name = "SpecificationError";
  readonly rule: string;

  constructor(rule: string, details: string) {
    super(`${rule}: ${details}`);
    this.rule = rule;
  }
}

interface KnownMembership extends PlacedMembership {
  readonly term: number | null;
  readonly text: string;
}

interface Commit {
  readonly index: number;
  readonly term: number;
  /** Of the leader that counted. */
  readonly knownInTerm: number;
}

const LEADER_ONLY = new Set<TraceEvent["kind"]>([
  "heartbeatsSent",
  "appendSent",
  "commitNoticeSent",
  "peerMatched",
  "readRoundBegun",
  "readRoundConfirmed",
  "snapshotOrdered",
  "transferBegun",
]);

/**
 * Raft as far as it must be right, over all nodes of an ensemble: terms, votes, logs of terms, commits and memberships. It takes
 * the events of all cores in the order in which they happen, and allows each only as an action that is enabled in the state that
 * the ones before it have led to. What one core cannot know it compares with all the others.
 */
export class AbstractRaft {
  readonly #nodes = new Map<NodeId, AbstractNode>();
  readonly #terms = new Map<number, TermLog>();
  /** Durable votes, by voter and term. */
  readonly #votes = new Map<string, NodeId>();
  /** What a candidate's log ended with when it asked, by candidate and term. */
  readonly #requests = new Map<string, { readonly index: number; readonly term: number }>();
  /** Memberships by term and index of their entry. */
  readonly #memberships = new Map<string, KnownMembership>();
  /** Terms of all committed entries; the first is that of index 1. */
  readonly #committed: number[] = [];
  readonly #commits: Commit[] = [];
  readonly #reads = new AbstractReads(fail);
  /** What disks are forgiven to have forgotten. */
  readonly forgiven = new ForgivenLosses(this.#nodes, this.#terms, this.#committed);
  #events = 0;

  /** Events that were taken. */
  get events(): number {
    return this.#events;
  }

  get commitIndex(): number {
    return this.#committed.length;
  }

  /** Terms that somebody led. */
  get termsLed(): number {
    return this.#terms.size;
  }

  /** Takes the next event of the core called `id`. Throws `SpecificationError`. */
  take(id: NodeId, event: TraceEvent): void {
    this.#events += 1;
    const node = this.#node(id);
    if (event.kind === "started") {
      this.#start(node, event);
      return;
    }
    if (!node.isKnown) fail("started first", `${id} ${event.kind}`);
    if (LEADER_ONLY.has(event.kind) && node.role !== "leader") {
      fail("leaders alone lead", `${id} is ${node.role}: ${event.kind}`);
    }
    this.#takeElection(node, event);
    this.#takeLog(node, event);
    this.#takeCommit(node, event);
    this.#takeMembership(node, event);
    this.#reads.take(node, event, this.commitIndex);
  }

  #node(id: NodeId): AbstractNode {
    const known = this.#nodes.get(id);
    if (known !== undefined) return known;
    const node = new AbstractNode(id);
    this.#nodes.set(id, node);
    return node;
  }

  /** A core starts from what is durable, and from nothing else. */
  #start(node: AbstractNode, event: TraceEvent<"started">): void {
    if (event.id !== node.id) fail("a core knows its id", `${event.id} is not ${node.id}`);
    if (!(this.forgiven.start(node, event) ?? node.disk.start(event))) {
      const { term, votedFor, log } = node.disk;
      const text = `${node.id} has term ${term}, vote ${votedFor}, log ${log.lastTerm}/${log.lastIndex}`;
      fail("nothing durable is lost", `${text}, and starts with ${JSON.stringify(event)}`);
    }
    this.#checkCommitted(node, event.imageIndex, event.imageTerm, "an image is committed");
    node.begin(event);
    node.memberships = this.#membershipsAtStart(node, event);
    if (event.votedFor !== null) this.#votes.set(`${node.id}/${event.term}`, event.votedFor);
  }

  // Elections.

  #takeElection(node: AbstractNode, event: TraceEvent): void {
    const { id } = node;
    switch (event.kind) {
      case "termEntered":
        if (event.term <= node.term) fail("terms rise", `${id}: ${node.term}, ${event.term}`);
        node.term = event.term;
        node.votedFor = null;
        node.matchedIndex = 0;
        return;
      case "roleChanged":
        return this.#changeRole(node, event);
      case "leaderChanged":
        if (event.leader === null) return;
        if (this.#terms.get(event.term)?.leader === event.leader) return;
        return fail(
          "who is followed was elected",
          `${id} follows ${event.leader} in ${event.term}`,
        );
      case "voteGiven":
        return this.#giveVote(node, event);
      case "votesRequested":
        if (event.preVote) return;
        this.#requests.set(`${id}/${event.term}`, {
          index: node.log.lastIndex,
          term: node.log.lastTerm,
        });
        return;
      case "voteSent":
        if (this.#votes.get(`${id}/${event.term}`) === event.to) return;
        return fail("a vote is durable before it leaves", `${id} in ${event.term}`);
      case "voteCounted":
        return this.#countVote(node, event);
      default:
    }
  }

  #changeRole(node: AbstractNode, { from, to, term }: TraceEvent<"roleChanged">): void {
    const { id } = node;
    if (from !== node.role || term !== node.term) {
      fail("roles change from what they were", `${id} is ${node.role} of ${node.term}`);
    }
    const isElected = isQuorum(node.membership, (voter) => node.answers.get(voter) === true);
    if (to === "preCandidate" && !node.isVoterSomewhere) fail("voters alone stand", `${id}`);
    if (to === "candidate" && from === "preCandidate" && !isElected) {
      fail("a candidate won its pre-vote", `${id} in term ${term}`);
    }
    if (to === "leader") {
      if (from !== "candidate" || !isElected) fail("a quorum elects", `${id} in term ${term}`);
      this.#elect(node);
    }
    node.role = to;
    node.termStart = null;
    node.answers.clear();
  }

  /** Raft paper, figure 3: election safety, leader completeness. */
  #elect({ id, term, log }: AbstractNode): void {
    const other = this.#terms.get(term)?.leader;
    if (other !== undefined) fail("one leader a term", `${other} and ${id} lead ${term}`);
    this.#terms.set(term, { leader: id, start: null, precedingTerm: 0, lastIndex: 0 });
    for (let at = this.#commits.length - 1; at >= 0; at -= 1) {
      const commit = this.#commits[at];
      // A leader of an earlier term may be elected late: it will commit nothing any more.
      if (commit === undefined || commit.knownInTerm >= term) continue;
      if (log.holds(commit.index, commit.term)) return;
      fail("leaders have all that is committed", `${id} lacks ${commit.term}/${commit.index}`);
    }
  }

  #giveVote(node: AbstractNode, { term, to }: TraceEvent<"voteGiven">): void {
    const { id, log } = node;
    if (term !== node.term) fail("a vote is of the own term", `${id} in ${node.term} of ${term}`);
    if (node.votedFor !== null && node.votedFor !== to) {
      fail("one vote a term", `${id} for ${node.votedFor} and ${to} in ${term}`);
    }
    node.votedFor = to;
    if (to === id) return;
    const asked = this.#requests.get(`${to}/${term}`);
    if (asked === undefined) return fail("votes are asked for", `${id} for ${to} in ${term}`);
    const isBehind =
      asked.term < log.lastTerm || (asked.term === log.lastTerm && asked.index < log.lastIndex);
    if (isBehind) fail("a vote goes to a log as good", `${id} for ${to} in ${term}`);
  }

  #countVote(node: AbstractNode, event: TraceEvent<"voteCounted">): void {
    const { term, from, preVote, granted } = event;
    const awaited = preVote ? "preCandidate" : "candidate";
    if (node.role !== awaited) fail("votes are counted in a campaign", `${node.id}`);
    node.answers.set(from, granted);
    if (preVote || !granted) return;
    if (this.#votes.get(`${from}/${term}`) === node.id) return;
    fail("a vote is durable before it counts", `${from} for ${node.id} in ${term}`);
  }

  // Logs.

  #takeLog(node: AbstractNode, event: TraceEvent): void {
    const { id, disk, log } = node;
    switch (event.kind) {
      case "entriesAppended":
        return this.#append(node, event);
      case "logTruncated":
        return this.#truncate(node, event.from);
      case "logReset":
        this.#checkCommitted(node, event.index, event.term, "a snapshot is committed");
        log.reset(event.index, event.term);
        node.commitIndex = event.index;
        node.handedIndex = event.index;
        node.memberships = [];
        return;
      case "lossFound":
        if (node.forgetting !== null) return;
        return fail("nothing durable is lost", `${id} has ${event.lastIndex}`);
      case "conflictFound":
      case "peerClaimed":
        return fail("leaders have what is committed", `${id}: ${JSON.stringify(event)}`);
      case "logMatched":
        if (event.index > log.lastIndex) fail("what matches is there", `${id} at ${event.index}`);
        node.matchedIndex = event.index;
        return;
      case "writeBegun":
        if (event.term !== node.term || event.votedFor !== node.votedFor) {
          fail("what is promised is written", `${id}: ${JSON.stringify(event)}`);
        }
        return disk.begin(event, log);
      case "writeDurable":
        return this.#endWrite(node, event);
      case "acknowledged":
        return this.#acknowledge(node, event);
      case "peerMatched": {
        const { peer, matchIndex } = event;
        // It need not be there any more: a leader of a later term may have dropped it since.
        if ((this.#node(peer).acknowledged.get(node.term) ?? 0) >= matchIndex) return;
        return fail("what a leader counts was acknowledged", `${peer} at ${matchIndex} for ${id}`);
      }
      default:
    }
  }

  /** Raft paper, figure 3: leader append-only, log matching. The entries of a term are its leader's, in its order. */
  #append(node: AbstractNode, { term, from, to }: TraceEvent<"entriesAppended">): void {
    const { id, log } = node;
    const precedingTerm = log.lastTerm;
    if (from !== log.lastIndex + 1 || to < from) fail("logs have no gaps", `${id} at ${from}`);
    if (term > node.term || term < precedingTerm) fail("terms of a log rise", `${id} at ${from}`);
    const made = this.#terms.get(term);
    if (made === undefined) return fail("leaders make entries", `${id} has ${term}/${from}`);
    if (node.role === "leader") {
      if (made.leader !== id) fail("leaders make entries of their term", `${id} makes ${term}`);
      if (made.start === null) {
        made.start = from;
        made.precedingTerm = precedingTerm;
        node.termStart = from;
      }
      made.lastIndex = to;
    }
    const expected = from === made.start ? made.precedingTerm : term;
    const isMade = made.start !== null && from >= made.start && to <= made.lastIndex;
    if (!isMade || precedingTerm !== expected) {
      fail("logs match", `${id} has ${term}/${from} behind ${precedingTerm}`);
    }
    log.append(term, to - from + 1);
  }

  #truncate(node: AbstractNode, from: number): void {
    const { id, log } = node;
    if (node.role === "leader") fail("leaders only append", `${id} drops ${from}`);
    const isCommitted = this.#committed[from - 1] === log.termAt(from);
    if (from <= node.commitIndex || isCommitted) fail("no commit is lost", `${id} drops ${from}`);
    log.truncateFrom(from);
  }

  #endWrite(node: AbstractNode, event: TraceEvent<"writeDurable">): void {
    const { id, disk } = node;
    const { term, votedFor } = disk;
    if (!disk.complete(event)) fail("what becomes durable was written", `${id}: ${event.seq}`);
    if (disk.term < term) fail("durable terms rise", `${id}: ${term}, ${disk.term}`);
    if (disk.term === term && votedFor !== null && disk.votedFor !== votedFor) {
      fail("a durable vote stands", `${id} in ${term}: ${votedFor}, ${disk.votedFor}`);
    }
    if (disk.votedFor !== null) this.#votes.set(`${id}/${disk.term}`, disk.votedFor);
  }

  /** What a snapshot covers is committed, and known from there. */
  #termAt({ log }: AbstractNode, index: number): number | null {
    return index === 0 ? 0 : (log.termAt(index) ?? this.#committed[index - 1] ?? null);
  }

  #acknowledge(node: AbstractNode, { to, matchIndex }: TraceEvent<"acknowledged">): void {
    const { id, disk, term } = node;
    const entryTerm = this.#termAt(node, matchIndex);
    const isDurable = disk.term === term && disk.log.holds(matchIndex, entryTerm);
    if (!isDurable) fail("what is acknowledged is durable", `${id} at ${matchIndex}`);
    node.acknowledged.set(term, Math.max(node.acknowledged.get(term) ?? 0, matchIndex));
    if (this.#terms.get(term)?.leader !== to) fail("leaders are answered", `${id} answers ${to}`);
    const leader = this.#node(to);
    const isLeading = leader.role === "leader" && leader.term === term;
    if (!isLeading || leader.log.holds(matchIndex, entryTerm)) return;
    fail("what is acknowledged is the leader's", `${id} at ${matchIndex} to ${to}`);
  }

  // Commits.

  #takeCommit(node: AbstractNode, event: TraceEvent): void {
    const { id } = node;
    switch (event.kind) {
      case "commitAdvanced":
        if (event.index <= node.commitIndex) fail("commits rise", `${id} at ${event.index}`);
        if (event.isCounted) this.#count(node, event.index);
        else if (event.index > node.comparedIndex) {
          fail("followers commit what was compared", `${id} at ${event.index}`);
        }
        node.commitIndex = event.index;
        return this.#checkHas(node, event.index);
      case "entriesHandedOut": {
        const { from, to } = event;
        if (from !== node.handedIndex + 1) fail("entries are handed out once", `${id} at ${from}`);
        const isDurable = node.disk.log.holds(to, node.log.termAt(to));
        if (to > node.commitIndex || !isDurable) {
          fail("what is handed out is committed and durable", `${id} at ${to}`);
        }
        node.handedIndex = to;
        return;
      }
      case "applied":
        if (event.index > node.handedIndex || event.index <= node.appliedIndex) {
          fail("what is applied was handed out", `${id} at ${event.index}`);
        }
        node.appliedIndex = event.index;
        return;
      case "imageOffered":
        return this.#checkCommitted(node, event.index, event.term, "an image is committed");
      default:
    }
  }

  /** Raft paper, sections 5.3 and 5.4.2: durable on a quorum, and of the own term. */
  #count(node: AbstractNode, index: number): void {
    const { id, term, log, membership } = node;
    const entryTerm = log.termAt(index);
    if (node.role !== "leader") fail("leaders count", `${id} is ${node.role}`);
    if (entryTerm !== term) fail("the own term is counted", `${id} of ${term} at ${index}`);
    const isHeld = isQuorum(membership, (voter) => {
      const { disk } = this.#node(voter);
      // With an older term on disk it could wake up and let an older leader overwrite the entry.
      return disk.term >= term && disk.log.holds(index, entryTerm);
    });
    if (!isHeld) fail("a quorum has what is committed", `${id} of ${term} at ${index}`);
    for (let next = this.#committed.length + 1; next <= index; next += 1) {
      this.#committed.push(log.termAt(next) ?? 0);
    }
    this.#commits.push({ index, term, knownInTerm: term });
  }

  /** State machine safety: what one node takes as committed all others do. */
  #checkHas({ id, log }: AbstractNode, index: number): void {
    const term = this.#committed[index - 1];
    if (term !== undefined && log.holds(index, term)) return;
    fail("what is committed is the same everywhere", `${id} at ${index}`);
  }

  #checkCommitted({ id }: AbstractNode, index: number, term: number, rule: string): void {
    if (index === 0 || this.#committed[index - 1] === term) return;
    fail(rule, `${id} at ${term}/${index}`);
  }

  // Memberships.

  #takeMembership(node: AbstractNode, event: TraceEvent): void {
    switch (event.kind) {
      case "membershipInForce":
        return this.#enforce(node, event);
      case "membershipFellBack": {
        while (node.memberships.length > 1 && node.membershipIndex > event.index) {
          node.memberships.pop();
        }
        // Those before its start a core may have in its image alone.
        if (node.membershipIndex === event.index) return;
        node.memberships = [{ index: event.index, membership: event.membership }];
        return;
      }
      case "membershipSettled":
        if (event.index > node.commitIndex) fail("settled is committed", `${node.id}`);
        node.memberships = node.memberships.filter(({ index }) => index >= event.index);
        return;
      default:
    }
  }

  /** The one of its image, and those of its log behind it: any of them may come back into force. */
  #membershipsAtStart(node: AbstractNode, event: TraceEvent<"started">): PlacedMembership[] {
    const { membership, imageIndex } = event;
    const { lastIndex } = node.log;
    const stored = [...this.#memberships.values()]
      .filter(({ index, term }) => index <= lastIndex && this.#termAt(node, index) === term)
      .sort((a, b) => a.index - b.index);
    const at = stored.findLastIndex(({ index }) => index <= imageIndex);
    // What an ensemble is formed with, or restored with.
    const base = stored[at] ?? this.#know(node, imageIndex, membership);
    const later = stored.slice(at + 1);
    if ((later.at(-1) ?? base).text !== textOf(membership)) {
      fail("the newest membership is in force", `${node.id} at ${event.membershipIndex}`);
    }
    return [{ index: imageIndex, membership: base.membership }, ...later];
  }

  /** At one place of the log there is one membership. */
  #know(node: AbstractNode, index: number, membership: Membership): KnownMembership {
    const term = this.#termAt(node, index);
    const text = textOf(membership);
    const place = `${term}/${index}`;
    const known = this.#memberships.get(place) ?? { index, term, membership, text };
    if (known.text !== text) fail("memberships match", `${node.id} at ${place}`);
    this.#memberships.set(place, known);
    return known;
  }

  /** Raft thesis, section 4.1: every step leaves a majority in common, and follows one that is committed. */
  #enforce(node: AbstractNode, event: TraceEvent<"membershipInForce">): void {
    const { id, log } = node;
    const { index, membership } = event;
    this.#know(node, index, membership);
    const place = `${log.termAt(index)}/${index}`;
    if (node.role === "leader") {
      const isSettled = node.membershipIndex <= node.commitIndex;
      if (!isSettled) fail("one membership at a time", `${id} at ${place}`);
      const isOpen = node.termStart !== null && node.commitIndex >= node.termStart;
      if (!isOpen) fail("memberships change once the own term is committed", `${id} at ${place}`);
      const problem = validateChange(node.membership, membership);
      if (problem !== null) fail("memberships overlap", `${id} at ${place}: ${problem}`);
    }
    node.memberships.push({ index, membership });
  }
}

function textOf({ voters, outgoingVoters, learners, members }: Membership): string {
  const told = members.map(({ id, name, peerAddress, clientAddress, promotion }) =>
    [id, name, peerAddress, clientAddress, promotion.kind].join(" "),
  );
  return JSON.stringify([voters, outgoingVoters, learners, told]);
}

function fail(rule: string, details: string): never {
  throw new SpecificationError(rule, details);
}
