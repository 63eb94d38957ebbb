import { nodeId, type Member, type Membership, type NodeId, type Promotion } from "@quorate/raft";
import { Packr } from "msgpackr";

/** Bounds what a decoder builds before it knows better; far above any ensemble. */
const MEMBERS_MAX = 1024;
const packr = new Packr({ useRecords: false, moreTypes: false });

/** Bytes that are not a membership. */
export class MembershipCodecError extends Error {
  override readonly name = "MembershipCodecError";
}

/**
 * Positional: `[voters, outgoingVoters, learners, [[id, name, peerAddress, clientAddress, promotion], …]]`, where the
 * promotion is `false` (none), `true` (voter) or the id of the member that is replaced.
 */
export function encodeMembership(membership: Membership): Uint8Array {
  const members = membership.members.map((member) => [
    member.id,
    member.name,
    member.peerAddress,
    member.clientAddress,
    member.promotion.kind === "replacement"
      ? member.promotion.of
      : member.promotion.kind === "voter",
  ]);
  return Uint8Array.from(
    packr.pack([membership.voters, membership.outgoingVoters, membership.learners, members]),
  );
}

/** Throws {@link MembershipCodecError} and nothing else. The result holds no view of `bytes`. */
export function decodeMembership(bytes: Uint8Array): Membership {
  let value: unknown;
  try {
    value = packr.unpack(bytes);
  } catch (error) {
    throw new MembershipCodecError("a membership is not MessagePack", { cause: error });
  }
  const [voters, outgoingVoters, learners, members] = list(value, 4);
  const membership: Membership = {
    voters: list(voters).map(id),
    outgoingVoters: list(outgoingVoters).map(id),
    learners: list(learners).map(id),
    members: list(members).map(member),
  };
  return membership;
}

function list(value: unknown, length?: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new MembershipCodecError("a membership lacks a list");
  if (value.length > MEMBERS_MAX) throw new MembershipCodecError("a membership is too long");
  if (length !== undefined && value.length !== length) {
    throw new MembershipCodecError("a list of a membership has another length");
  }
  return value;
}

function id(value: unknown): NodeId {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) {
    throw new MembershipCodecError("a membership holds what is not a node id");
  }
  return nodeId(value);
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new MembershipCodecError("a member lacks a text");
  return value;
}

function promotion(value: unknown): Promotion {
  if (value === false) return { kind: "none" };
  return value === true ? { kind: "voter" } : { kind: "replacement", of: id(value) };
}

function member(value: unknown): Member {
  const [number, name, peerAddress, clientAddress, becomes] = list(value, 5);
  return {
    id: id(number),
    name: text(name),
    peerAddress: text(peerAddress),
    clientAddress: text(clientAddress),
    promotion: promotion(becomes),
  };
}
