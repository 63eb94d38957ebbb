import { logIndex, term, type Entry, type LogIndex, type Message, type Term } from "@quorate/raft";
import { decodeEntries } from "../storage/entry-codec.ts";
import { violation, type ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import {
  checkMembership,
  readNodeId,
  readSnapshotMeta,
  writeSnapshotMeta,
} from "./membership-codec.ts";

/** Gives the encoded form of entries; whoever has it already hands it out. */
export type BlockFor = (entries: readonly Entry[]) => Uint8Array;

/** Numbers of the kinds on the wire. Never reused for anything else. */
const KINDS = {
  requestVote: 1,
  requestVoteReply: 2,
  appendEntries: 3,
  appendEntriesReply: 4,
  heartbeat: 5,
  heartbeatReply: 6,
  readIndexRequest: 7,
  readIndexReply: 8,
  installSnapshot: 9,
  timeoutNow: 10,
  commitNotice: 11,
} as const satisfies Readonly<Record<Message["kind"], number>>;

const NO_ENTRIES: readonly Entry[] = [];
const NO_BLOCK = new Uint8Array(0);
/** What a message, an entry and a member take at most, but for what varies. */
const MESSAGE_BYTES = 128;
const ENTRY_BYTES = 16;
const MEMBER_BYTES = 512;

/** Writes one message of the core. `blockFor` is asked once if it has entries. */
export function writeMessage(writer: ByteWriter, message: Message, blockFor: BlockFor): void {
  writer.u8(KINDS[message.kind]);
  writer.u53(message.from);
  writer.u53(message.to);
  writer.u53(message.term);
  switch (message.kind) {
    case "requestVote":
      writer.bool(message.preVote);
      writer.bool(message.transfer);
      writer.u53(message.lastIndex);
      writer.u53(message.lastTerm);
      return;
    case "requestVoteReply":
      writer.bool(message.preVote);
      writer.bool(message.granted);
      return;
    case "appendEntries":
      writer.u53(message.prevIndex);
      writer.u53(message.prevTerm);
      writer.u53(message.commitIndex);
      writer.bytes(message.entries.length === 0 ? NO_BLOCK : blockFor(message.entries));
      return;
    case "appendEntriesReply":
      writer.bool(message.ok);
      writer.u53(message.matchIndex);
      writer.u53(message.rejectedIndex);
      writer.u53(message.hintIndex);
      writer.u53(message.hintTerm);
      return;
    case "heartbeat":
      writer.u53(message.commitIndex);
      writer.u53(message.commitTerm);
      writer.u53(message.round);
      return;
    case "commitNotice":
      writer.u53(message.commitIndex);
      return;
    case "heartbeatReply":
      writer.u53(message.round);
      writer.u53(message.promiseMs);
      return;
    case "readIndexRequest":
      writer.u53(message.context.nonce);
      writer.u53(message.context.counter);
      return;
    case "readIndexReply":
      writer.u53(message.context.nonce);
      writer.u53(message.context.counter);
      writer.bool(message.index !== null);
      writer.u53(message.index ?? 0);
      return;
    case "installSnapshot":
      writeSnapshotMeta(writer, message.snapshot);
      return;
    case "timeoutNow":
      return;
  }
}

/** Reads one message of the core. Throws PEER_PROTOCOL. */
export function readMessage(reader: ByteReader): Message {
  const kind = reader.u8();
  const from = readNodeId(reader);
  const to = readNodeId(reader);
  const base = { from, to, term: readTerm(reader) };
  switch (kind) {
    case KINDS.requestVote:
      return {
        kind: "requestVote",
        ...base,
        preVote: reader.bool(),
        transfer: reader.bool(),
        lastIndex: readIndex(reader),
        lastTerm: readTerm(reader),
      };
    case KINDS.requestVoteReply:
      return { kind: "requestVoteReply", ...base, preVote: reader.bool(), granted: reader.bool() };
    case KINDS.appendEntries:
      return readAppendEntries(reader, base);
    case KINDS.appendEntriesReply:
      return {
        kind: "appendEntriesReply",
        ...base,
        ok: reader.bool(),
        matchIndex: readIndex(reader),
        rejectedIndex: readIndex(reader),
        hintIndex: readIndex(reader),
        hintTerm: readTerm(reader),
      };
    case KINDS.heartbeat:
      return {
        kind: "heartbeat",
        ...base,
        commitIndex: readIndex(reader),
        commitTerm: readTerm(reader),
        round: reader.u53(),
      };
    case KINDS.commitNotice:
      return { kind: "commitNotice", ...base, commitIndex: readIndex(reader) };
    case KINDS.heartbeatReply:
      return {
        kind: "heartbeatReply",
        ...base,
        round: reader.u53(),
        promiseMs: reader.u53(),
      };
    case KINDS.readIndexRequest:
      return { kind: "readIndexRequest", ...base, context: readContext(reader) };
    case KINDS.readIndexReply:
      return readReadIndexReply(reader, base);
    case KINDS.installSnapshot:
      return { kind: "installSnapshot", ...base, snapshot: readSnapshotMeta(reader) };
    case KINDS.timeoutNow:
      return { kind: "timeoutNow", ...base };
    default:
      throw violation(`message kind ${kind} is unknown`);
  }
}

type Base = Pick<Message, "from" | "to" | "term">;

function readTerm(reader: ByteReader): Term {
  return term(reader.u53());
}

function readIndex(reader: ByteReader): LogIndex {
  return logIndex(reader.u53());
}

function readContext(reader: ByteReader): { readonly nonce: number; readonly counter: number } {
  return { nonce: reader.u53(), counter: reader.u53() };
}

function readReadIndexReply(reader: ByteReader, base: Base): Message {
  const context = readContext(reader);
  const known = reader.bool();
  const index = readIndex(reader);
  if (!known && index !== 0) throw violation("a refused read has an index");
  return { kind: "readIndexReply", ...base, context, index: known ? index : null };
}

function readAppendEntries(reader: ByteReader, base: Base): Message {
  const prevIndex = readIndex(reader);
  const prevTerm = readTerm(reader);
  const commitIndex = readIndex(reader);
  const block = reader.bytes();
  const entries = block.length === 0 ? NO_ENTRIES : readEntries(block);
  checkEntries(entries, { prevIndex, prevTerm, term: base.term });
  return { kind: "appendEntries", ...base, prevIndex, prevTerm, entries, commitIndex };
}

function readEntries(block: Uint8Array): readonly Entry[] {
  try {
    return decodeEntries(block);
  } catch (error) {
    throw violation("entries cannot be read", error);
  }
}

/** A log has no gaps and its terms never fall: what breaks that would break the core's invariants. */
function checkEntries(
  entries: readonly Entry[],
  before: { readonly prevIndex: LogIndex; readonly prevTerm: Term; readonly term: Term },
): void {
  let index: number = before.prevIndex;
  let last: number = before.prevTerm;
  for (const entry of entries) {
    index += 1;
    if (entry.index !== index) throw violation("entries are not consecutive");
    if (entry.term < last) throw violation("terms of entries fall");
    last = entry.term;
    if (entry.kind === "config") checkMembership(entry.membership);
  }
  if (last > before.term) throw violation("an entry is of a later term than its sender");
}

/** Bytes one message takes; a guess where there are texts. */
export function messageBytes(message: Message): number {
  if (message.kind === "installSnapshot") {
    return MESSAGE_BYTES + message.snapshot.membership.members.length * MEMBER_BYTES;
  }
  let bytes = MESSAGE_BYTES;
  if (message.kind !== "appendEntries") return bytes;
  for (const entry of message.entries) {
    bytes += ENTRY_BYTES;
    if (entry.kind === "command") bytes += entry.data.length;
    else if (entry.kind === "config") bytes += entry.membership.members.length * MEMBER_BYTES;
  }
  return bytes;
}
