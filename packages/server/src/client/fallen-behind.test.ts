import { WatchTable } from "@quorate/kv-store";
import { sessionId, writeSeq, type ServerMessage } from "@quorate/kv-store/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  EMPTY,
  Node,
  create,
  set,
  watch,
  write,
  type Client,
} from "../../../../tests/support/gateway-lab.ts";

const range = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

/** One write that makes so many znodes. */
const createMany = (count: number) => range(count).map((at) => create(`/z${at}`));

const watchRoot = (watches: number) => range(watches).map((watchId) => watch("/", { watchId }));

/** All that a client hears until so many watches stand and nothing more comes. */
function heardBy(node: Node, client: Client, watches: number): readonly ServerMessage[] {
  const heard: ServerMessage[] = [];
  for (let turn = 0; turn < 10_000; turn += 1) {
    node.turn();
    const said = client.take();
    heard.push(...said);
    if (said.length === 0 && node.gateway.watchCount === watches) return heard;
  }
  throw new Error("watches never stood again");
}

/** Per watch the paths it was told, in messages of one revision each. */
function pathsTold(heard: readonly ServerMessage[]): ReadonlyMap<number, readonly string[][]> {
  const told = new Map<number, string[][]>();
  for (const message of heard) {
    if (message.kind !== "events") continue;
    const inThis = new Map<number, string[]>();
    for (const { watchIds, event } of message.events) {
      for (const id of watchIds) inThis.set(id, [...(inThis.get(id) ?? []), event.path]);
    }
    for (const [id, paths] of inThis) told.set(id, [...(told.get(id) ?? []), paths]);
  }
  return told;
}

const lastOf = (heard: readonly ServerMessage[], kind: ServerMessage["kind"]) =>
  heard.findLastIndex((message) => message.kind === kind);

describe("watches that one revision concerns more often than one turn has room for", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test("are told everything, once, in order, and before what shows it", () => {
    const node = new Node();
    const { client } = node.attached(1);
    const { client: author } = node.attached(2);
    client.says(...watchRoot(40));
    node.turn();
    client.take();
    client.says(write(1, create("/own")), {
      kind: "read",
      cxid: 9,
      consistency: "local",
      query: { kind: "exists", path: "/z1" },
    });
    author.says(write(1, ...createMany(1_000)));
    const commands = node.commands();
    // The client's own write and another one come behind it.
    for (const command of [...commands.slice(1), ...commands.slice(0, 1)]) node.apply(command);
    author.says(write(2, create("/later")));
    const heard = heardBy(node, client, 40);
    const made = range(1_000).map((at) => `/z${at}`);
    const told = pathsTold(heard);
    expect(told.size).toBe(40);
    for (const revisions of told.values()) expect(revisions).toEqual([made, ["/own"], ["/later"]]);
    const answers = heard.filter(({ kind }) => kind !== "events").map(({ kind }) => kind);
    expect(answers).toEqual(["writeReply", "readReply"]);
    expect(lastOf(heard, "writeReply")).toBeGreaterThan(
      heard.findIndex(({ kind }) => kind === "events"),
    );
    expect(node.gateway.watchCount).toBe(40);
    client.says({ kind: "removeWatch", cxid: 3, watchId: 1 });
    expect(heardBy(node, client, 39).map(({ kind }) => kind)).toEqual(["watchRemoved"]);
  });

  test("answer nothing before the events that come before it", () => {
    const node = new Node();
    const { client } = node.attached(1);
    client.says(...watchRoot(40));
    node.turn();
    client.take();
    client.says(write(1, ...createMany(1_000)));
    for (const command of node.commands()) node.apply(command);
    client.says({ kind: "ping", pingId: 1 });
    const heard = heardBy(node, client, 40);
    expect(pathsTold(heard.slice(0, lastOf(heard, "writeReply"))).size).toBe(40);
    expect(lastOf(heard, "events")).toBeLessThan(lastOf(heard, "writeReply"));
  });

  test.each([
    ["of one client", 1, 2_000],
    ["of many", 100, 10],
  ])("cost a turn no more than it has room for: %s", (_whose, clients, watches) => {
    const node = new Node();
    const { client: author } = node.attached(200);
    const watching = range(clients).map((mark) => node.attached(mark).client);
    for (const client of watching) client.says(...watchRoot(watches));
    node.turn();
    let most = 0;
    let hits = 0;
    const match = WatchTable.prototype.match;
    vi.spyOn(WatchTable.prototype, "match").mockImplementation(function (
      this: WatchTable<unknown>,
      changes,
    ) {
      const found = match.call(this, changes);
      for (const items of found.values()) for (const { watchIds } of items) hits += watchIds.length;
      return found;
    });
    author.says(write(1, ...createMany(1_000)));
    for (const command of node.commands()) node.apply(command);
    most = hits;
    for (let turn = 0; node.gateway.watchCount < clients * watches && turn < 10_000; turn += 1) {
      hits = 0;
      node.gateway.flush();
      for (const client of watching) client.take();
      most = Math.max(most, hits);
    }
    expect(node.gateway.watchCount).toBe(clients * watches);
    expect(most).toBeLessThan(50_000);
  });

  test("lose events where they are more than their client has room for", () => {
    const node = new Node();
    const { client } = node.attached(1);
    const { client: author } = node.attached(2);
    author.says(write(1, create("/x")));
    node.turn();
    client.says(...range(1_000).map((watchId) => watch("/x", { watchId, mode: "persistent" })));
    node.turn();
    client.take();
    author.says(write(2, ...range(1_000).map(() => set("/x", EMPTY))));
    const heard = heardBy(node, client, 1_000);
    const told = pathsTold(heard);
    const lost = heard.filter(({ kind }) => kind === "watchLost").length;
    expect(told.size + lost).toBe(1_000);
    expect(told.size).toBeGreaterThan(100);
    expect(lost).toBeGreaterThan(100);
    for (const revisions of told.values())
      expect(revisions.map((paths) => paths.length)).toEqual([1_000]);
    expect(node.gateway.watchCount).toBe(1_000);
  });

  test.each([
    ["end", "closeSession", ["writeReply", "sessionClosed", "goodbye SESSION_EXPIRED"]],
    ["go on elsewhere", "sendAway", ["goodbye SHUTTING_DOWN"]],
  ])("leave answers to sessions that %s as they need them", (_what, how, kinds) => {
    const node = new Node();
    const { client, session } = node.attached(1);
    client.says(...watchRoot(40));
    node.turn();
    client.take();
    client.says(write(1, ...createMany(1_000)));
    const [command] = node.commands();
    if (how === "closeSession") client.says({ kind: "closeSession", cxid: 7 });
    node.apply(command!);
    if (how === "closeSession") for (const one of node.commands()) node.apply(one);
    else node.gateway.sendAway("SHUTTING_DOWN", "test");
    expect(client.kinds().filter((kind) => kind !== "events")).toEqual(kinds);
    expect(session).toBeGreaterThan(0);
    expect(node.gateway.watchCount).toBe(0);
  });
});

test("events that no frame can hold are told in groups of watches, each in one message", () => {
  const node = new Node();
  const { client, session } = node.attached(1);
  client.says(write(1, create("/a"), create("/b")));
  node.turn();
  for (const watchId of range(6))
    client.says(watch(watchId <= 3 ? "/a" : "/b", { watchId, withData: true }));
  node.turn();
  client.take();
  const data = new Uint8Array(30_000);
  const below = (path: string) => range(100).map((at) => `${path}/${at}`);
  const ops = [...below("/a"), ...below("/b")].map((path) => create(path, data));
  const ids = { session: sessionId(session), writeSeq: writeSeq(2), ackedSeq: writeSeq(1) };
  node.apply({ kind: "write", ...ids, epoch: 0, ops });
  const heard = heardBy(node, client, 6);
  const told = pathsTold(heard);
  for (const watchId of range(6))
    expect(told.get(watchId)).toEqual([below(watchId <= 3 ? "/a" : "/b")]);
  expect(heard.map(({ kind }) => kind)).toEqual(["events", "events"]);
});
