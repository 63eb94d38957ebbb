import {
  logIndex,
  nodeId,
  term,
  validateMembership,
  type Member,
  type Membership,
  type NodeId,
  type Promotion,
  type SnapshotMeta,
} from "@quorate/raft";
import { ServerError } from "../errors.ts";
import { encodeMembership } from "../storage/membership-codec.ts";

/** Key of the record in which the host keeps what an image stands for; the state machine's keys never begin so. */
export const IMAGE_META_KEY = "@image";
const IMAGE_META_VERSION = 1;

/** What an image stands for, beside the state machine's own records. */
export interface ImageMeta {
  readonly clusterId: string;
  readonly historyId: string;
  readonly snapshot: SnapshotMeta;
}

/** JSON, because it is written once a checkpoint and read by people. */
export function encodeImageMeta(meta: ImageMeta): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version: IMAGE_META_VERSION, ...meta }));
}

/** Throws `ServerError` IMAGE_CORRUPT or FORMAT_UNKNOWN. */
export function decodeImageMeta(bytes: Uint8Array): ImageMeta {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new ServerError("IMAGE_CORRUPT", "the image's meta record cannot be read", error);
  }
  const meta = record(value);
  if (meta["version"] !== IMAGE_META_VERSION) {
    throw new ServerError("FORMAT_UNKNOWN", `image format ${String(meta["version"])}`);
  }
  const snapshot = record(meta["snapshot"]);
  return {
    clusterId: text(meta["clusterId"]),
    historyId: text(meta["historyId"]),
    snapshot: {
      index: logIndex(count(snapshot["index"])),
      term: term(count(snapshot["term"])),
      membership: membershipOf(snapshot["membership"]),
    },
  };
}

/** True if both stand for the same entry and the same members. */
export function isSameSnapshot(a: SnapshotMeta, b: SnapshotMeta): boolean {
  if (a.index !== b.index || a.term !== b.term) return false;
  return Buffer.compare(encodeMembership(a.membership), encodeMembership(b.membership)) === 0;
}

function membershipOf(value: unknown): Membership {
  const fields = record(value);
  const membership: Membership = {
    voters: ids(fields["voters"]),
    outgoingVoters: ids(fields["outgoingVoters"]),
    learners: ids(fields["learners"]),
    members: list(fields["members"]).map(member),
  };
  const problem = validateMembership(membership);
  if (problem !== null) throw broken(`membership (${problem})`);
  return membership;
}

function broken(what: string): ServerError {
  return new ServerError("IMAGE_CORRUPT", `the image's meta record has no valid ${what}`);
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw broken("object");
  return Object.fromEntries(Object.entries(value));
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw broken("list");
  return value;
}

function text(value: unknown): string {
  if (typeof value !== "string") throw broken("text");
  return value;
}

function count(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw broken("number");
  return value;
}

function idOf(value: unknown): NodeId {
  const id = count(value);
  if (id === 0) throw broken("id");
  return nodeId(id);
}

function ids(value: unknown): readonly NodeId[] {
  return list(value).map(idOf);
}

function promotion(value: unknown): Promotion {
  const { kind, of } = record(value);
  if (kind === "none" || kind === "voter") return { kind };
  if (kind !== "replacement") throw broken("promotion");
  return { kind, of: idOf(of) };
}

function member(value: unknown): Member {
  const fields = record(value);
  return {
    id: idOf(fields["id"]),
    name: text(fields["name"]),
    peerAddress: text(fields["peerAddress"]),
    clientAddress: text(fields["clientAddress"]),
    promotion: promotion(fields["promotion"]),
  };
}
