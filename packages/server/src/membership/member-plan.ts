import {
  isLearner,
  isVoter,
  membersMax,
  nodeId,
  type Member,
  type Membership,
  type NodeId,
  type Promotion,
} from "@quorate/raft";
import { ServerError } from "../errors.ts";
import { memberById, memberNamed } from "./formation.ts";
import type { Invitations } from "./invitations.ts";
import type { MemberCommand } from "./member-command.ts";
import { isActiveIn, type MembershipView } from "./membership-keeper.ts";
import {
  isToReplace,
  promoted,
  withLearner,
  withMember,
  withoutMember,
} from "./membership-steps.ts";
import { losesQuorum, silentVoters, toleranceOf, type Tolerance } from "./tolerance.ts";

/** Stands for a node whose id is not known yet where its effect is counted. Never proposed. */
const NOBODY = nodeId(Number.MAX_SAFE_INTEGER);

/** How a command is begun. */
export type PlanStep =
  /** Nothing is left to do. */
  | { readonly kind: "nothing" }
  | {
      readonly kind: "invite";
      readonly name: string;
      readonly promotion: Promotion;
      /** Instead, if whoever it is to replace has gone before it comes. */
      readonly otherwise: Promotion;
    }
  | { readonly kind: "withdraw"; readonly name: string }
  | { readonly kind: "propose"; readonly membership: Membership };

/** What a command would do. */
export interface MemberPlan {
  readonly step: PlanStep;
  /** Now, and when everything that follows from the command is done. */
  readonly before: Tolerance;
  readonly after: Tolerance;
}

/**
 * Looks at what a command would do to the membership that a leader sees; changes nothing. Throws MEMBER_UNKNOWN,
 * MEMBER_EXISTS, REQUEST_INVALID where there is no room, and QUORUM_AT_RISK for a change after which the voters that are heard of now could decide nothing.
 */
export function planCommand(
  command: MemberCommand,
  view: MembershipView,
  invitations: Pick<Invitations, "isInvited">,
): MemberPlan {
  const { membership } = view;
  switch (command.kind) {
    case "add":
      return planAdd(command, view);
    case "promote": {
      const member = knownMember(membership, command.name);
      if (isVoter(membership, member.id)) return planned(view, { kind: "nothing" }, membership);
      const willVote: Member = { ...member, promotion: { kind: "voter" } };
      const next = withMember(membership, willVote);
      return planned(view, { kind: "propose", membership: next }, settled(next, member.id));
    }
    case "remove": {
      const isOnlyInvited =
        memberNamed(membership, command.name) === undefined &&
        invitations.isInvited(command.name, view.nowMs);
      if (isOnlyInvited) {
        return planned(view, { kind: "withdraw", name: command.name }, membership);
      }
      const next = withoutMember(membership, knownMember(membership, command.name).id);
      refuseRisk(view, next, `without ${command.name}`);
      return planned(view, { kind: "propose", membership: next }, next);
    }
    case "replace":
      return planReplace(command, view);
  }
}

function planAdd(
  { name, staysLearner }: Extract<MemberCommand, { readonly kind: "add" }>,
  view: MembershipView,
): MemberPlan {
  refuseKnown(view.membership, name);
  refuseMore(view.membership);
  const promotion: Promotion = staysLearner ? { kind: "none" } : { kind: "voter" };
  const joined = withLearner(view.membership, placeholder(name, promotion));
  const step = { kind: "invite", name, promotion, otherwise: promotion } as const;
  return planned(view, step, settled(joined, NOBODY));
}

function planReplace(
  { name, by }: Extract<MemberCommand, { readonly kind: "replace" }>,
  view: MembershipView,
): MemberPlan {
  const { membership } = view;
  const replaced = knownMember(membership, name);
  const promotion: Promotion = { kind: "replacement", of: replaced.id };
  const present = memberNamed(membership, by);
  if (present === undefined) {
    refuseMore(membership);
    const after = settled(withLearner(membership, placeholder(by, promotion)), NOBODY);
    const otherwise: Promotion = { kind: isVoter(after, NOBODY) ? "voter" : "none" };
    return planned(view, { kind: "invite", name: by, promotion, otherwise }, after);
  }
  if (present.id === replaced.id || isVoter(membership, present.id)) throw exists(by);
  const next = withMember(freed(replaced, present, membership), { ...present, promotion });
  return planned(view, { kind: "propose", membership: next }, settled(next, present.id));
}

/** Whoever was to replace its own successor is to be nothing any more. */
function freed(replaced: Member, by: Member, membership: Membership): Membership {
  if (!isToReplace(replaced, by.id)) return membership;
  return withMember(membership, { ...replaced, promotion: { kind: "none" } });
}

/** `id` has become all that it is to become. */
function settled(membership: Membership, id: NodeId): Membership {
  const member = memberById(membership, id);
  if (member === undefined || !isLearner(membership, id)) return membership;
  return member.promotion.kind === "none" ? membership : settled(promoted(membership, member), id);
}

function placeholder(name: string, promotion: Promotion): Member {
  return { id: NOBODY, name, peerAddress: "", clientAddress: "", promotion };
}

function planned(view: MembershipView, step: PlanStep, final: Membership): MemberPlan {
  const isActive = isActiveIn(view);
  return {
    step,
    before: toleranceOf(view.membership, isActive),
    // Who is to come does come before it votes.
    after: toleranceOf(final, (id) => id === NOBODY || isActive(id)),
  };
}

function refuseRisk(view: MembershipView, next: Membership, what: string): void {
  if (next.voters.length === 0) {
    throw new ServerError("QUORUM_AT_RISK", `${what} nobody would be left to vote`);
  }
  const isActive = isActiveIn(view);
  if (!losesQuorum(next, isActive)) return;
  const { quorum, voters } = toleranceOf(next, isActive);
  throw new ServerError(
    "QUORUM_AT_RISK",
    `${what} ${quorum} of ${voters.join(", ")} would have to answer, and ${silentVoters(next, isActive).join(", ")} ` +
      "does not; start it, or replace it by another node first",
  );
}

function knownMember(membership: Membership, name: string): Member {
  const member = memberNamed(membership, name);
  if (member !== undefined) return member;
  const names = membership.members.map((each) => each.name).sort();
  throw new ServerError(
    "MEMBER_UNKNOWN",
    `${name} is no member; the members are ${names.join(", ")}`,
  );
}

function refuseKnown(membership: Membership, name: string): void {
  if (memberNamed(membership, name) !== undefined) throw exists(name);
}

function refuseMore({ members }: Membership): void {
  if (members.length < membersMax) return;
  throw new ServerError("REQUEST_INVALID", `an ensemble has at most ${membersMax} members`);
}

function exists(name: string): ServerError {
  return new ServerError("MEMBER_EXISTS", `${name} is a member already`);
}
