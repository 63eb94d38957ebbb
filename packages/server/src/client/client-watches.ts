import { type ApplyOutcome, type DataTree, WatchTable, type WatchSpec } from "@quorate/kv-store";
import {
  checkPath,
  PROTOCOL_LIMITS,
  zxid as zxidOf,
  type ClientMessage,
  type ErrorCode,
  type Zxid,
} from "@quorate/kv-store/protocol";
import { reached } from "../points.ts";
import type { ClientConnection } from "./client-connection.ts";
import { sendEvents } from "./event-delivery.ts";
import { MissedEvents } from "./missed-events.ts";

type AddWatchMessage = Extract<ClientMessage, { readonly kind: "addWatch" }>;
type Changes = ApplyOutcome["changes"];

/** Changes of the log looked at before other work gets its turn: a few milliseconds. */
const STEP_CHANGES = 4_096;

/** One walk over the change log, for everybody who waited when it began. */
interface Walk {
  readonly missed: ReadonlyMap<ClientConnection, MissedEvents>;
  readonly table: WatchTable<ClientConnection>;
  /** Everything up to here has been looked at. */
  atZxid: Zxid | 0;
}

/**
 * The watches of this node's connections. Those that resume are gathered and served by one walk over the change log, in
 * steps: after a server went down, thousands come at once. Until theirs are done, connections are held: nothing they
 * say is worked on, so that no answer overtakes the events before it.
 */
export class ClientWatches {
  readonly #tree: () => DataTree;
  readonly #live = new WatchTable<ClientConnection>();
  #waiting = new Map<ClientConnection, MissedEvents>();
  #walk: Walk | null = null;

  constructor(tree: () => DataTree) {
    this.#tree = tree;
  }

  /** Watches that stand. */
  get count(): number {
    return this.#live.count;
  }

  /** There is a walk to be begun or gone on with. */
  get isResuming(): boolean {
    return this.#walk !== null || this.#waiting.size > 0;
  }

  add(connection: ClientConnection, message: AddWatchMessage): void {
    const { cxid, watchId, path, mode, withData, sinceZxid } = message;
    const watch = { watchId, path, mode, withData };
    const refusal = this.#refusal(connection, watch);
    const zxid = zxidOf(this.#tree().lastZxid);
    if (refusal !== null) {
      connection.send({ kind: "watchRefused", cxid, watchId, code: refusal });
    } else if (sinceZxid === null) {
      this.#live.add(connection, watch);
      connection.send({ kind: "watchAdded", cxid, watchId, zxid });
    } else if (sinceZxid > zxid) {
      // Of a history that ended further on, perhaps, or this node is behind: what it stands for here nobody can say.
      reached("watch_from_a_revision_to_come");
      this.#live.add(connection, watch);
      connection.send({ kind: "watchLost", cxid, watchId, oldestZxid: zxid, zxid });
    } else {
      let missed = this.#waiting.get(connection);
      if (missed === undefined) {
        missed = new MissedEvents();
        this.#waiting.set(connection, missed);
      }
      reached("watch_resumed_from_change_log");
      missed.add({ cxid, watch, sinceZxid });
      connection.hold();
    }
  }

  remove(connection: ClientConnection, watchId: number): void {
    this.#live.remove(connection, watchId);
  }

  /** The connection is gone. */
  drop(connection: ClientConnection): void {
    this.#live.dropOwner(connection);
    this.#waiting.delete(connection);
    this.#walk?.table.dropOwner(connection);
  }

  /** Sends what these changes mean to watches that stand. */
  onApplied(changes: Changes): void {
    if (changes.length === 0 || this.#live.count === 0) return;
    for (const [connection, hits] of this.#live.match(changes)) sendEvents(connection, hits);
  }

  /** Goes on with the walk. Call it again while {@link isResuming}. */
  advance(): void {
    if (this.#walk === null && this.#waiting.size > 0) this.#begin();
    const walk = this.#walk;
    if (walk === null || !this.#step(walk)) return;
    this.#walk = null;
    for (const [connection, missed] of walk.missed) this.#stand(connection, missed);
  }

  #refusal(connection: ClientConnection, watch: WatchSpec): ErrorCode | null {
    // Reserved paths may be watched, there is just nothing there.
    if (checkPath(watch.path) === "BAD_PATH") return "BAD_PATH";
    const waiting = this.#waiting.get(connection);
    const walking = this.#walk?.missed.get(connection);
    const resuming = (waiting?.count ?? 0) + (walking?.count ?? 0);
    const standing = this.#live.ownerCount(connection);
    if (standing + resuming >= PROTOCOL_LIMITS.watchesMax) return "OVERLOADED";
    const { watchId } = watch;
    const isTaken =
      this.#live.has(connection, watchId) || waiting?.has(watchId) || walking?.has(watchId);
    return isTaken === true ? "BAD_ARGUMENTS" : null;
  }

  #begin(): void {
    const missed = this.#waiting;
    this.#waiting = new Map();
    const table = new WatchTable<ClientConnection>();
    const reach = this.#tree().changesSince(0);
    let atZxid: Zxid | 0 = this.#tree().lastZxid;
    for (const [connection, events] of missed) {
      if (!reach.ok) {
        reached("watch_resumed_behind_a_cut_change_log");
        events.loseBefore(reach.oldestZxid);
      }
      for (const { watch, isLost } of events.watches) if (!isLost) table.add(connection, watch);
      const { sinceZxid } = events;
      if (sinceZxid !== null && sinceZxid < atZxid) atZxid = sinceZxid;
    }
    this.#walk = { missed, table, atZxid };
  }

  /** True: the walk has arrived at the present. */
  #step(walk: Walk): boolean {
    const since = this.#tree().changesSince(walk.atZxid);
    if (!since.ok) {
      reached("change_log_cut_during_the_walk");
      // The log has been cut faster than the walk went on.
      for (const events of walk.missed.values()) events.loseBefore(since.oldestZxid);
      return true;
    }
    let steps = STEP_CHANGES;
    let revision: Changes[number][] = [];
    for (const change of since.changes) {
      if (revision.length > 0 && revision[0]?.zxid !== change.zxid) {
        note(walk, revision);
        revision = [];
        if (steps <= 0) {
          reached("walk_over_changes_interrupted");
          return false;
        }
      }
      revision.push(change);
      steps -= 1;
    }
    note(walk, revision);
    return true;
  }

  /** Everything missed is known: it is told, and the watches stand from here on. */
  #stand(connection: ClientConnection, missed: MissedEvents): void {
    if (connection.isClosed) {
      reached("client_gone_before_its_watches_stood");
      return;
    }
    const zxid = zxidOf(this.#tree().lastZxid);
    const reach = this.#tree().changesSince(0);
    for (const { cxid, watch, sinceZxid, isLost } of missed.watches) {
      const { watchId } = watch;
      this.#live.add(connection, watch);
      if (isLost) reached("watch_stands_without_its_events");
      if (isLost) {
        const isCut = !reach.ok && sinceZxid < reach.oldestZxid;
        const oldestZxid = isCut ? zxidOf(reach.oldestZxid) : zxid;
        connection.send({ kind: "watchLost", cxid, watchId, oldestZxid, zxid });
      } else {
        connection.send({ kind: "watchAdded", cxid, watchId, zxid });
      }
    }
    for (const { hits } of missed.revisions) sendEvents(connection, hits);
    if (this.#waiting.has(connection)) reached("more_watches_resumed_during_the_walk");
    else connection.release();
  }
}

function note(walk: Walk, revision: Changes): void {
  const zxid = revision[0]?.zxid;
  if (zxid === undefined) return;
  walk.atZxid = zxid;
  for (const [connection, hits] of walk.table.match(revision)) {
    walk.missed.get(connection)?.note(zxid, hits, connection.outbox.spareBytes);
  }
}
