import { describe, expect, it } from "vitest";
import {
  bytes,
  create,
  remove,
  set,
  TreeDriver,
} from "../../../tests/support/kv-store/tree-driver.ts";
import type { WatchMode, WriteOp } from "./protocol/index.ts";
import { type WatchHit, WatchTable } from "./watch-table.ts";

function told(hits: readonly WatchHit[] | undefined): readonly string[] {
  return (hits ?? []).map(
    ({ watchIds, event }) => `${watchIds.join()} ${event.kind} ${event.path}`,
  );
}

/** What the watches get when ops run on a tree that has /q/p/c. */
function run(watches: readonly (readonly [string, WatchMode])[], ...ops: readonly WriteOp[]) {
  const driver = new TreeDriver();
  const session = driver.open();
  driver.do(session, create("/q"), create("/q/p"), create("/q/p/c"), create("/other"));
  const table = new WatchTable<string>();
  for (const [watchId, [path, mode]] of watches.entries()) {
    table.add("me", { watchId, path, mode, withData: false });
  }
  return told(table.match(driver.write(session, ...ops).changes).get("me"));
}

describe("the trigger table", () => {
  it("a creation tells the znode, its parent and everything recursive above", () => {
    expect(run([["/q/p/new", "persistent"]], create("/q/p/new"))).toEqual(["0 created /q/p/new"]);
    expect(run([["/q/p", "persistent"]], create("/q/p/new"))).toEqual(["0 childrenChanged /q/p"]);
    expect(run([["/q", "persistent"]], create("/q/p/new"))).toEqual([]);
    expect(run([["/q/p/new", "recursive"]], create("/q/p/new"))).toEqual(["0 created /q/p/new"]);
    expect(run([["/q/p", "recursive"]], create("/q/p/new"))).toEqual(["0 created /q/p/new"]);
    expect(run([["/", "recursive"]], create("/q/p/new"))).toEqual(["0 created /q/p/new"]);
    expect(run([["/q/p/n", "recursive"]], create("/q/p/new"))).toEqual([]);
    expect(run([["/", "persistent"]], create("/new"))).toEqual(["0 childrenChanged /"]);
  });

  it("a deletion tells the same, and the znode's own watch once", () => {
    expect(run([["/q/p/c", "persistent"]], remove("/q/p/c"))).toEqual(["0 deleted /q/p/c"]);
    expect(run([["/q/p", "persistent"]], remove("/q/p/c"))).toEqual(["0 childrenChanged /q/p"]);
    expect(run([["/q", "recursive"]], remove("/q/p/c"))).toEqual(["0 deleted /q/p/c"]);
  });

  it("a change of data tells the znode and everything recursive above, never the parent", () => {
    expect(run([["/q/p", "persistent"]], set("/q/p", "x"))).toEqual(["0 dataChanged /q/p"]);
    expect(run([["/q", "persistent"]], set("/q/p", "x"))).toEqual([]);
    expect(run([["/q", "recursive"]], set("/q/p", "x"))).toEqual(["0 dataChanged /q/p"]);
    expect(run([["/", "persistent"]], set("/", "x"))).toEqual(["0 dataChanged /"]);
    expect(run([["/", "recursive"]], set("/", "x"))).toEqual(["0 dataChanged /"]);
  });

  it("a failed write tells nothing", () => {
    expect(run([["/", "recursive"]], create("/new"), remove("/none"))).toEqual([]);
  });

  it("a write of many ops tells them in order, the znode before its parent", () => {
    const watches = [
      ["/q", "recursive"],
      ["/q/p", "persistent"],
    ] as const;
    expect(run(watches, create("/q/p/n"), set("/q/p", "x"), remove("/q/p/n"))).toEqual([
      "0 created /q/p/n",
      "1 childrenChanged /q/p",
      "1,0 dataChanged /q/p",
      "0 deleted /q/p/n",
      "1 childrenChanged /q/p",
    ]);
  });

  it("survives the znode's deletion and its coming back", () => {
    const ops = [remove("/q/p/c"), create("/q/p/c")];
    expect(run([["/q/p/c", "persistent"]], ...ops)).toEqual([
      "0 deleted /q/p/c",
      "0 created /q/p/c",
    ]);
  });
});

describe("WatchTable", () => {
  it("shares one event among owners, with data for those that asked", () => {
    const driver = new TreeDriver();
    const session = driver.open();
    const table = new WatchTable<string>();
    const spec = { path: "/a", mode: "persistent", withData: true } as const;
    table.add("full", { ...spec, watchId: 1 });
    table.add("other", { ...spec, watchId: 1 });
    table.add("bare", { ...spec, watchId: 1, withData: false });
    table.add("both", { ...spec, watchId: 1, withData: false });
    table.add("both", { ...spec, watchId: 2 });
    const { changes } = driver.write(session, create("/a", "persistent", bytes("x")));
    const hits = table.match(changes);
    const full = hits.get("full")?.[0]?.event;
    expect(full).toMatchObject({ data: bytes("x"), stat: changes[0]?.stat });
    expect(hits.get("other")?.[0]?.event).toBe(full);
    expect(hits.get("bare")?.[0]?.event).toEqual({
      zxid: driver.zxid,
      kind: "created",
      path: "/a",
    });
    expect(hits.get("both")).toEqual([{ watchIds: [1, 2], event: full }]);
    const gone = table.match(driver.write(session, remove("/a")).changes);
    expect(gone.get("full")?.[0]?.event).not.toHaveProperty("data");
  });

  it("adds an id once, and forgets what is removed or dropped", () => {
    const table = new WatchTable<object>();
    const [a, b] = [{}, {}];
    const watch = { watchId: 1, path: "/a", mode: "recursive", withData: false } as const;
    expect(table.add(a, watch)).toBe(true);
    expect(table.add(a, { ...watch, path: "/b" })).toBe(false);
    expect(table.add(b, watch)).toBe(true);
    expect(table.add(b, { ...watch, watchId: 2 })).toBe(true);
    expect([table.count, table.ownerCount(a), table.ownerCount(b)]).toEqual([3, 1, 2]);
    expect(table.remove(a, 2)).toBe(false);
    expect(table.remove(a, 1)).toBe(true);
    expect(table.remove(a, 1)).toBe(false);
    expect(table.dropOwner(b)).toBe(2);
    expect(table.dropOwner(b)).toBe(0);
    expect(table.count).toBe(0);
    expect(table.match([]).size).toBe(0);
  });
});
