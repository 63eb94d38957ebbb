import type { WatchHit } from "@quorate/kv-store";
import type {
  QueryReply,
  ServerMessage,
  WatchEvent,
  WriteOutcome,
} from "@quorate/kv-store/protocol";

/*
 * What messages need on the wire at most, beside the fixed cost that the outbox adds for each. Frames are cut by these
 * figures, so they may be too high but never too low: a text takes up to three bytes a unit, a number up to nine.
 */

const STAT_BYTES = 128;
const ITEM_BYTES = 32;
const NUMBER_BYTES = 9;
/** Of a watch's number beside an event. */
export const WATCH_ID_BYTES: number = NUMBER_BYTES;
/** A small object and what refers to it, in memory. */
const OBJECT_BYTES = 160;

/** Bytes of a text at most. */
export function textBytes(text: string): number {
  return 3 * text.length + 5;
}

/** Bytes of a list of addresses at most. */
export function addressBytes(servers: readonly string[]): number {
  return servers.reduce((bytes, server) => bytes + textBytes(server), 0);
}

/** Bytes of one event at most, beside the numbers of the watches it is for. */
export function eventBytes({ path, data }: WatchEvent): number {
  return ITEM_BYTES + textBytes(path) + (data === undefined ? 0 : data.length + STAT_BYTES);
}

/** Bytes of one event for one connection at most. */
export function hitBytes({ watchIds, event }: WatchHit): number {
  return eventBytes(event) + WATCH_ID_BYTES * watchIds.length;
}

/** Memory of one event for so many watches of one connection, about. */
export function hitHeapBytes(watches: number): number {
  return OBJECT_BYTES + NUMBER_BYTES * watches;
}

/**
 * Memory that a message has to itself until it leaves, about. Data and paths are there anyhow, once for everybody who is
 * told of them.
 */
export function heapBytes(message: ServerMessage): number {
  let bytes = OBJECT_BYTES;
  if (message.kind === "events") {
    for (const { watchIds } of message.events) bytes += hitHeapBytes(watchIds.length);
  } else if (message.kind === "readReply" && message.reply.ok) {
    const { value } = message.reply;
    if (value.kind === "children") bytes += NUMBER_BYTES * value.names.length;
    else if (value.kind === "sessions") bytes += OBJECT_BYTES * value.sessions.length;
  }
  return bytes;
}

/** Bytes of the answer to a query at most. */
export function replyBytes(reply: QueryReply): number {
  switch (reply.kind) {
    case "get":
      return STAT_BYTES + reply.data.length;
    case "children":
      return reply.names.reduce((bytes, name) => bytes + textBytes(name), STAT_BYTES);
    case "sessions":
      return reply.sessions.reduce(
        (bytes, info) => bytes + STAT_BYTES + textBytes(info.address) + textBytes(info.clientName),
        ITEM_BYTES,
      );
    case "holder":
      if (reply.holder === null) return ITEM_BYTES;
      return STAT_BYTES + textBytes(reply.holder.contender) + reply.holder.data.length;
    case "exists":
      return STAT_BYTES;
    case "contender":
    case "sync":
    default:
      return ITEM_BYTES;
  }
}

/** Bytes of the outcome of a write at most. */
export function outcomeBytes(outcome: WriteOutcome): number {
  if (!outcome.ok) return ITEM_BYTES + textBytes(outcome.code);
  let bytes = ITEM_BYTES;
  for (const reply of outcome.replies) {
    bytes += STAT_BYTES + ITEM_BYTES;
    if (reply.kind === "create") bytes += textBytes(reply.path);
    else if (reply.kind === "acquire") bytes += textBytes(reply.contender);
  }
  return bytes;
}
