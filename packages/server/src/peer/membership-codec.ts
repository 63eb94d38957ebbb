import {
  logIndex,
  membersMax,
  nodeId,
  term,
  validateMembership,
  type Member,
  type Membership,
  type NodeId,
  type Promotion,
  type SnapshotMeta,
} from "@quorate/raft";
import { parseAddresses } from "../config/address.ts";
import { violation, type ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

/** UTF-8 bytes of a name or of the addresses of a node. */
export const WIRE_TEXT_BYTES_MAX = 2048;

/** Writes what a snapshot stands for. */
export function writeSnapshotMeta(writer: ByteWriter, meta: SnapshotMeta): void {
  writer.u53(meta.index);
  writer.u53(meta.term);
  writeIds(writer, meta.membership.voters);
  writeIds(writer, meta.membership.outgoingVoters);
  writeIds(writer, meta.membership.learners);
  writer.u32(meta.membership.members.length);
  for (const member of meta.membership.members) writeMember(writer, member);
}

/** Reads it back; the membership is validated. Throws PEER_PROTOCOL. */
export function readSnapshotMeta(reader: ByteReader): SnapshotMeta {
  const index = logIndex(reader.u53());
  const snapshotTerm = term(reader.u53());
  return { index, term: snapshotTerm, membership: readMembership(reader) };
}

/** A node id, which is above 0. Throws PEER_PROTOCOL. */
export function readNodeId(reader: ByteReader): NodeId {
  const value = reader.u53();
  if (value === 0) throw violation("a node id is 0");
  return nodeId(value);
}

function writeIds(writer: ByteWriter, ids: readonly NodeId[]): void {
  writer.u32(ids.length);
  for (const id of ids) writer.u53(id);
}

function readIds(reader: ByteReader): readonly NodeId[] {
  const count = reader.count(membersMax, 8);
  const ids: NodeId[] = [];
  for (let at = 0; at < count; at += 1) ids.push(readNodeId(reader));
  return ids;
}

function readMembership(reader: ByteReader): Membership {
  const voters = readIds(reader);
  const outgoingVoters = readIds(reader);
  const learners = readIds(reader);
  const count = reader.count(membersMax, 20);
  const members: Member[] = [];
  for (let at = 0; at < count; at += 1) members.push(readMember(reader));
  const membership = { voters, outgoingVoters, learners, members };
  checkMembership(membership);
  return membership;
}

/** Throws PEER_PROTOCOL for a membership that no node may propose: the core relies on its parts fitting each other. */
export function checkMembership(membership: Membership): void {
  const problem = validateMembership(membership);
  if (problem !== null) throw violation(`a membership is invalid: ${problem}`);
}

// What a learner becomes, as a byte; after `REPLACEMENT` comes the id.
const NONE = 0;
const VOTER = 1;
const REPLACEMENT = 2;

/** Bytes that a member takes at most. */
export function memberBytes({ name, peerAddress, clientAddress }: Member): number {
  return 29 + (name.length + peerAddress.length + clientAddress.length) * 3;
}

/** Writes one member. */
export function writeMember(writer: ByteWriter, member: Member): void {
  writer.u53(member.id);
  writer.text(member.name);
  writer.text(member.peerAddress);
  writer.text(member.clientAddress);
  writePromotion(writer, member.promotion);
}

/** Reads it back. Throws PEER_PROTOCOL. */
export function readMember(reader: ByteReader): Member {
  return {
    id: readNodeId(reader),
    name: reader.text(WIRE_TEXT_BYTES_MAX),
    peerAddress: readPeerAddress(reader),
    clientAddress: reader.text(WIRE_TEXT_BYTES_MAX),
    promotion: readPromotion(reader),
  };
}

function writePromotion(writer: ByteWriter, promotion: Promotion): void {
  switch (promotion.kind) {
    case "none":
      return writer.u8(NONE);
    case "voter":
      return writer.u8(VOTER);
    case "replacement":
      writer.u8(REPLACEMENT);
      return writer.u53(promotion.of);
  }
}

/** Where a node is dialled. Throws PEER_PROTOCOL for what nobody could dial, here or wherever it would be passed on to. */
export function readPeerAddress(reader: ByteReader): string {
  const text = reader.text(WIRE_TEXT_BYTES_MAX);
  try {
    parseAddresses(text, "peer address");
  } catch (error) {
    throw violation("a peer address is none", error);
  }
  return text;
}

function readPromotion(reader: ByteReader): Promotion {
  const kind = reader.u8();
  if (kind === NONE) return { kind: "none" };
  if (kind === VOTER) return { kind: "voter" };
  if (kind !== REPLACEMENT) throw violation("a promotion is of an unknown kind");
  return { kind: "replacement", of: readNodeId(reader) };
}
