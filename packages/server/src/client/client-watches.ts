import {
  type ApplyOutcome,
  type DataTree,
  WatchTable,
  watchBytes,
  type WatchSpec,
} from "@quorate/kv-store";
import {
  checkPath,
  PROTOCOL_LIMITS,
  zxid as zxidOf,
  type ClientMessage,
  type ErrorCode,
  type Zxid,
} from "@quorate/kv-store/protocol";
import { assert } from "../assert.ts";
import { reached } from "../points.ts";
import type { ClientConnection } from "./client-connection.ts";
import { tellEvents } from "./event-delivery.ts";
import { MissedEvents, type ResumingWatch } from "./missed-events.ts";
import { ResumeWalk, type Resuming } from "./resume-walk.ts";

type AddWatchMessage = Extract<ClientMessage, { readonly kind: "addWatch" }>;
type Changes = ApplyOutcome["changes"];

/** Bounds of the watches of all connections together. */
export interface WatchLimits {
  readonly watchesMax: number;
  /** Memory that they take. */
  readonly watchBytesMax: number;
}

/** Watches that one walk is for, unless one connection alone has more: each change may concern them all. */
const WALK_WATCHES_MAX = 10_000;
/** Events that one revision means to watches that stand, each for every watch, for them to be told in its turn. */
const LIVE_HITS_MAX = 32_768;
/** Watches that stand and events that are told before other work gets its turn, unless one connection alone has more. */
const STAND_MAX = 8_192;
/** Memory of what has been told and did not have its turn to leave; beyond, no walk begins or goes on. */
const TOLD_HEAP_BYTES_MAX = 33_554_432;

/**
 * The watches of this node's connections. Those that resume are gathered and served by walks over the change log, in
 * steps: after a server went down, thousands come at once. A walk is for as many of them as there is memory for what they
 * missed; the others wait in line and take none. Until theirs are done, connections are held: nothing they say is worked
 * on, so that no answer overtakes the events before it.
 */
export class ClientWatches {
  readonly #tree: () => DataTree;
  readonly #limits: WatchLimits;
  readonly #live = new WatchTable<ClientConnection>();
  #waiting: Resuming = new Map();
  #walk: ResumeWalk | null = null;
  /** Watches that the next walk is for at most: more would only have to leave it again. */
  #walkWatchesMax = WALK_WATCHES_MAX;
  /** Have been told what they missed, and it may not have left yet. */
  readonly #told = new Set<ClientConnection>();
  /** Watches that resume, and their memory. */
  readonly #resuming = { count: 0, bytes: 0 };

  constructor(tree: () => DataTree, limits: WatchLimits) {
    this.#tree = tree;
    this.#limits = limits;
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
      reached("watch_resumed_from_change_log");
      this.#resume(connection, { cxid, watch, sinceZxid });
      connection.hold();
    }
  }

  remove(connection: ClientConnection, watchId: number): void {
    this.#live.remove(connection, watchId);
  }

  /** The connection is gone. */
  drop(connection: ClientConnection): void {
    this.#live.dropOwner(connection);
    this.#resumesNoMore(this.#waiting.get(connection));
    this.#waiting.delete(connection);
    this.#told.delete(connection);
    const walking = this.#walk?.resuming.get(connection);
    if (walking === undefined) return;
    reached("client_gone_before_its_watches_stood");
    this.#resumesNoMore(walking);
    this.#walk?.drop(connection);
  }

  /** Tells what the changes of one revision mean to watches that stand; where that is too much, they fall behind. */
  onApplied(changes: Changes): void {
    const [first] = changes;
    if (first === undefined || this.#live.count === 0) return;
    if (this.#isTooMuch(changes)) {
      reached("watches_fell_behind");
      for (const [connection, watches] of this.#live.concerned(changes)) {
        this.#fallBehind(connection, watches, first.zxid);
      }
      return;
    }
    let concerned: ReadonlyMap<ClientConnection, readonly WatchSpec[]> | null = null;
    for (const [connection, hits] of this.#live.match(changes)) {
      if (connection.isBehind) {
        concerned ??= this.#live.concerned(changes);
        this.#fallBehind(connection, concerned.get(connection) ?? [], first.zxid);
      } else {
        tellEvents(connection, hits);
      }
    }
  }

  /** A watch gets at most one event of a change, so that most revisions need no counting. */
  #isTooMuch(changes: Changes): boolean {
    return (
      this.#live.count * changes.length > LIVE_HITS_MAX &&
      this.#live.countHits(changes) > LIVE_HITS_MAX
    );
  }

  /** They go on as those do that resume, with everything from this revision on. */
  #fallBehind(connection: ClientConnection, watches: readonly WatchSpec[], zxid: Zxid): void {
    connection.fallBehind();
    for (const watch of watches) {
      this.#live.remove(connection, watch.watchId);
      this.#resume(connection, { cxid: null, watch, sinceZxid: zxidBefore(zxid) });
    }
  }

  #resume(connection: ClientConnection, resuming: ResumingWatch): void {
    let missed = this.#waiting.get(connection);
    if (missed === undefined) {
      missed = new MissedEvents();
      this.#waiting.set(connection, missed);
    }
    missed.add(resuming);
    this.#resuming.count += 1;
    this.#resuming.bytes += watchBytes(resuming.watch);
  }

  /** Goes on with the walk. Call it again while {@link isResuming}. */
  advance(): void {
    if (this.#toldHeapBytes() >= TOLD_HEAP_BYTES_MAX) {
      reached("walk_waits_for_what_was_told_to_leave");
      return;
    }
    this.#walk ??= this.#begin();
    const walk = this.#walk;
    const hasArrived = walk.step(this.#tree());
    this.#putBack(walk);
    // Who stands must do so in the turn of its last step: what is applied later finds it standing, or is walked over.
    if (hasArrived) this.#stand(walk);
    if (walk.resuming.size === 0) this.#walk = null;
  }

  #refusal(connection: ClientConnection, watch: WatchSpec): ErrorCode | null {
    // Reserved paths may be watched, there is just nothing there.
    if (checkPath(watch.path) === "BAD_PATH") return "BAD_PATH";
    const waiting = this.#waiting.get(connection);
    const walking = this.#walk?.resuming.get(connection);
    const resuming = (waiting?.count ?? 0) + (walking?.count ?? 0);
    const standing = this.#live.ownerCount(connection);
    if (standing + resuming >= PROTOCOL_LIMITS.watchesMax) return "OVERLOADED";
    if (!this.#hasRoom(watch)) return "OVERLOADED";
    const { watchId } = watch;
    const isTaken =
      this.#live.has(connection, watchId) || waiting?.has(watchId) || walking?.has(watchId);
    return isTaken === true ? "BAD_ARGUMENTS" : null;
  }

  #hasRoom(watch: WatchSpec): boolean {
    const { watchesMax, watchBytesMax } = this.#limits;
    const count = this.#live.count + this.#resuming.count;
    const bytes = this.#live.bytes + this.#resuming.bytes;
    if (count < watchesMax && bytes + watchBytes(watch) <= watchBytesMax) return true;
    reached("watches_beyond_their_bound");
    return false;
  }

  #resumesNoMore(missed: MissedEvents | undefined): void {
    const resuming = this.#resuming;
    resuming.count -= missed?.count ?? 0;
    resuming.bytes -= missed?.watchBytes ?? 0;
    assert(resuming.count > 0 || resuming.bytes === 0, "resuming_watches_counted");
  }

  #begin(): ResumeWalk {
    const resuming: Resuming = new Map();
    let watches = 0;
    for (const [connection, missed] of this.#waiting) {
      watches += missed.count;
      if (resuming.size > 0 && watches > this.#walkWatchesMax) {
        reached("resuming_clients_left_for_another_walk");
        break;
      }
      resuming.set(connection, missed);
      this.#waiting.delete(connection);
    }
    this.#walkWatchesMax = Math.min(2 * this.#walkWatchesMax, WALK_WATCHES_MAX);
    return new ResumeWalk(this.#tree(), resuming);
  }

  /** Who finds no memory in the walk is the first in line for the next one. */
  #putBack(walk: ResumeWalk): void {
    const line = walk.leaving();
    if (line.size === 0) return;
    for (const [connection, missed] of this.#waiting) {
      const earlier = line.get(connection);
      if (earlier === undefined) line.set(connection, missed);
      else earlier.join(missed);
    }
    this.#waiting = line;
    let watches = 0;
    for (const { count } of walk.resuming.values()) watches += count;
    this.#walkWatchesMax = Math.min(2 * watches, WALK_WATCHES_MAX);
  }

  #toldHeapBytes(): number {
    let bytes = 0;
    for (const connection of this.#told) {
      const { heapBytes } = connection.outbox;
      if (heapBytes === 0) this.#told.delete(connection);
      bytes += heapBytes;
    }
    return bytes;
  }

  /** Everything missed is known: it is told, and the watches stand from here on. The next turn is for the others. */
  #stand(walk: ResumeWalk): void {
    const reach = this.#tree().changesSince(0);
    const reachZxid = reach.ok ? 0 : reach.oldestZxid;
    let left = STAND_MAX;
    for (const [connection, missed] of walk.resuming) {
      walk.drop(connection);
      left -= this.#tell(connection, missed, reachZxid);
      this.#told.add(connection);
      if (this.#waiting.has(connection)) reached("more_watches_resumed_during_the_walk");
      else connection.release();
      if (left <= 0 && walk.resuming.size > 0) {
        reached("resumed_watches_stand_in_another_turn");
        return;
      }
    }
  }

  /** `reachZxid`: how far back the log reaches. How many watches stand and events were told. */
  #tell(connection: ClientConnection, missed: MissedEvents, reachZxid: Zxid | 0): number {
    const zxid = zxidOf(this.#tree().lastZxid);
    this.#resumesNoMore(missed);
    for (const { cxid, watch, sinceZxid, isLost } of missed.watches) {
      const { watchId } = watch;
      this.#live.add(connection, watch);
      if (isLost) reached("watch_stands_without_its_events");
      if (isLost) {
        const oldestZxid = sinceZxid < reachZxid ? zxidOf(reachZxid) : zxid;
        connection.tell({ kind: "watchLost", cxid: cxid ?? 0, watchId, oldestZxid, zxid });
      } else if (cxid !== null) {
        connection.tell({ kind: "watchAdded", cxid, watchId, zxid });
      }
    }
    let count = missed.count;
    for (const hits of missed.revisions()) {
      tellEvents(connection, hits);
      count += hits.length;
    }
    return count;
  }
}

function zxidBefore(zxid: Zxid): Zxid | 0 {
  return zxid === 1 ? 0 : zxidOf(zxid - 1);
}
