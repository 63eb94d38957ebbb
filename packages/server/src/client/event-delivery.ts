import { matchOne, type ChangesSince, type WatchHit, type WatchSpec } from "@quorate/kv-store";
import { PROTOCOL_LIMITS, type Zxid } from "@quorate/kv-store/protocol";
import type { ClientConnection } from "./client-connection.ts";
import { hitBytes } from "./message-bytes.ts";

type Changes = Extract<ChangesSince, { readonly ok: true }>["changes"];

/** Bytes of the events of one message: with it alone a frame stays within the protocol. */
const EVENTS_BYTES_MAX = PROTOCOL_LIMITS.frameBytesMax - 4_096;

/** Everything that one revision has for a connection. */
interface Revision {
  readonly zxid: Zxid;
  readonly hits: WatchHit[];
}

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
  for (const [watchId, own] of byWatch(hits)) {
    const ownBytes = bytesOf(own);
    if (ownBytes <= EVENTS_BYTES_MAX) {
      connection.send({ kind: "events", zxid, events: own }, ownBytes);
    } else {
      connection.send({ kind: "watchLost", cxid: 0, watchId, oldestZxid: zxid, zxid });
    }
  }
}

/**
 * What a resuming watch has missed, a revision at a time. Null if it is more than the connection has room for: sending it
 * would only end the connection, and the next one in the same way.
 */
export function missedRevisions(
  connection: ClientConnection,
  watch: WatchSpec,
  changes: Changes,
): readonly Revision[] | null {
  const { spareBytes } = connection.outbox;
  const revisions: Revision[] = [];
  let bytes = 0;
  for (const change of changes) {
    const event = matchOne(watch, change);
    if (event === null) continue;
    const hit: WatchHit = { watchIds: [watch.watchId], event };
    bytes += hitBytes(hit);
    if (bytes > spareBytes) return null;
    const last = revisions.at(-1);
    if (last !== undefined && last.zxid === event.zxid) last.hits.push(hit);
    else revisions.push({ zxid: event.zxid, hits: [hit] });
  }
  return revisions;
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
