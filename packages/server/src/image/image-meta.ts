import { logIndex, nodeId, term, type Member, type SnapshotMeta } from "@quorate/raft";
import { ServerError } from "../errors.ts";

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
  const membership = record(snapshot["membership"]);
  return {
    clusterId: text(meta["clusterId"]),
    historyId: text(meta["historyId"]),
    snapshot: {
      index: logIndex(count(snapshot["index"])),
      term: term(count(snapshot["term"])),
      membership: {
        voters: ids(membership["voters"]),
        outgoingVoters: ids(membership["outgoingVoters"]),
        learners: ids(membership["learners"]),
        members: list(membership["members"]).map(member),
      },
    },
  };
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

function ids(value: unknown): SnapshotMeta["membership"]["voters"] {
  return list(value).map((id) => nodeId(count(id)));
}

function member(value: unknown): Member {
  const fields = record(value);
  return {
    id: nodeId(count(fields["id"])),
    name: text(fields["name"]),
    peerAddress: text(fields["peerAddress"]),
    clientAddress: text(fields["clientAddress"]),
  };
}
