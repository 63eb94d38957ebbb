import { logIndex, type LogIndex } from "@quorate/raft";
import { DISK_ROOMS, type DiskRoom } from "../disk-watch.ts";
import type { JoinRequest } from "../membership/join-request.ts";
import { ByteReader, violation } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import type { PeerEnvelope } from "./envelope.ts";
import {
  memberBytes,
  readMember,
  readSnapshotMeta,
  writeMember,
  writeSnapshotMeta,
} from "./membership-codec.ts";
import { messageBytes, readMessage, writeMessage, type BlockFor } from "./message-codec.ts";

export type { BlockFor } from "./message-codec.ts";

/** First byte of a frame of envelopes; the others are in `greeting-codec`. */
export const ENVELOPES_FRAME = 3;

const KINDS = {
  raft: 1,
  proposals: 2,
  proposalsRefused: 3,
  touches: 4,
  touchesNoted: 5,
  snapshotChunk: 6,
  snapshotAck: 7,
  digest: 8,
  joinRequest: 9,
  disk: 10,
  leave: 11,
  leaveAnswer: 12,
} as const satisfies Readonly<Record<PeerEnvelope["kind"], number>>;

const JOIN_REQUESTS = ["join", "rejoin"] as const;

const REFUSALS = ["notLeader", "overloaded", "diskFull", "notReady", "diskExhausted"] as const;

/** Envelopes of one frame; commands of one batch; records of one snapshot piece. */
export const ENVELOPES_MAX = 65_536;
const COMMANDS_MAX = 1_048_576;
const RECORDS_MAX = 65_536;
const SESSIONS_MAX = 1_048_576;
const KEY_BYTES_MAX = 4096;
const DIGEST_BYTES_MAX = 256;

/** Bytes an envelope takes in a frame; generous where the exact number would cost too much. */
export function envelopeBytes(envelope: PeerEnvelope): number {
  switch (envelope.kind) {
    case "raft":
      return messageBytes(envelope.message);
    case "proposals": {
      let bytes = 16;
      for (const command of envelope.commands) bytes += command.length + 4;
      return bytes;
    }
    case "touches":
      return 16 + envelope.sessions.length * 8;
    case "touchesNoted":
      return 16 + envelope.unknown.length * 8;
    case "snapshotChunk":
      return chunkBytes(envelope);
    case "joinRequest":
      return 2 + memberBytes(envelope.request.member);
    case "proposalsRefused":
    case "snapshotAck":
    case "disk":
    case "leave":
    case "leaveAnswer":
      return 32;
    case "digest":
    default:
      return 32 + envelope.digest.length * 3;
  }
}

function chunkBytes(chunk: Extract<PeerEnvelope, { readonly kind: "snapshotChunk" }>): number {
  let bytes = 64;
  if (chunk.header !== null) {
    // The message names the same snapshot again.
    bytes += messageBytes(chunk.header.message) * 2;
  }
  for (const [key, value] of chunk.records) bytes += 8 + key.length * 3 + value.length;
  return bytes;
}

/**
 * One frame out of envelopes, in order. `blockFor` is asked once for each appendEntries with entries, so that what was
 * encoded for the disk need not be encoded again. Copied once, into the frame.
 */
export function encodePeerFrame(
  envelopes: readonly PeerEnvelope[],
  blockFor: BlockFor,
): Uint8Array {
  let capacity = 1;
  for (const envelope of envelopes) capacity += envelopeBytes(envelope);
  const writer = new ByteWriter(capacity);
  writer.u8(ENVELOPES_FRAME);
  for (const envelope of envelopes) writeEnvelope(writer, envelope, blockFor);
  return writer.finish();
}

/**
 * The envelopes of a frame. Bytes in them are views into it. Every number is checked; throws PEER_PROTOCOL and nothing
 * else, and takes no more memory than a small multiple of the frame.
 */
export function decodePeerFrame(frame: Uint8Array): PeerEnvelope[] {
  const reader = new ByteReader(frame);
  if (reader.u8() !== ENVELOPES_FRAME) throw violation("the frame carries no envelopes");
  const envelopes: PeerEnvelope[] = [];
  while (reader.remaining > 0) {
    if (envelopes.length >= ENVELOPES_MAX) throw violation("the frame has too many envelopes");
    envelopes.push(readEnvelope(reader));
  }
  return envelopes;
}

function writeEnvelope(writer: ByteWriter, envelope: PeerEnvelope, blockFor: BlockFor): void {
  writer.u8(KINDS[envelope.kind]);
  switch (envelope.kind) {
    case "raft":
      writeMessage(writer, envelope.message, blockFor);
      return;
    case "proposals":
      writer.u53(envelope.batch);
      writer.u32(envelope.commands.length);
      for (const command of envelope.commands) writer.bytes(command);
      return;
    case "proposalsRefused":
      writer.u53(envelope.batch);
      writer.u8(REFUSALS.indexOf(envelope.reason));
      writer.u53(Math.ceil(envelope.retryAfterMs));
      return;
    case "touches":
      writer.u53(envelope.batch);
      writeNumbers(writer, envelope.sessions);
      return;
    case "touchesNoted":
      writer.u53(envelope.batch);
      writeNumbers(writer, envelope.unknown);
      return;
    case "snapshotChunk":
      writeChunk(writer, envelope, blockFor);
      return;
    case "snapshotAck":
      writer.u53(envelope.transfer);
      writer.u53(envelope.sequence);
      writer.bool(envelope.ok);
      return;
    case "joinRequest":
      writer.u8(JOIN_REQUESTS.indexOf(envelope.request.kind));
      writeMember(writer, envelope.request.member);
      return;
    case "disk":
      writer.u8(DISK_ROOMS.indexOf(envelope.room));
      return;
    case "leave":
      writer.u53(envelope.question);
      return;
    case "leaveAnswer":
      writer.u53(envelope.question);
      writer.bool(envelope.ok);
      return;
    case "digest":
      writer.u53(envelope.index);
      writer.text(envelope.digest);
      return;
  }
}

function readEnvelope(reader: ByteReader): PeerEnvelope {
  const kind = reader.u8();
  switch (kind) {
    case KINDS.raft:
      return { kind: "raft", message: readMessage(reader) };
    case KINDS.proposals:
      return { kind: "proposals", batch: reader.u53(), commands: readCommands(reader) };
    case KINDS.proposalsRefused:
      return {
        kind: "proposalsRefused",
        batch: reader.u53(),
        reason: readRefusal(reader),
        retryAfterMs: reader.u53(),
      };
    case KINDS.touches:
      return { kind: "touches", batch: reader.u53(), sessions: readNumbers(reader) };
    case KINDS.touchesNoted:
      return { kind: "touchesNoted", batch: reader.u53(), unknown: readNumbers(reader) };
    case KINDS.snapshotChunk:
      return readChunk(reader);
    case KINDS.snapshotAck:
      return {
        kind: "snapshotAck",
        transfer: reader.u53(),
        sequence: reader.u53(),
        ok: reader.bool(),
      };
    case KINDS.joinRequest:
      return {
        kind: "joinRequest",
        request: { kind: readJoinKind(reader), member: readMember(reader) },
      };
    case KINDS.disk:
      return { kind: "disk", room: readDiskRoom(reader) };
    case KINDS.leave:
      return { kind: "leave", question: reader.u53() };
    case KINDS.leaveAnswer:
      return { kind: "leaveAnswer", question: reader.u53(), ok: reader.bool() };
    case KINDS.digest:
      return { kind: "digest", index: readIndex(reader), digest: reader.text(DIGEST_BYTES_MAX) };
    default:
      throw violation(`envelope kind ${kind} is unknown`);
  }
}

function readJoinKind(reader: ByteReader): JoinRequest["kind"] {
  const kind = JOIN_REQUESTS[reader.u8()];
  if (kind === undefined) throw violation("a join request is of an unknown kind");
  return kind;
}

function readIndex(reader: ByteReader): LogIndex {
  return logIndex(reader.u53());
}

function readCommands(reader: ByteReader): readonly Uint8Array[] {
  // An empty command does not exist, so each takes its length and at least one byte.
  const count = reader.count(COMMANDS_MAX, 5);
  const commands: Uint8Array[] = [];
  for (let at = 0; at < count; at += 1) {
    const command = reader.bytes();
    if (command.length === 0) throw violation("a command is empty");
    commands.push(command);
  }
  return commands;
}

function readDiskRoom(reader: ByteReader): DiskRoom {
  const room = DISK_ROOMS[reader.u8()];
  if (room === undefined) throw violation("a disk has an unknown room");
  return room;
}

function readRefusal(reader: ByteReader): (typeof REFUSALS)[number] {
  const reason = REFUSALS[reader.u8()];
  if (reason === undefined) throw violation("a refusal has an unknown reason");
  return reason;
}

function writeNumbers(writer: ByteWriter, numbers: readonly number[]): void {
  writer.u32(numbers.length);
  for (const number of numbers) writer.u53(number);
}

function readNumbers(reader: ByteReader): readonly number[] {
  const count = reader.count(SESSIONS_MAX, 8);
  const numbers: number[] = [];
  for (let at = 0; at < count; at += 1) numbers.push(reader.u53());
  return numbers;
}

function writeChunk(
  writer: ByteWriter,
  chunk: Extract<PeerEnvelope, { readonly kind: "snapshotChunk" }>,
  blockFor: BlockFor,
): void {
  writer.u53(chunk.transfer);
  writer.u53(chunk.sequence);
  writer.bool(chunk.last);
  writer.u53(chunk.checksum);
  writer.bool(chunk.header !== null);
  if (chunk.header !== null) {
    writeSnapshotMeta(writer, chunk.header.meta);
    writeMessage(writer, chunk.header.message, blockFor);
  }
  writer.u32(chunk.records.length);
  for (const [key, value] of chunk.records) {
    writer.text(key);
    writer.bytes(value);
  }
}

function readChunk(reader: ByteReader): PeerEnvelope {
  const transfer = reader.u53();
  const sequence = reader.u53();
  const last = reader.bool();
  const checksum = reader.u53();
  const header = reader.bool() ? readChunkHeader(reader) : null;
  const count = reader.count(RECORDS_MAX, 8);
  const records: (readonly [string, Uint8Array])[] = [];
  for (let at = 0; at < count; at += 1) records.push([reader.text(KEY_BYTES_MAX), reader.bytes()]);
  return { kind: "snapshotChunk", transfer, sequence, header, records, last, checksum };
}

function readChunkHeader(
  reader: ByteReader,
): NonNullable<Extract<PeerEnvelope, { readonly kind: "snapshotChunk" }>["header"]> {
  const meta = readSnapshotMeta(reader);
  const message = readMessage(reader);
  if (message.kind !== "installSnapshot") throw violation("a snapshot begins with another message");
  return { meta, message };
}
