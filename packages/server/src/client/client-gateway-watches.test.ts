import { DataTree, TREE_LIMITS, decodeCommand, encodeCommand } from "@quorate/kv-store";
import {
  PROTOCOL_LIMITS,
  sessionId,
  writeSeq,
  zxid,
  type WriteOp,
} from "@quorate/kv-store/protocol";
import { logIndex } from "@quorate/raft";
import { describe, expect, test, vi } from "vitest";
import {
  EMPTY,
  MIB,
  Node,
  write,
  create,
  remove,
  set,
  watch,
} from "../../../../tests/support/gateway-lab.ts";

describe("watches", () => {
  test("deliver events before the reply that shows the new state", () => {
    const node = new Node();
    const { client } = node.attached();
    client.says(watch("/"), write(1, create("/a")));
    node.turn();
    expect(client.kinds()).toEqual(["watchAdded", "events", "writeReply"]);
  });

  test("deliver events before a read that shows the new state", () => {
    const node = new Node();
    const { client } = node.attached(1);
    const { client: other } = node.attached(2);
    client.says(watch("/"), {
      kind: "read",
      cxid: 2,
      consistency: "linearizable",
      query: { kind: "exists", path: "/a" },
    });
    node.reads.flush();
    other.says(write(1, create("/a")));
    node.reads.onReadState({ context: node.asked[0]!, index: logIndex(node.index + 1) });
    node.gateway.flush();
    expect(client.kinds()).toEqual(["watchAdded"]);
    node.turn();
    const [events, reply] = client.take();
    expect(events).toMatchObject({ kind: "events", events: [{ watchIds: [1] }] });
    expect(reply).toMatchObject({ kind: "readReply", reply: { value: { stat: { czxid: 3 } } } });
  });

  test("resume with everything missed, a revision a message, then go on", () => {
    const node = new Node();
    const { client } = node.attached();
    client.says(write(1, create("/a")));
    client.says(write(2, create("/a/x"), create("/b"), create("/a/y")));
    client.says(write(3, create("/a/z")));
    node.turn();
    client.take();
    client.says(watch("/a", { sinceZxid: zxid(2) }));
    client.says(write(4, remove("/a/x")));
    node.turn();
    node.turn();
    const paths = client
      .take()
      .map((message) =>
        message.kind === "events" ? message.events.map(({ event }) => event.path) : message.kind,
      );
    expect(paths).toEqual(["watchAdded", ["/a/x", "/a/y"], ["/a/z"], ["/a/x"], "writeReply"]);
  });

  test("from a revision that is still to come here are told that they may have lost something, and stand", () => {
    const node = new Node();
    const { client } = node.attached();
    client.says(watch("/", { sinceZxid: zxid(1) }), watch("/", { watchId: 2, sinceZxid: zxid(2) }));
    node.turn();
    expect(client.take()).toMatchObject([
      { kind: "watchLost", watchId: 2, oldestZxid: 1, zxid: 1 },
      { kind: "watchAdded", watchId: 1, zxid: 1 },
    ]);
    client.says(write(1, create("/a")));
    node.turn();
    expect(client.take()).toMatchObject([
      { kind: "events", zxid: 2, events: [{ watchIds: [2, 1] }] },
      { kind: "writeReply", writeSeq: 1 },
    ]);
  });

  test("that reach back further than the change log are told what they lost, and stand", () => {
    const node = new Node();
    node.tree = new DataTree({ ...TREE_LIMITS, changeLogCountMax: 2 });
    const { client } = node.attached();
    for (let seq = 1; seq <= 4; seq += 1) client.says(write(seq, create(`/${seq}`)));
    node.turn();
    client.take();
    client.says(watch("/", { sinceZxid: zxid(1) }), write(5, create("/5")));
    node.turn();
    node.turn();
    const [lost, ...rest] = client.take();
    expect(lost).toMatchObject({ kind: "watchLost", watchId: 1, zxid: 5 });
    expect(rest.map(({ kind }) => kind)).toEqual(["events", "writeReply"]);
  });

  test("that missed more than the client can take in are told so instead of ending it", () => {
    const node = new Node();
    const { client } = node.attached();
    const data = new Uint8Array(MIB);
    client.says(write(1, create("/a")));
    for (let seq = 2; seq <= 12; seq += 1) {
      client.says(write(seq, set("/a", data)));
      node.turn();
    }
    client.take();
    client.says(watch("/", { sinceZxid: zxid(1), withData: true }));
    node.gateway.flush();
    expect(client.take()).toMatchObject([{ kind: "watchLost", oldestZxid: 13, zxid: 13 }]);
    expect(client.state).toBe("open");
  });

  test("of a client that has left more than half of what it may unread lose what they missed, and stand", () => {
    const node = new Node();
    const { client } = node.attached();
    client.says(write(1, create("/a")));
    client.says(write(2, create("/b")));
    node.turn();
    client.take();
    client.bufferedBytes = 9 * MIB;
    client.says(
      watch("/", { watchId: 1, sinceZxid: zxid(1) }),
      watch("/c", { watchId: 2, sinceZxid: zxid(1) }),
    );
    node.gateway.flush();
    expect(client.take()).toMatchObject([
      { kind: "watchLost", watchId: 1, oldestZxid: 3, zxid: 3 },
      { kind: "watchAdded", watchId: 2, zxid: 3 },
    ]);
    client.says(write(3, create("/c")));
    node.turn();
    expect(client.take()).toMatchObject([
      { kind: "events", events: [{ watchIds: [2, 1] }] },
      { kind: "writeReply" },
    ]);
    expect(client.state).toBe("open");
  });

  test("resume in steps, all that came together at once, and nothing is worked on before", () => {
    const node = new Node();
    const { client: writer } = node.attached(1);
    const { client } = node.attached(2);
    const since = node.index;
    for (let seq = 1; seq <= 10_000; seq += 1) {
      const op = seq === 1 ? create("/a") : seq === 9000 ? create("/b") : set("/a", EMPTY);
      node.apply(decodeCommand(encodeWrite(seq, [op])).command);
    }
    node.gateway.flush();
    writer.take();
    const walked = vi.spyOn(node.tree, "changesSince");
    const watches = Array.from({ length: 500 }, (_, at) =>
      watch(`/${at}`, { cxid: at + 1, watchId: at + 1, sinceZxid: zxid(since) }),
    );
    client.says(...watches, watch("/b", { watchId: 501, sinceZxid: zxid(since) }));
    client.says(write(1, create("/7")));
    for (let step = 0; step < 2; step += 1) {
      node.turn();
      expect(client.take()).toEqual([]);
    }
    expect(node.commands()).toEqual([]);
    node.gateway.flush();
    const heard = client.take();
    expect(heard.slice(0, 501).every(({ kind }) => kind === "watchAdded")).toBe(true);
    expect(heard.slice(501)).toMatchObject([
      { kind: "events", events: [{ watchIds: [501], event: { kind: "created", path: "/b" } }] },
    ]);
    expect(walked.mock.calls.length).toBeLessThan(10);
    node.turn();
    const [event, reply] = client.take();
    expect(event).toMatchObject({ kind: "events", events: [{ watchIds: [8] }] });
    expect(reply).toMatchObject({ kind: "writeReply" });
  });

  test("that missed much lose it, not those beside them", () => {
    const node = new Node();
    const { client } = node.attached();
    const data = new Uint8Array(MIB);
    client.says(write(1, create("/a"), create("/b")));
    for (let seq = 2; seq <= 12; seq += 1) {
      client.says(write(seq, set("/a", data), set("/b", EMPTY)));
      node.turn();
    }
    client.take();
    client.says(
      watch("/b", { watchId: 1, sinceZxid: zxid(1), withData: true }),
      watch("/a", { watchId: 2, sinceZxid: zxid(1), withData: true }),
      watch("/a", { watchId: 3, sinceZxid: zxid(11) }),
    );
    node.gateway.flush();
    const heard = client.take();
    expect(heard.slice(0, 3)).toMatchObject([
      { kind: "watchAdded", watchId: 1 },
      { kind: "watchLost", watchId: 2 },
      { kind: "watchAdded", watchId: 3 },
    ]);
    const events = heard.flatMap((message) => (message.kind === "events" ? message.events : []));
    const toldTo = (watchId: number) => events.filter(({ watchIds }) => watchIds.includes(watchId));
    expect([toldTo(1).length, toldTo(2).length, toldTo(3).length]).toEqual([12, 0, 2]);
  });

  test("that went with their connection while they resumed leave nothing behind", () => {
    const node = new Node();
    const { client } = node.attached();
    client.says(write(1, create("/a")));
    node.turn();
    client.take();
    client.says(watch("/a", { sinceZxid: zxid(1) }));
    client.drops();
    node.turn();
    expect(client.take()).toEqual([]);
    expect(node.gateway.watchCount).toBe(0);
  });

  test("get the events of one revision even if one message cannot hold them all", () => {
    const node = new Node();
    const { client } = node.attached();
    const ops = Array.from({ length: 4 }, (_, at) => create(`/${at}`, new Uint8Array(1_040_000)));
    client.says(
      watch("/", { watchId: 1 }),
      watch("/", { watchId: 2, withData: true }),
      watch("/1", { watchId: 3, withData: true }),
    );
    for (const bytes of [
      encodeWrite(1, ops),
      encodeWrite(
        2,
        ops.map((_, at) => set(`/${at}`, new Uint8Array(1_048_000))),
      ),
    ]) {
      node.apply(decodeCommand(bytes).command);
    }
    node.gateway.flush();
    const heard = client.take();
    expect(client.state).toBe("open");
    const eventsFor = (watchId: number) =>
      heard
        .flatMap((message) => (message.kind === "events" ? message.events : []))
        .filter(({ watchIds }) => watchIds.includes(watchId)).length;
    const lostFor = (watchId: number) =>
      heard.filter((message) => message.kind === "watchLost" && message.watchId === watchId).length;
    expect(eventsFor(1) + 4 * lostFor(1)).toBe(8);
    expect(eventsFor(2) + 4 * lostFor(2)).toBe(8);
    expect(eventsFor(3)).toBe(2);
    expect(lostFor(2)).toBe(1);
  });

  test.each([
    ["a path that none can have", { path: "nothing" }, "BAD_PATH"],
    ["a number in use", { watchId: 1 }, "BAD_ARGUMENTS"],
  ])("are refused for %s", (_what, changes, code) => {
    const node = new Node();
    const { client } = node.attached();
    client.says(watch("/"));
    client.says(watch("/a", { cxid: 2, watchId: 2, ...changes }));
    node.gateway.flush();
    expect(client.take()).toMatchObject([
      { kind: "watchAdded" },
      { kind: "watchRefused", cxid: 2, code },
    ]);
  });

  test("are bounded, and go with their connection", () => {
    const node = new Node();
    const { client } = node.attached();
    for (let at = 1; at <= PROTOCOL_LIMITS.watchesMax; at += 1)
      client.says(watch("/", { watchId: at }));
    client.says(watch("/", { watchId: PROTOCOL_LIMITS.watchesMax + 1 }));
    node.gateway.flush();
    expect(client.take().at(-1)).toMatchObject({ kind: "watchRefused", code: "OVERLOADED" });
    client.drops();
    expect(node.gateway.watchCount).toBe(0);
  });

  test.each([
    ["number", { watchesMax: 3 }, "/a"],
    ["memory", { watchBytesMax: 3_000 }, `/${"a".repeat(100)}`],
  ])("of all clients together are bounded in %s, those that resume too", (_what, limits, path) => {
    const node = new Node();
    Object.assign(node.watchLimits, limits);
    const [first, second] = [node.attached().client, node.attached(2).client];
    first.says(watch(path, { watchId: 1 }), watch(path, { watchId: 2, sinceZxid: zxid(1) }));
    second.says(watch(path, { watchId: 1 }), watch(path, { watchId: 2 }));
    node.turn();
    expect(second.take()).toMatchObject([
      { kind: "watchAdded", watchId: 1 },
      { kind: "watchRefused", watchId: 2, code: "OVERLOADED" },
    ]);
    expect(node.gateway.watchCount).toBe(3);
    first.drops();
    second.says(
      watch(path, { watchId: 3 }),
      watch(path, { watchId: 4 }),
      watch(path, { watchId: 5 }),
    );
    node.turn();
    expect(second.take()).toMatchObject([
      { kind: "watchAdded", watchId: 3 },
      { kind: "watchAdded", watchId: 4 },
      { kind: "watchRefused", watchId: 5 },
    ]);
  });

  test("that resume free what they take when their client goes", () => {
    const node = new Node();
    Object.assign(node.watchLimits, { watchesMax: 1 });
    const { client } = node.attached();
    client.says(watch("/a", { sinceZxid: zxid(1) }));
    client.drops();
    const { client: next } = node.attached(2);
    next.says(watch("/a"));
    node.turn();
    expect(next.take()).toMatchObject([{ kind: "watchAdded" }]);
  });

  test("that were removed deliver nothing more", () => {
    const node = new Node();
    const { client } = node.attached();
    client.says(watch("/"), { kind: "removeWatch", cxid: 2, watchId: 1 }, write(1, create("/a")));
    node.turn();
    expect(client.kinds()).toEqual(["watchAdded", "watchRemoved", "writeReply"]);
  });

  function encodeWrite(seq: number, ops: readonly WriteOp[]): Uint8Array {
    return encodeCommand({
      ...{ kind: "write", session: sessionId(1), writeSeq: writeSeq(seq), epoch: 0, ops },
      ackedSeq: seq === 1 ? 0 : writeSeq(seq - 1),
    });
  }
});
