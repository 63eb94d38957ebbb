import {
  type Change,
  DataTree,
  matchOne,
  TREE_LIMITS,
  type WatchSpec,
  WatchTable,
} from "@quorate/kv-store";
import { type WatchEvent, WATCH_MODES, zxid } from "@quorate/kv-store/protocol";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { commandOf, step, type Step } from "../support/kv-store/tree-arbitrary.ts";
import { openCommand } from "../support/kv-store/tree-driver.ts";

const TERM = 1;

const spec: fc.Arbitrary<WatchSpec> = fc.record({
  watchId: fc.nat({ max: 5 }),
  path: fc.constantFrom("/", "/a", "/a/x", "/b", "/l", "/a/x/z", "/never"),
  mode: fc.constantFrom(...WATCH_MODES),
  withData: fc.boolean(),
});
const watches = fc.uniqueArray(fc.tuple(fc.nat({ max: 2 }), spec), {
  maxLength: 10,
  selector: ([owner, { watchId }]) => `${owner}.${watchId}`,
});
const steps = fc.array(step, { minLength: 1, maxLength: 50, size: "max" });

function newTree(): DataTree {
  const tree = new DataTree(TREE_LIMITS);
  for (let i = 1; i <= 3; i += 1) apply(tree, openCommand(Uint8Array.of(i)));
  return tree;
}

function apply(tree: DataTree, command: Parameters<DataTree["apply"]>[3]): readonly Change[] {
  const index = tree.lastZxid + 1;
  return tree.apply(zxid(index), TERM, { timeMs: index, clockMs: index }, command).changes;
}

function run(tree: DataTree, drawn: Step): readonly Change[] {
  const context = { sessions: [...tree.sessions()], zxid: tree.lastZxid, term: TERM };
  return apply(tree, commandOf(drawn, context));
}

it("matches as each watch by itself would, in tree order, one item for each event", () => {
  fc.assert(
    fc.property(steps, watches, fc.nat({ max: 9 }), (drawn, registered, dropped) => {
      const tree = newTree();
      const table = new WatchTable<number>();
      for (const [owner, watch] of registered) expect(table.add(owner, watch)).toBe(true);
      const gone = registered.splice(dropped, 1)[0];
      if (gone !== undefined) expect(table.remove(gone[0], gone[1].watchId)).toBe(true);
      expect(table.count).toBe(registered.length);
      for (const one of drawn) {
        const changes = run(tree, one);
        const hits = table.match(changes);
        const counted = [...hits.values()].flat().flatMap((hit) => hit.watchIds).length;
        expect(table.countHits(changes)).toBe(counted);
        const concerned = table.concerned(changes);
        expect([...concerned.keys()].sort()).toEqual([...hits.keys()].sort());
        for (const owner of [0, 1, 2]) {
          const own = registered.filter(([of]) => of === owner).map(([, watch]) => watch);
          const items = hits.get(owner) ?? [];
          const ids = (concerned.get(owner) ?? []).map((watch) => watch.watchId).sort();
          expect(ids).toEqual([...new Set(items.flatMap((item) => item.watchIds))].sort());
          for (const watch of own) {
            const got = items
              .filter((item) => item.watchIds.includes(watch.watchId))
              .map((item) => bare(item.event));
            const wanted = changes
              .map((change) => matchOne(watch, change))
              .filter((event) => event !== null)
              .map(bare);
            expect(got).toEqual(wanted);
          }
          for (const item of items) {
            const ids = own.filter(({ watchId }) => item.watchIds.includes(watchId));
            expect(ids.length).toBe(item.watchIds.length);
            const asked = ids.some((watch) => watch.withData);
            const carries = item.event.kind === "created" || item.event.kind === "dataChanged";
            expect(item.event.data !== undefined).toBe(asked && carries);
          }
          // Two neighbours that tell the same of the same change would have been one.
          const keys = items.map(({ event }) => `${event.kind} ${event.path}`);
          const told = changes.length * 2;
          expect(keys.length).toBeLessThanOrEqual(told);
        }
      }
      for (const owner of [0, 1, 2]) table.dropOwner(owner);
      expect(table.count).toBe(0);
    }),
    { numRuns: 100 },
  );
});

it("resumes from any revision with exactly what a live watch got after it", () => {
  fc.assert(
    fc.property(steps, spec, (drawn, watch) => {
      const tree = newTree();
      const table = new WatchTable<string>();
      table.add("live", watch);
      const live: WatchEvent[] = [];
      for (const one of drawn) {
        for (const { event } of table.match(run(tree, one)).get("live") ?? []) live.push(event);
      }
      for (let split = 0; split <= tree.lastZxid; split += 1) {
        const since = tree.changesSince(zxid(split));
        if (!since.ok) throw new Error("the log is large enough");
        const resumed: WatchEvent[] = [];
        for (const change of since.changes) {
          const event = matchOne(watch, change);
          if (event !== null) resumed.push(event);
        }
        expect(resumed).toEqual(live.filter((event) => event.zxid > split));
      }
    }),
    { numRuns: 100 },
  );
});

function bare({ zxid: at, kind, path }: WatchEvent) {
  return { zxid: at, kind, path };
}
