import type { WatchHit } from "@quorate/kv-store";
import { PROTOCOL_LIMITS } from "@quorate/kv-store/protocol";
import { reached } from "../points.ts";
import type { ClientConnection } from "./client-connection.ts";
import { hitBytes } from "./message-bytes.ts";

/** Bytes of the events of one message: with it alone a frame stays within the protocol. */
const EVENTS_BYTES_MAX = PROTOCOL_LIMITS.frameBytesMax - 4_096;

/**
 * Sends the events of one revision in one message. Where that would be more than a frame may hold, each watch gets a
 * message of its own, and a watch whose events alone are too much is told that it lost them.
 */
export function sendEvents(connection: ClientConnection, hits: readonly WatchHit[]): void {
  const zxid = hits[0]?.event.zxid;
  if (zxid === undefined) return;
  const bytes = bytesOf(hits);
  if (bytes <= EVENTS_BYTES_MAX) {
    connection.send({ kind: "events", zxid, events: hits }, bytes);
    return;
  }
  reached("events_of_one_revision_beyond_a_frame");
  for (const [watchId, own] of byWatch(hits)) {
    const ownBytes = bytesOf(own);
    if (ownBytes <= EVENTS_BYTES_MAX) {
      connection.send({ kind: "events", zxid, events: own }, ownBytes);
    } else {
      reached("events_of_one_watch_beyond_a_frame");
      connection.send({ kind: "watchLost", cxid: 0, watchId, oldestZxid: zxid, zxid });
    }
  }
}

function bytesOf(hits: readonly WatchHit[]): number {
  let bytes = 0;
  for (const hit of hits) bytes += hitBytes(hit);
  return bytes;
}

function byWatch(hits: readonly WatchHit[]): ReadonlyMap<number, readonly WatchHit[]> {
  const watches = new Map<number, WatchHit[]>();
  for (const { watchIds, event } of hits) {
    for (const watchId of watchIds) {
      const own = watches.get(watchId);
      const hit: WatchHit = { watchIds: [watchId], event };
      if (own === undefined) watches.set(watchId, [hit]);
      else own.push(hit);
    }
  }
  return watches;
}
