import { isWrite, toldBy, type HistoryRecord } from "../../linearizability/history.ts";
import { Violation } from "../violation.ts";
import type { Watched } from "./watch-work.ts";

/**
 * Every change between the first and the last one a watch told of was told once, unless the watch said that it may have
 * missed some there, and with the data that it left. What changed is known from all watches and all answers together.
 */
export function checkWatches(watched: readonly Watched[], history: readonly HistoryRecord[]): void {
  const changes = changesOf(watched, history);
  const contents = contentsOf(history);
  // Of the last revision that a watch told of it may have told a part only, before its session ended.
  const halfTold = new Set(watched.map(({ events }) => events.at(-1)?.zxid));
  for (const record of watched) {
    checkKinds(record);
    const expected = expectedOf(record, changes);
    const told = new Map<string, number>();
    for (const event of record.events) {
      checkScope(record, event);
      checkData(record, event, contents.get(`${event.zxid} ${event.path}`) ?? event.data);
      checkFrom(record, event.zxid);
      const key = keyOf(event);
      const isOfChildren = event.kind === "childrenChanged";
      const known = isOfChildren && halfTold.has(event.zxid) ? undefined : expected.get(key);
      // How many children one revision changes is known from those who heard of each.
      const most = known?.times ?? (isOfChildren ? Infinity : 1);
      if (addOne(told, key) <= most) continue;
      throw new Violation("W2 unique", `session number ${record.number}: ${key}`);
    }
    checkMissed(record, told, expected);
  }
}

function addOne(counts: Map<string, number>, key: string): number {
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  return count;
}

/** What is told apart: the news of a znode from the news of its children. */
function keyOf({ zxid, path, kind }: Pick<WatchedEvent, "zxid" | "path" | "kind">): string {
  return `${zxid} ${path}${kind === "childrenChanged" ? " children" : ""}`;
}

type WatchedEvent = Watched["events"][number];

/** A znode is another one, by all that is known of a run. */
interface Change {
  readonly zxid: number;
  readonly path: string;
  readonly kind: WatchedEvent["kind"];
}

interface Expected {
  readonly zxid: number;
  times: number;
}

/** How often a watch was to tell what, by key: of a revision that changes several children it tells as many times. */
function expectedOf(
  { path, mode, fromZxid }: Watched,
  changes: readonly Change[],
): ReadonlyMap<string, Expected> {
  const expected = new Map<string, Expected>();
  for (const change of changes) {
    const { zxid } = change;
    const kind = zxid > fromZxid ? toldAs(path, mode, change) : null;
    if (kind === null) continue;
    const key = keyOf({ zxid, path: kind === "childrenChanged" ? path : change.path, kind });
    const known = expected.get(key);
    if (known === undefined) expected.set(key, { zxid, times: 1 });
    else known.times += 1;
  }
  return expected;
}

/** What a watch was to tell, did not, and did not say that it may have missed. */
function checkMissed(
  { number, path, mode, events, gaps, answeredZxid }: Watched,
  told: ReadonlyMap<string, number>,
  expected: ReadonlyMap<string, Expected>,
): void {
  const upToZxid = Math.max(events.at(-1)?.zxid ?? 0, answeredZxid);
  for (const [key, { zxid, times }] of expected) {
    if (zxid > upToZxid || (told.get(key) ?? 0) >= times) continue;
    if (gaps.some((gap) => zxid > gap.afterZxid && zxid <= gap.upToZxid)) continue;
    const text = `session number ${number} never heard of ${key} by its ${mode} watch of ${path}`;
    throw new Violation("W3 no gap", text);
  }
}

/** As what a watch tells of a change; null: it is none of its business. */
function toldAs(
  watchedPath: string,
  mode: Watched["mode"],
  { path, kind }: Pick<Change, "path" | "kind">,
): WatchedEvent["kind"] | null {
  if (path === watchedPath) return kind;
  const below = watchedPath === "/" ? "/" : `${watchedPath}/`;
  if (!path.startsWith(below)) return null;
  if (mode === "recursive") return kind;
  const isChild = !path.slice(below.length).includes("/");
  return isChild && kind !== "dataChanged" ? "childrenChanged" : null;
}

/** It tells of what it was asked to watch, and of nothing else. */
function checkScope({ number, path, mode }: Watched, event: WatchedEvent): void {
  const isOfChildren = event.kind === "childrenChanged";
  const isMeant = isOfChildren
    ? mode === "persistent" && event.path === path
    : toldAs(path, mode, event) === event.kind;
  if (isMeant) return;
  const text = `session number ${number} heard by its ${mode} watch of ${path} that ${event.path} was ${event.kind}`;
  throw new Violation("W scope", text);
}

/** What was there is not created, what was not neither changed nor deleted, as far as the watch itself has told. */
function checkKinds({ number, events, gaps }: Watched): void {
  const isThere = new Map<string, boolean>();
  const ends = gaps.map(({ upToZxid }) => upToZxid).sort((a, b) => a - b);
  for (const { zxid, path, kind } of events) {
    if (kind === "childrenChanged") continue;
    if (ends.length > 0 && zxid > (ends[0] ?? 0)) {
      isThere.clear();
      while (ends.length > 0 && zxid > (ends[0] ?? 0)) ends.shift();
    }
    const before = isThere.get(path);
    if (before !== undefined && before === (kind === "created")) {
      const text = `session number ${number} heard at ${zxid} that ${path} was ${kind}, which ${before ? "was there" : "was gone"}`;
      throw new Violation("W5 kinds", text);
    }
    isThere.set(path, kind !== "deleted");
  }
}

/** Whoever asked for data gets them with all but deletions, and those of the revision. */
function checkData({ number, withData }: Watched, event: WatchedEvent, is: string | null): void {
  const { zxid, path, data, kind } = event;
  if (kind === "childrenChanged") return;
  if (withData && data === null && kind !== "deleted") {
    throw new Violation("W data", `session number ${number} heard nothing but of ${zxid} ${path}`);
  }
  if (data === null || data === is) return;
  const text = `session number ${number} heard ${data} of ${zxid} ${path}, which is ${is}`;
  throw new Violation("W data", text);
}

/** Nothing from before where a watch was to begin is told, unless it said that it begins further back. */
function checkFrom({ number, fromZxid, isResumed, gaps }: Watched, zxid: number): void {
  if (!isResumed || zxid > fromZxid || gaps.some(({ upToZxid }) => upToZxid < zxid)) return;
  const text = `session number ${number} heard of ${zxid}, it asked from ${fromZxid} on`;
  throw new Violation("W1 order", text);
}

function changesOf(
  watched: readonly Watched[],
  history: readonly HistoryRecord[],
): readonly Change[] {
  const changes = new Map<string, Change>();
  for (const { events } of watched) {
    for (const { zxid, path, kind } of events) {
      if (kind !== "childrenChanged") changes.set(`${zxid} ${path}`, { zxid, path, kind });
    }
  }
  for (const record of history) {
    if (record.kind !== "operation" || !isWrite(record)) continue;
    const { outcome, path } = record;
    if (outcome.kind !== "ok" || outcome.zxid === null) continue;
    // Registers are set by whatever writes to them.
    const { zxid } = outcome;
    changes.set(`${zxid} ${path}`, { zxid, path, kind: "dataChanged" });
  }
  return [...changes.values()];
}

/** What each revision of a register held, as far as answers told. */
function contentsOf(history: readonly HistoryRecord[]): ReadonlyMap<string, string> {
  const contents = new Map<string, string>();
  for (const record of history) {
    const told = toldBy(record);
    if (told !== null) contents.set(`${told.zxid} ${told.path}`, told.value);
  }
  return contents;
}
