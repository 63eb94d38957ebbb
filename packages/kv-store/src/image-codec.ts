import type { Change } from "./apply-outcome.ts";
import { DigestSum, Hasher, ITEM } from "./digest.ts";
import { packStat, readOutcome, readStat, packOutcome, readText } from "./protocol/codec-op.ts";
import { packValue, unpackValue } from "./protocol/codec-bytes.ts";
import { readAckedSeq } from "./protocol/codec-client.ts";
import {
  malformed,
  readBytes,
  readChoice,
  readInteger,
  readSessionId,
  readString,
  readTuple,
  readZxid,
} from "./protocol/codec-value.ts";
import { PROTOCOL_LIMITS, type WriteOutcome, type Zxid } from "./protocol/index.ts";
import type { SessionRecord } from "./session.ts";
import type { ContenderFormat, ZnodeImage } from "./znode.ts";

/** Version of the image's records. History: 1 = first. */
export const IMAGE_VERSION = 1;

/** Longest verifier. */
export const VERIFIER_BYTES_MAX = 64;

/** What the image says of itself. */
export interface ImageMeta {
  readonly zxid: Zxid | 0;
  readonly clockMs: number;
  readonly digest: string;
  readonly nodeCount: number;
  readonly sessionCount: number;
  readonly replyCount: number;
  readonly changeCount: number;
  readonly bytes: number;
  readonly oldestZxid: Zxid | 0;
  readonly bytesMax: number;
  readonly sessionsMax: number;
  readonly sessionEphemeralsMax: number;
}

const DIGEST_DIGITS = 16;
const CONTENDER_FORMATS: readonly (ContenderFormat | null)[] = [null, "quorate"];
const CHANGE_KINDS: readonly Change["kind"][] = ["created", "deleted", "dataChanged"];

export function encodeMeta(meta: ImageMeta): Uint8Array {
  return packValue([IMAGE_VERSION, ...metaFields(meta), sealOf(meta)]);
}

/** Null: of another format version. */
export function decodeMeta(bytes: Uint8Array): ImageMeta | null {
  const value = unpackValue(bytes, 0);
  if (!Array.isArray(value)) malformed("meta is no list");
  if (value[0] !== IMAGE_VERSION) return null;
  const fields = readTuple(value, 14);
  const meta = {
    zxid: readZxid(fields[1]),
    clockMs: readInteger(fields[2]),
    digest: readString(fields[3], DIGEST_DIGITS),
    nodeCount: readInteger(fields[4]),
    sessionCount: readInteger(fields[5]),
    replyCount: readInteger(fields[6]),
    changeCount: readInteger(fields[7]),
    bytes: readInteger(fields[8]),
    oldestZxid: readZxid(fields[9]),
    bytesMax: readInteger(fields[10]),
    sessionsMax: readInteger(fields[11]),
    sessionEphemeralsMax: readInteger(fields[12]),
  };
  if (readString(fields[13], DIGEST_DIGITS) !== sealOf(meta)) malformed("meta is not as written");
  return meta;
}

function metaFields(meta: ImageMeta): readonly (number | string)[] {
  return [
    meta.zxid,
    meta.clockMs,
    meta.digest,
    meta.nodeCount,
    meta.sessionCount,
    meta.replyCount,
    meta.changeCount,
    meta.bytes,
    meta.oldestZxid,
    meta.bytesMax,
    meta.sessionsMax,
    meta.sessionEphemeralsMax,
  ];
}

/** Covers what the digest does not: revision, counts, and where the change log begins. */
function sealOf(meta: ImageMeta): string {
  const hasher = new Hasher();
  hasher.begin(ITEM.meta);
  for (const field of metaFields(meta)) {
    if (typeof field === "string") hasher.string(field);
    else hasher.number(field);
  }
  hasher.end();
  return new DigestSum().render(hasher.a, hasher.b);
}

export function encodeZnode(image: ZnodeImage): Uint8Array {
  const format = CONTENDER_FORMATS.indexOf(image.contenderFormat);
  return packValue([image.data, packStat(image.stat), image.created, format]);
}

export function decodeZnode(bytes: Uint8Array): ZnodeImage {
  const [data, stat, created, format] = readTuple(unpackValue(bytes, 0), 4);
  const image = {
    data: readBytes(data, PROTOCOL_LIMITS.dataBytesMax),
    stat: readStat(stat),
    created: readInteger(created),
    contenderFormat: readChoice(format, CONTENDER_FORMATS),
  };
  if (image.data.length !== image.stat.dataBytes) malformed("data of another length");
  return image;
}

export function encodeSession(record: SessionRecord): Uint8Array {
  const { attach } = record;
  return packValue([
    record.verifier,
    record.timeoutMs,
    record.epoch,
    [attach.node, attach.address, attach.principal, attach.clientName],
    record.attachZxid,
    record.lastActZxid,
    record.lastWriteSeq,
    record.ackedSeq,
  ]);
}

export function decodeSession(bytes: Uint8Array): SessionRecord {
  const fields = readTuple(unpackValue(bytes, 0), 8);
  const [node, address, principal, clientName] = readTuple(fields[3], 4);
  return {
    verifier: readBytes(fields[0], VERIFIER_BYTES_MAX).slice(),
    timeoutMs: readInteger(fields[1]),
    epoch: readInteger(fields[2]),
    attach: {
      node: readInteger(node),
      address: readText(address),
      principal: readText(principal),
      clientName: readText(clientName),
    },
    attachZxid: readZxid(fields[4]),
    lastActZxid: readZxid(fields[5]),
    lastWriteSeq: readAckedSeq(fields[6]),
    ackedSeq: readAckedSeq(fields[7]),
  };
}

export function encodeReply(outcome: WriteOutcome): Uint8Array {
  return packValue(packOutcome(outcome));
}

export function decodeReply(bytes: Uint8Array): WriteOutcome {
  return readOutcome(unpackValue(bytes, 0));
}

/** Revision and index stand in the key. Data and stat of a deleted znode are what was before, and stand once. */
export function encodeChange(change: Change): Uint8Array {
  const isDeleted = change.kind === "deleted";
  const before = isDeleted ? null : change.before;
  return packValue([
    CHANGE_KINDS.indexOf(change.kind),
    change.path,
    change.data,
    packStat(change.stat),
    before === null ? null : before.data,
    before === null ? null : packStat(before.stat),
    change.author,
  ]);
}

/** `copy` keeps bytes that outlive the record. */
export function decodeChange(
  bytes: Uint8Array,
  zxid: Zxid,
  copy: (data: Uint8Array) => Uint8Array,
): Change {
  const fields = readTuple(unpackValue(bytes, 0), 7);
  const kind = readChoice(fields[0], CHANGE_KINDS);
  const data = copy(readBytes(fields[2], PROTOCOL_LIMITS.dataBytesMax));
  const stat = readStat(fields[3]);
  let before: Change["before"] = kind === "deleted" ? { data, stat } : null;
  if (kind === "dataChanged") {
    const dataBefore = copy(readBytes(fields[4], PROTOCOL_LIMITS.dataBytesMax));
    before = { data: dataBefore, stat: readStat(fields[5]) };
  }
  return {
    zxid,
    kind,
    path: readString(fields[1], PROTOCOL_LIMITS.pathBytesMax),
    data,
    stat,
    before,
    author: fields[6] === 0 ? 0 : readSessionId(fields[6]),
  };
}
