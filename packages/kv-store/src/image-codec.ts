import { assert } from "./assert.ts";
import { DIGEST_DIGITS, DigestSum, Hasher, ITEM } from "./digest.ts";
import { failImage } from "./image-error.ts";
import { parseImageKey, type ImageKey } from "./image-keys.ts";
import { packValue, unpackValue } from "./protocol/codec-bytes.ts";
import { readAckedSeq } from "./protocol/codec-client.ts";
import { readOutcome, readStat, readText, writeOutcome, writeStat } from "./protocol/codec-op.ts";
import {
  malformed,
  readBytes,
  readInteger,
  readString,
  readTuple,
  readZxid,
} from "./protocol/codec-value.ts";
import { PROTOCOL_LIMITS, type WriteOutcome, type Zxid } from "./protocol/index.ts";
import { ProtocolError } from "./protocol/protocol-error.ts";
import { ValueReader } from "./protocol/value-reader.ts";
import type { ValueWriter } from "./protocol/value-writer.ts";
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

const CONTENDER_FORMATS: readonly (ContenderFormat | null)[] = [null, "quorate"];

export function encodeMeta(meta: ImageMeta): Uint8Array {
  assert(meta.oldestZxid <= meta.zxid, "change_log_ends_with_the_state");
  return packValue([IMAGE_VERSION, ...metaFields(meta), sealOf(meta)]);
}

/**
 * Has `read` take one record of an image, whose key says what it holds. Fails with BAD_RECORD where key or value are not of this
 * format.
 */
export function readImageRecord(key: string, read: (key: ImageKey) => void): void {
  const parsed = parseImageKey(key);
  if (parsed === null) failImage("BAD_RECORD", `unknown key ${key}`);
  try {
    read(parsed);
  } catch (error) {
    if (error instanceof ProtocolError) failImage("BAD_RECORD", `${key}: ${error.message}`);
    throw error;
  }
}

/** Fails with UNKNOWN_FORMAT for another format version. */
export function decodeMeta(bytes: Uint8Array): ImageMeta {
  const value = unpackValue(bytes, 0);
  if (!Array.isArray(value)) malformed("meta is no list");
  if (value[0] !== IMAGE_VERSION) failImage("UNKNOWN_FORMAT", "another image version");
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

const reader = new ValueReader();

export function encodeZnode(writer: ValueWriter, image: ZnodeImage): Uint8Array {
  assert(image.data.length === image.stat.dataBytes, "data_bytes_counted");
  writer.begin();
  writer.list(4);
  writer.bytes(image.data);
  writeStat(writer, image.stat);
  writer.integer(image.created);
  writer.integer(CONTENDER_FORMATS.indexOf(image.contenderFormat));
  return writer.finish();
}

export function decodeZnode(bytes: Uint8Array): ZnodeImage {
  reader.open(bytes, 0);
  reader.tuple(4);
  const image = {
    data: reader.bytes(PROTOCOL_LIMITS.dataBytesMax),
    stat: readStat(reader),
    created: reader.integer(),
    contenderFormat: reader.choice(CONTENDER_FORMATS),
  };
  reader.close();
  if (image.data.length !== image.stat.dataBytes) malformed("data of another length");
  return image;
}

export function encodeSession(record: SessionRecord): Uint8Array {
  const { attach } = record;
  assert(record.verifier.length <= VERIFIER_BYTES_MAX, "verifier_bounded");
  assert(record.ackedSeq <= record.lastWriteSeq, "acked_what_was_written");
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
  const record = {
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
  if (record.ackedSeq > record.lastWriteSeq) malformed("acknowledged what was not written");
  if (record.epoch < 1) malformed("a session that was never attached");
  if (record.attachZxid > record.lastActZxid) malformed("a session attached after its last act");
  return record;
}

export function encodeReply(writer: ValueWriter, outcome: WriteOutcome): Uint8Array {
  writer.begin();
  writeOutcome(writer, outcome);
  return writer.finish();
}

export function decodeReply(bytes: Uint8Array): WriteOutcome {
  reader.open(bytes, 0);
  const outcome = readOutcome(reader);
  reader.close();
  return outcome;
}
