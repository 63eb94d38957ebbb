import { describe, expect, test } from "vitest";
import type { HistoryRecord } from "../linearizability/history.ts";
import { checkBackups, type TakenBackup } from "./ensemble/backups.ts";
import { checkWatches } from "./ensemble/watch-check.ts";
import type { Watched } from "./ensemble/watch-work.ts";

/** An answer that a run's history might hold. */
function written(zxid: number, value: string, returnedMs = 1): HistoryRecord {
  return {
    kind: "operation",
    client: 1,
    sequence: 1,
    path: "/r0",
    operation: { kind: "set", value },
    outcome: { kind: "ok", observed: { value, version: 1 }, zxid },
    invokedMs: 0,
    returnedMs,
  };
}

describe("the check of backups", () => {
  const backup = (held: { readonly value: string; readonly zxid: number } | null): TakenBackup => ({
    node: "n1",
    fromMs: 10,
    isFresh: true,
    zxid: 5,
    digest: "d",
    register: () => held,
  });

  test("sees what was answered before it was asked for, and is not in it", () => {
    const at = backup({ value: "a", zxid: 3 });
    expect(() => checkBackups([at], [written(3, "a"), written(6, "b", 10)])).toThrow("B fresh");
    expect(() => checkBackups([at], [written(3, "a"), written(6, "b", 11)])).not.toThrow();
    expect(() => checkBackups([{ ...at, isFresh: false }], [written(6, "b", 9)])).not.toThrow();
  });

  test("sees a register that is older, newer, other or missing", () => {
    for (const held of [
      { value: "z", zxid: 2 },
      { value: "b", zxid: 6 },
      { value: "b", zxid: 3 },
    ]) {
      expect(() => checkBackups([backup(held)], [written(3, "a")])).toThrow("B content");
    }
    expect(() => checkBackups([backup(null)], [written(3, "a")])).toThrow("B content");
    expect(() => checkBackups([backup({ value: "b", zxid: 4 })], [written(3, "a")])).not.toThrow();
  });

  test("sees two of one revision that differ", () => {
    const [one, other] = [backup(null), { ...backup(null), digest: "e" }];
    expect(() => checkBackups([one, other], [])).toThrow("B equal");
    expect(() => checkBackups([one, { ...other, zxid: 6 }], [])).not.toThrow();
  });
});

describe("the check of watches", () => {
  const told = (...zxids: readonly number[]): Watched["events"] =>
    zxids.map((zxid) => ({ zxid, path: "/r0", data: null, kind: "dataChanged" }));
  const watched = (number: number, events: Watched["events"], gaps = []) => ({
    number,
    path: "/",
    mode: "recursive" as const,
    answeredZxid: 0,
    fromZxid: 1,
    isResumed: false,
    withData: false,
    events,
    gaps,
  });

  test("sees a change that one watch missed and another told", () => {
    const both = [watched(1, told(2, 3, 4)), watched(2, told(2, 4))];
    expect(() => checkWatches(both, [])).toThrow("W3");
    expect(() => checkWatches([watched(1, told(2, 3, 4))], [])).not.toThrow();
  });

  test("sees a change that was told twice", () => {
    expect(() => checkWatches([watched(1, told(2, 2))], [])).toThrow("W2");
  });

  test("holds narrow watches to what everybody else heard", () => {
    const event = (zxid: number, path: string, kind: Watched["events"][number]["kind"]) => ({
      ...{ zxid, path, kind, data: null },
    });
    const all = watched(1, [
      event(2, "/e", "created"),
      event(3, "/e/1", "created"),
      event(4, "/e/1", "dataChanged"),
      event(5, "/e/1", "deleted"),
      event(5, "/e/2", "deleted"),
      event(6, "/e/3", "created"),
      event(7, "/r0", "dataChanged"),
    ]);
    const narrow = (mode: "persistent" | "recursive", events: Watched["events"]) => [
      all,
      { ...watched(2, events), path: "/e", mode, answeredZxid: 7 },
    ];
    const children = (zxid: number) => event(zxid, "/e", "childrenChanged");
    const [made, , ...rest] = all.events.slice(0, 6);
    const own = [event(2, "/e", "created")];
    const told = [...own, children(3), children(5), children(5), children(6)];
    expect(() => checkWatches(narrow("persistent", told), [])).not.toThrow();
    expect(() => checkWatches(narrow("persistent", told.toSpliced(2, 1)), [])).toThrow("W3");
    expect(() => checkWatches(narrow("persistent", told.toSpliced(2, 0, children(5))), [])).toThrow(
      "W2",
    );
    expect(() => checkWatches(narrow("persistent", []), [])).toThrow("W3");
    expect(() => checkWatches(narrow("recursive", all.events.slice(0, 6)), [])).not.toThrow();
    expect(() => checkWatches(narrow("recursive", [made ?? children(2), ...rest]), [])).toThrow(
      "W3",
    );
    expect(() => checkWatches(narrow("recursive", all.events), [])).toThrow("W scope");
    expect(() => checkWatches(narrow("recursive", told), [])).toThrow("W scope");
  });

  test("sees data that the revision did not have, and data that are missing", () => {
    const heard = (data: string | null, kind: "dataChanged" | "deleted" = "dataChanged") => [
      { ...watched(1, [{ zxid: 2, path: "/r0", data, kind }]), withData: true },
    ];
    expect(() => checkWatches(heard("b"), [written(2, "a")])).toThrow("W data");
    expect(() => checkWatches(heard("a"), [written(2, "a")])).not.toThrow();
    expect(() => checkWatches(heard(null), [])).toThrow("W data");
    expect(() => checkWatches(heard(null, "deleted"), [])).not.toThrow();
  });

  test("sees what a watch tells from before where it was to begin", () => {
    const resumed = { ...watched(1, told(5, 6)), fromZxid: 5, isResumed: true };
    expect(() => checkWatches([resumed], [])).toThrow("W1");
    const lost = { ...resumed, gaps: [{ afterZxid: 0, upToZxid: 4 }] };
    expect(() => checkWatches([lost], [])).not.toThrow();
    expect(() => checkWatches([{ ...resumed, isResumed: false }], [])).not.toThrow();
  });

  test("sees a kind that cannot follow the one before", () => {
    type Event = Watched["events"][number];
    const event = (zxid: number, kind: Event["kind"]): Event => ({
      ...{ zxid, path: "/r0", data: null, kind },
    });
    const kinds = (...all: readonly Event["kind"][]) => all.map((kind, at) => event(2 + at, kind));
    for (const wrong of [
      kinds("created", "created"),
      kinds("deleted", "dataChanged"),
      kinds("deleted", "deleted"),
    ]) {
      expect(() => checkWatches([watched(1, wrong)], [])).toThrow("W5");
      const lost = { ...watched(1, wrong), gaps: [{ afterZxid: 2, upToZxid: 2 }] };
      expect(() => checkWatches([lost], [])).not.toThrow();
    }
    const right = kinds("dataChanged", "deleted", "created", "dataChanged", "deleted");
    expect(() => checkWatches([watched(1, right)], [])).not.toThrow();
  });

  test("accepts what a watch said that it does not know", () => {
    const lost = { ...watched(2, told(2, 4)), gaps: [{ afterZxid: 2, upToZxid: 3 }] };
    expect(() => checkWatches([watched(1, told(2, 3, 4)), lost], [])).not.toThrow();
  });
});
