import { WatchTable, type ApplyOutcome, type DataTree, type WatchHit } from "@quorate/kv-store";
import type { Zxid } from "@quorate/kv-store/protocol";
import { assert } from "../assert.ts";
import { reached } from "../points.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { MissedEvents } from "./missed-events.ts";

type Changes = ApplyOutcome["changes"];

/** Connections whose watches resume, in the order in which they came. */
export type Resuming = Map<ClientConnection, MissedEvents>;

/** Changes of the log looked at before other work gets its turn: a few milliseconds. */
const STEP_CHANGES = 4_096;
/** Watches that these concern, each counted for every change: the same time again. */
const STEP_HITS = 16_384;
/** Memory of what has been found for all of them, where it is more than what one may have. */
const HEAP_BYTES_MAX = 33_554_432;

/** One walk over the change log, in steps, for several connections at once. */
export class ResumeWalk {
  readonly #resuming: Resuming;
  readonly #table = new WatchTable<ClientConnection>();
  /** Everything up to here has been looked at, and so much of the revision after it. */
  #atZxid: Zxid | 0;
  #changesLookedAt = 0;
  #heapBytes = 0;

  constructor(tree: DataTree, resuming: Resuming) {
    this.#resuming = resuming;
    const reach = tree.changesSince(0);
    let atZxid: Zxid | 0 = tree.lastZxid;
    for (const [connection, missed] of resuming) {
      if (!reach.ok) {
        reached("watch_resumed_behind_a_cut_change_log");
        missed.loseBefore(reach.oldestZxid);
      }
      for (const { watch, isLost } of missed.watches) {
        if (!isLost) this.#table.add(connection, watch);
      }
      const { sinceZxid } = missed;
      if (sinceZxid !== null && sinceZxid < atZxid) atZxid = sinceZxid;
    }
    this.#atZxid = atZxid;
  }

  /** Those it is for. While it has arrived at the present, everything they missed is known. */
  get resuming(): ReadonlyMap<ClientConnection, MissedEvents> {
    return this.#resuming;
  }

  /** It goes on without this connection. */
  drop(connection: ClientConnection): void {
    this.#heapBytes -= this.#resuming.get(connection)?.heapBytes ?? 0;
    this.#resuming.delete(connection);
    this.#table.dropOwner(connection);
    assert(this.#resuming.size > 0 || this.#heapBytes === 0, "heap_bytes_belong_to_somebody");
  }

  /** True: it has arrived at the present. */
  step(tree: DataTree): boolean {
    let since = tree.changesSince(this.#atZxid);
    if (!since.ok) {
      reached("change_log_cut_during_the_walk");
      // The log has been cut faster than the walk went on.
      this.#loseBefore(since.oldestZxid);
      this.#atZxid = since.oldestZxid;
      this.#changesLookedAt = 0;
      since = tree.changesSince(this.#atZxid);
    }
    assert(since.ok, "changes_since_the_oldest_revision_are_known");
    return this.#look(since.changes);
  }

  /**
   * Where more was found than there is memory for, those who came last leave with nothing. In the order in which they
   * came.
   */
  leaving(): Resuming {
    const leaving: Resuming = new Map();
    while (this.#heapBytes > HEAP_BYTES_MAX && this.#resuming.size > 1) {
      reached("resuming_clients_wait_for_memory");
      const half = [...this.#resuming].slice(this.#resuming.size >> 1);
      for (const [connection, missed] of half.reverse()) {
        this.drop(connection);
        missed.forget();
        leaving.set(connection, missed);
      }
    }
    return new Map([...leaving].reverse());
  }

  /** Change by change: one revision may hold thousands, and each may concern all the watches. */
  #look(changes: Iterable<Changes[number]>): boolean {
    if (this.#table.count === 0) return true;
    let steps = STEP_CHANGES;
    let hits = STEP_HITS;
    let skipped = 0;
    let zxid: Zxid | null = null;
    for (const change of changes) {
      if (zxid !== null && change.zxid !== zxid) {
        this.#atZxid = zxid;
        this.#changesLookedAt = 0;
      }
      zxid = change.zxid;
      if (skipped < this.#changesLookedAt) {
        skipped += 1;
        continue;
      }
      if (steps <= 0 || hits <= 0) {
        reached("walk_over_changes_interrupted");
        return false;
      }
      hits -= this.#note(change);
      steps -= 1;
      this.#changesLookedAt += 1;
      skipped += 1;
    }
    if (zxid !== null) this.#atZxid = zxid;
    this.#changesLookedAt = 0;
    return true;
  }

  /** How many watches it concerned. */
  #note(change: Changes[number]): number {
    let count = 0;
    for (const [connection, hits] of this.#table.match([change])) {
      count += watchesOf(hits);
      const missed = this.#resuming.get(connection);
      if (missed === undefined) continue;
      this.#heapBytes -= missed.heapBytes;
      for (const watchId of missed.note(hits, connection.outbox.spareBytes)) {
        this.#table.remove(connection, watchId);
      }
      this.#heapBytes += missed.heapBytes;
    }
    return count;
  }

  #loseBefore(oldestZxid: Zxid | 0): void {
    for (const [connection, missed] of this.#resuming) {
      this.#heapBytes -= missed.heapBytes;
      for (const watchId of missed.loseBefore(oldestZxid)) this.#table.remove(connection, watchId);
      this.#heapBytes += missed.heapBytes;
    }
  }
}

function watchesOf(hits: readonly WatchHit[]): number {
  let count = 0;
  for (const { watchIds } of hits) count += watchIds.length;
  return count;
}
