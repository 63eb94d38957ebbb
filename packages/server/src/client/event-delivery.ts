import type { WatchHit } from "@quorate/kv-store";
import { PROTOCOL_LIMITS } from "@quorate/kv-store/protocol";
import { reached } from "../points.ts";
import type { ClientConnection } from "./client-connection.ts";
import { hitBytes } from "./message-bytes.ts";

/** Bytes of the events of one message: with it alone a frame stays within the protocol. */
const EVENTS_BYTES_MAX = PROTOCOL_LIMITS.frameBytesMax - 4_096;

/**
 * Tells the events of one revision in one message. Where that would be more than a frame may hold, the watches are told in
 * groups: all that a watch gets of a revision comes in one message. One whose events alone are too much is told that it
 * lost them.
 */
export function tellEvents(connection: ClientConnection, hits: readonly WatchHit[]): void {
  const zxid = hits[0]?.event.zxid;
  if (zxid === undefined) return;
  const bytes = bytesOf(hits);
  if (bytes <= EVENTS_BYTES_MAX) {
    connection.tell({ kind: "events", zxid, events: hits }, bytes);
    return;
  }
  reached("events_of_one_revision_beyond_a_frame");
  const watchIds = [...new Set(hits.flatMap((hit) => hit.watchIds))];
  const [first, ...others] = watchIds;
  if (first === undefined) return;
  if (others.length === 0) {
    reached("events_of_one_watch_beyond_a_frame");
    connection.tell({ kind: "watchLost", cxid: 0, watchId: first, oldestZxid: zxid, zxid });
    return;
  }
  const middle = watchIds.length >> 1;
  tellEvents(connection, hitsOf(hits, new Set(watchIds.slice(0, middle))));
  tellEvents(connection, hitsOf(hits, new Set(watchIds.slice(middle))));
}

function bytesOf(hits: readonly WatchHit[]): number {
  let bytes = 0;
  for (const hit of hits) bytes += hitBytes(hit);
  return bytes;
}

/** What concerns these watches. */
function hitsOf(hits: readonly WatchHit[], watches: ReadonlySet<number>): readonly WatchHit[] {
  const own: WatchHit[] = [];
  for (const { watchIds, event } of hits) {
    const concerned = watchIds.filter((id) => watches.has(id));
    if (concerned.length > 0) own.push({ watchIds: concerned, event });
  }
  return own;
}
