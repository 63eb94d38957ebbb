import {
  isMember,
  isVoter,
  type LogIndex,
  type Member,
  type Membership,
  type NodeId,
  type Term,
  type RaftInput,
  type RaftStatus,
  type RejectReason,
  type StepResult,
} from "@quorate/raft";
import type { ConfiguredMember } from "../config.ts";
import { ServerError } from "../errors.ts";
import type { Logger } from "../observe/logger.ts";
import type { PeerEnvelope } from "../peer/envelope.ts";
import type { PeerTarget } from "../peer/peer-network.ts";
import { reached } from "../points.ts";
import type { Acquaintances } from "./acquaintances.ts";
import { INVITED_MS, type InvitationEnd, type Invitations } from "./invitations.ts";
import type { JoinRequest } from "./join-request.ts";
import { MemberAddresses } from "./member-addresses.ts";
import type { MemberCommand } from "./member-command.ts";
import { planCommand, type MemberPlan, type PlanStep } from "./member-plan.ts";
import { MembershipKeeper, type MembershipView } from "./membership-keeper.ts";

/** What {@link NodeMembership} works with. */
export interface NodeMembershipPorts {
  nowMs(): number;
  status(): RaftStatus;
  /** This node leads, and has applied what was there before. */
  isLeading(): boolean;
  step(input: RaftInput): StepResult;
  /** The voter to hand over to, of those that `mayLead`. */
  successor(mayLead: (id: NodeId) => boolean): NodeId | null;
  send(to: NodeId, envelope: PeerEnvelope): void;
  setTargets(targets: readonly PeerTarget[]): void;
  /** This node is a member, for the first time in this process, by what is applied up to `index`. */
  onMember(index: LogIndex): void;
  /** This node is no member any more. */
  onRemoved(error: ServerError): void;
}

export interface NodeMembershipOptions {
  readonly self: Member;
  /** As the image has it. */
  readonly initial: Membership;
  /** The members that the ensemble was formed of. */
  readonly founders: Membership;
  /**
   * Whom the configuration names; dialled while this node is no member, or has no leader for long, because the membership it
   * has may be of the past.
   */
  readonly configured: readonly ConfiguredMember[];
  /** Dialled too. */
  readonly acquaintances: Acquaintances;
  readonly logger: Logger;
  readonly electionTimeoutMs: number;
  readonly ports: NodeMembershipPorts;
}

/** Election timeouts without a leader after which a node looks for one beyond its members. */
const LOST_ELECTION_TIMEOUTS = 10;

const INVITATION_WITHDRAWN =
  "its invitation was withdrawn; a node that asks to join under this name waits until `quorate member add` is given again";
const INVITATION_ENDED: Readonly<Record<InvitationEnd, string>> = {
  ranOut:
    `nobody came in ${INVITED_MS / 60_000} minutes, so its invitation ended: see that its node runs, started with --join, and reaches a member; ` +
    "a `quorate member` command that still waits invites it again, any other has to be given again",
  leadInterrupted:
    "its invitation ended, because this node did not lead all the while; a `quorate member` command that still waits gives it " +
    "again to the leader, any other has to be given again",
};

/**
 * The members as this node has applied them, and its part in what changes them. What was applied is committed: nobody who
 * is missing here comes back under the same id.
 */
export class NodeMembership {
  readonly #options: NodeMembershipOptions;
  readonly #keeper: MembershipKeeper;
  readonly #addresses: MemberAddresses;
  #current: Membership;
  /** The last one in the log, committed or not: the core counts its votes by it, so its members must be in touch. */
  #inForce: Membership;
  /** This node was seen among the members. */
  #belongs: boolean;
  #leaderSeenMs: number;
  /** It has had no leader for long. */
  #isLost = false;
  /** Whom this node as leader of that term began to hand over to, in order to be taken out. */
  #heirs: { readonly term: Term; readonly asked: Set<NodeId> } | null = null;
  /** Null: somebody of whom only the name is known. */
  #dialled: ReadonlySet<NodeId | null> = new Set();

  constructor(options: NodeMembershipOptions) {
    this.#options = options;
    this.#keeper = new MembershipKeeper(options.electionTimeoutMs, (name, end) =>
      options.logger.warn({ member: name }, INVITATION_ENDED[end]),
    );
    this.#addresses = new MemberAddresses(options);
    this.#current = options.initial;
    this.#inForce = options.initial;
    this.#belongs = isMember(options.initial, options.self.id);
    this.#leaderSeenMs = options.ports.nowMs();
  }

  get current(): Membership {
    return this.#current;
  }

  /** False for a node that waits to be taken in, and until it has applied that it was. */
  get belongs(): boolean {
    return this.#belongs;
  }

  /** Who is a member as the log has it, and who is one as far as it was applied. */
  get known(): readonly Member[] {
    const { members } = this.#inForce;
    const others = this.#current.members.filter(
      ({ id }) => !members.some((each) => each.id === id),
    );
    return [...members, ...others];
  }

  nameOf(id: NodeId | null): string | null {
    return this.known.find((member) => member.id === id)?.name ?? null;
  }

  /** Whoever is {@link known}, with the addresses at which this node reaches them. */
  get reachable(): readonly Member[] {
    return this.known.map((member) => this.#addresses.reachable(member));
  }

  /** Where clients reach a member; null for who is none. */
  clientAddressOf(id: NodeId | null): string | null {
    return this.reachable.find((member) => member.id === id)?.clientAddress ?? null;
  }

  /** Where clients reach the members. */
  get clientAddresses(): readonly string[] {
    return this.shown.members.map(({ clientAddress }) => clientAddress);
  }

  /** {@link current}, with the addresses at which this node reaches the members. */
  get shown(): Membership {
    const members = this.#current.members.map((member) => this.#addresses.reachable(member));
    return { ...this.#current, members };
  }

  /** This node keeps a link to it, or tries to. */
  isPeer(id: NodeId): boolean {
    return this.#dialled.has(id);
  }

  /** Nodes that ask to join, and names that are invited and did not come yet, as far as this node knows. */
  get waiting(): { readonly asking: readonly Member[]; readonly awaited: readonly string[] } {
    const nowMs = this.#options.ports.nowMs();
    const invitations = this.#invitations;
    return { asking: invitations.asking(nowMs), awaited: invitations.awaited(nowMs) };
  }

  get #invitations(): Invitations {
    const { invitations } = this.#keeper;
    invitations.onTerm(this.#options.ports.status().term);
    return invitations;
  }

  start(): void {
    const { ports } = this.#options;
    const { membership, appliedIndex } = ports.status();
    this.#inForce = membership;
    if (this.#belongs) ports.onMember(appliedIndex);
    this.#retarget();
  }

  /** A membership was applied, or came with a snapshot, at `index`. */
  onApplied(membership: Membership, index: LogIndex): void {
    const { self, logger, ports } = this.#options;
    const belonged = this.#belongs;
    this.#current = membership;
    this.#inForce = ports.status().membership;
    this.#belongs ||= isMember(membership, self.id);
    if (this.#belongs && !belonged) ports.onMember(index);
    this.#keeper.onApplied(membership);
    this.#options.acquaintances.catchUp(index);
    this.#retarget();
    logger.info({ voters: membership.voters.length }, "the membership changed");
    if (!belonged || isMember(membership, self.id)) return;
    const { leader } = ports.status();
    const isMemberSince = isMember(this.#inForce, self.id);
    if (isMemberSince || (leader !== null && leader !== self.id)) {
      // Its own log may say so. And a leader sends nothing to who is no member: who hears of its own removal from one was
      // taken in again since.
      reached("removal_before_it_was_taken_in_again");
      return;
    }
    reached("node_learned_of_its_removal");
    ports.onRemoved(new ServerError("REMOVED", "this node was removed from the ensemble"));
  }

  /** Somebody who is no member here is one where more was applied: whoever leads there has to be answered. */
  onAcquainted(): void {
    this.#retarget();
  }

  /** A node asks to be taken in; `isFirstHand`: it told this node itself. */
  onJoinRequest(request: JoinRequest, isFirstHand: boolean): void {
    const { ports, self } = this.#options;
    this.#keeper.onRequest(request, this.#current, ports.nowMs());
    const { leader } = ports.status();
    if (!isFirstHand || leader === null || leader === self.id) return;
    // Not everybody who asks knows everybody: the leader may hear of it only from here.
    reached("join_request_passed_on");
    ports.send(leader, { kind: "joinRequest", request });
  }

  /**
   * Called every now and then: who is new in the log is dialled, and so is whoever may know of a leader while there is none;
   * a leader proposes what is due.
   */
  keep(): void {
    const { ports } = this.#options;
    const { membership, leader, term } = ports.status();
    this.#keeper.invitations.onTerm(term);
    const wasLost = this.#isLost;
    this.#noteLeader(leader);
    if (membership !== this.#inForce || this.#isLost !== wasLost) {
      this.#inForce = membership;
      this.#retarget();
    }
    if (!ports.isLeading()) return;
    const next = this.#keeper.next(this.#view());
    if (next === null || this.#handsOverBefore(next)) return;
    ports.step({ kind: "proposeMembership", membership: next });
  }

  #noteLeader(leader: NodeId | null): void {
    const { electionTimeoutMs, ports } = this.#options;
    const nowMs = ports.nowMs();
    if (leader !== null) this.#leaderSeenMs = nowMs;
    this.#isLost = nowMs - this.#leaderSeenMs >= LOST_ELECTION_TIMEOUTS * electionTimeoutMs;
    if (this.#isLost) reached("leader_missed_for_long");
  }

  /**
   * Begins what an operator wants, or with `dryRun` only says what it would do. Throws NOT_LEADER, also while the lead is on
   * its way to another node, CHANGE_PENDING, and what {@link planCommand} does.
   */
  command(command: MemberCommand, dryRun: boolean): MemberPlan {
    const { ports } = this.#options;
    if (!ports.isLeading()) throw notLeader();
    const view = this.#view();
    const plan = planCommand(command, view, this.#invitations);
    if (!dryRun) this.#begin(plan.step, view.nowMs);
    return plan;
  }

  #begin(step: PlanStep, nowMs: number): void {
    const invitations = this.#invitations;
    switch (step.kind) {
      case "nothing":
        return;
      case "invite":
        invitations.invite(step.name, step.promotion, nowMs, step.otherwise);
        return;
      case "withdraw":
        invitations.withdraw(step.name);
        this.#options.logger.info({ member: step.name }, INVITATION_WITHDRAWN);
        return;
      case "propose": {
        if (this.#handsOverBefore(step.membership)) throw handsOver();
        const { membership } = step;
        const result = this.#options.ports.step({ kind: "proposeMembership", membership });
        if (!result.ok) {
          reached("membership_change_refused_by_core");
          throw refusal(result.reason);
        }
        return;
      }
    }
  }

  /**
   * A leader does not take itself out while another voter can lead: the others would wait for an election. True: leadership
   * is on its way to somebody else, who will do it. Who did not take over is not asked a second time in this term: waiting for
   * an election is better than never to get anywhere.
   */
  #handsOverBefore(next: Membership): boolean {
    const { ports, self } = this.#options;
    if (isVoter(next, self.id)) return false;
    const { term, transferringTo } = ports.status();
    if (transferringTo !== null) {
      reached("removal_waits_for_transfer_of_lead");
      return true;
    }
    if (this.#heirs?.term !== term) this.#heirs = { term, asked: new Set() };
    const { asked } = this.#heirs;
    const heir = ports.successor((id) => isVoter(next, id) && !asked.has(id));
    if (heir === null) {
      if (asked.size > 0) reached("removal_no_heir_took_over_before");
      return false;
    }
    if (!ports.step({ kind: "transferLeadership", to: heir }).ok) return false;
    asked.add(heir);
    return true;
  }

  #view(): MembershipView {
    const { ports, self } = this.#options;
    const { term, membership, commitIndex, isMembershipPending, peers } = ports.status();
    return {
      self: self.id,
      term,
      membership,
      commitIndex,
      changePending: isMembershipPending,
      peers,
      nowMs: ports.nowMs(),
    };
  }

  #retarget(): void {
    const { acquaintances, configured, ports } = this.#options;
    const targets = new Map<string, PeerTarget>();
    const isLooking = !this.#belongs || this.#isLost;
    if (isLooking) {
      for (const { name, peerAddress } of configured)
        targets.set(name, { id: null, name, peerAddress });
    }
    for (const member of [...this.known].reverse()) {
      const addresses = this.#addresses;
      targets.set(
        member.name,
        isLooking ? addresses.anywhere(member) : addresses.reachable(member),
      );
    }
    for (const member of acquaintances.members) {
      targets.set(member.name, this.#addresses.reachable(member));
    }
    this.#dialled = new Set([...targets.values()].map(({ id }) => id));
    ports.setTargets([...targets.values()]);
  }
}

function notLeader(): ServerError {
  return new ServerError("NOT_LEADER", "this node does not lead the ensemble");
}

/** Whoever leads next takes the command: it is worth asking again. */
function handsOver(): ServerError {
  return new ServerError("NOT_LEADER", "the lead is on its way to another node");
}

function refusal(reason: RejectReason): ServerError {
  if (reason === "leaderTransferring") return handsOver();
  if (reason === "notLeader") return notLeader();
  return new ServerError("CHANGE_PENDING", "another change of the membership is under way");
}
