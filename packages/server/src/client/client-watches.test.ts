import { DataTree, TREE_LIMITS, WatchTable, type WatchHit } from "@quorate/kv-store";
import { sessionId, writeSeq, zxid, type ServerMessage } from "@quorate/kv-store/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  EMPTY,
  MIB,
  Node,
  create,
  hello,
  secret,
  set,
  watch,
  type Client,
} from "../../../../tests/support/gateway-lab.ts";
import { observePoints, type ServerPoint } from "../points.ts";

/** What is looked at in one turn: events, each for every watch it concerns, and the paths of events. */
const work = { hits: 0, paths: 0 };

/** Counts what watches are matched with, and every look at what came of it. */
function countWork(): void {
  Object.assign(work, { hits: 0, paths: 0 });
  const match = WatchTable.prototype.match;
  vi.spyOn(WatchTable.prototype, "match").mockImplementation(function (
    this: WatchTable<unknown>,
    changes,
  ) {
    const counted = new Map<unknown, readonly WatchHit[]>();
    for (const [owner, hits] of match.call(this, changes)) counted.set(owner, hits.map(countHit));
    return counted;
  });
}

function countHit({ watchIds, event }: WatchHit): WatchHit {
  work.hits += watchIds.length;
  const { path, ...rest } = event;
  return {
    watchIds,
    event: {
      ...rest,
      get path() {
        work.paths += 1;
        return path;
      },
    },
  };
}

/** A node where `/a` was created and set again until there were so many revisions; and the one before them. */
function nodeWith(revisions: number, node = new Node()) {
  const since = zxid(node.index + 1);
  node.apply({ kind: "closeSession", session: sessionId(999) });
  for (let seq = 1; seq <= revisions; seq += 1) change(node, seq);
  return { node, since };
}

function change(node: Node, seq: number): void {
  const ops = [seq === 1 ? create("/a") : set("/a", EMPTY)];
  const ackedSeq = seq === 1 ? 0 : writeSeq(seq - 1);
  const session = sessionId(1);
  node.apply({ kind: "write", session, writeSeq: writeSeq(seq), ackedSeq, epoch: 0, ops });
}

function attach(node: Node, count: number): readonly Client[] {
  return Array.from({ length: count }, (_, at) => {
    const mark = secret(0);
    new DataView(mark.buffer).setUint32(0, at + 1);
    const client = node.connect();
    client.says(hello({ secret: mark }));
    node.turn();
    client.take();
    return client;
  });
}

/** Points that are come to from now on. */
function observed(): ReadonlySet<ServerPoint> {
  const points = new Set<ServerPoint>();
  observePoints((point) => points.add(point));
  return points;
}

const zxidsOf = (messages: readonly ServerMessage[]) =>
  messages.flatMap((message) => (message.kind === "events" ? [message.zxid] : []));

const range = (from: number, count: number) => Array.from({ length: count }, (_, at) => from + at);

/** Turns until nobody has anything more to hear; what each took and told. */
function turns(
  node: Node,
  clients: readonly Client[],
  onTurn: (turn: number, heard: readonly (readonly ServerMessage[])[]) => void = () => undefined,
) {
  const heard = clients.map((): ServerMessage[] => []);
  const told: number[] = [];
  const hits: number[] = [];
  for (let turn = 0; turn < 1_000 && node.gateway.watchCount < clients.length; turn += 1) {
    work.hits = 0;
    node.gateway.flush();
    hits.push(work.hits);
    let messages = 0;
    for (const [at, client] of clients.entries()) {
      const said = client.take();
      heard[at]?.push(...said);
      messages += said.length;
    }
    told.push(messages);
    onTurn(turn, heard);
  }
  return { heard, told, hits };
}

describe("watches that resume", () => {
  afterEach(() => {
    observePoints(null);
    vi.restoreAllMocks();
  });

  test("lose what is too much at no more cost than that of finding it", () => {
    const node = new Node();
    const [client] = attach(node, 1);
    const { since } = nodeWith(1_000, node);
    countWork();
    // Room for a fifth of it.
    client!.bufferedBytes = 8 * MIB - 190_000;
    const watches = range(1, 100).map((id) => watch("/", { watchId: id, sinceZxid: since }));
    client!.says(...watches);
    for (let turn = 0; turn < 10; turn += 1) node.gateway.flush();
    const heard = client!.take();
    const added = heard.filter(({ kind }) => kind === "watchAdded").length;
    const lost = heard.filter(({ kind }) => kind === "watchLost").length;
    expect([added + lost, zxidsOf(heard).length]).toEqual([100, 1_000]);
    expect(added).toBeGreaterThan(5);
    // Found, told and sent, each a few times; not once more for every watch that is lost.
    expect(work.paths).toBeLessThan(10 * 1_000);
    // Who has lost everything is not looked for any more.
    expect(work.hits).toBeLessThan(50_000);
  });

  test("are served some in a turn, each with everything it missed, once and in order", () => {
    const node = new Node();
    const clients = attach(node, 200);
    const { since } = nodeWith(300, node);
    countWork();
    for (const client of clients) client.says(watch("/", { sinceZxid: since }));
    const { heard, told, hits } = turns(node, clients, (turn) => {
      // Others go on meanwhile.
      if (turn < 20) change(node, 301 + turn);
    });
    expect(Math.max(...hits)).toBeLessThan(17_000);
    expect(Math.max(...told)).toBeLessThan(10_000);
    const all = range(since + 1, node.index - since);
    for (const messages of heard) {
      expect(messages[0]?.kind).toBe("watchAdded");
      const after = messages.length < all.length + 1 ? all.slice(0, messages.length - 1) : all;
      expect(zxidsOf(messages)).toEqual(after);
    }
    expect(heard.filter((messages) => messages.length <= 300)).toEqual([]);
  });

  test("wait in line where all of them missed more than there is memory for", () => {
    const points = observed();
    const node = new Node();
    const clients = attach(node, 700);
    const { since } = nodeWith(300, node);
    for (const client of clients) client.says(watch("/", { sinceZxid: since }));
    const { heard } = turns(node, clients);
    expect(points).toContain("resuming_clients_wait_for_memory");
    for (const messages of heard) {
      expect(messages[0]?.kind).toBe("watchAdded");
      expect(zxidsOf(messages)).toEqual(range(since + 1, 300));
    }
  });

  test("wait in line where they are many", () => {
    const points = observed();
    const node = new Node();
    const clients = attach(node, 3);
    const { since } = nodeWith(10, node);
    for (const client of clients) {
      for (const hundred of range(0, 60)) {
        const ids = range(100 * hundred + 1, 100);
        client.says(...ids.map((id) => watch("/b", { watchId: id, sinceZxid: since })));
      }
    }
    const added = range(1, 3).map(() => {
      node.gateway.flush();
      return clients.map((client) => client.take().length);
    });
    expect(points).toContain("resuming_clients_left_for_another_walk");
    expect(added).toEqual([
      [6_000, 0, 0],
      [0, 6_000, 0],
      [0, 0, 6_000],
    ]);
  });

  test("wait until what the others were told had its turn to leave", () => {
    const points = observed();
    const node = new Node();
    const clients = attach(node, 150);
    const { since } = nodeWith(1_000, node);
    for (const client of clients) {
      // So that one of them is sent to in a turn.
      const send = client.send.bind(client);
      client.send = (frame) => {
        send(frame);
        node.clock.stall(5);
      };
      client.says(watch("/", { sinceZxid: since }));
    }
    const behind: number[] = [];
    const { heard } = turns(node, clients, (_turn, soFar) => {
      const served = soFar.filter(({ length }) => length > 0).length;
      behind.push(node.gateway.watchCount - served);
    });
    expect(points).toContain("walk_waits_for_what_was_told_to_leave");
    expect(Math.max(...behind)).toBeLessThan(115);
    for (let turn = 0; turn < 200; turn += 1) node.gateway.flush();
    for (const [at, client] of clients.entries()) {
      expect(zxidsOf([...(heard[at] ?? []), ...client.take()])).toEqual(range(since + 1, 1_000));
    }
  });

  test("that came twice on one connection stay together when they have to wait", () => {
    const node = new Node();
    const clients = attach(node, 700);
    const { since } = nodeWith(300, node);
    for (const client of clients) client.says(watch("/", { sinceZxid: since }));
    node.gateway.flush();
    const last = clients.at(-1);
    last?.says(watch("/", { watchId: 2, sinceZxid: zxid(since + 299) }));
    last?.says(watch("/", { watchId: 2, sinceZxid: since }));
    const { heard } = turns(node, clients);
    const messages = heard.at(-1) ?? [];
    expect(messages.slice(0, 3)).toMatchObject([
      { kind: "watchRefused", watchId: 2, code: "BAD_ARGUMENTS" },
      { kind: "watchAdded", watchId: 1 },
      { kind: "watchAdded", watchId: 2 },
    ]);
    expect(zxidsOf(messages)).toEqual(range(since + 1, 300));
    expect(messages.at(-1)).toMatchObject({ kind: "events", events: [{ watchIds: [1, 2] }] });
  });

  test("lose nothing that is still known when the log is cut during the walk", () => {
    const node = new Node();
    node.tree = new DataTree({ ...TREE_LIMITS, changeLogCountMax: 6_000 });
    const [early, late] = attach(node, 2);
    const { since } = nodeWith(6_000, node);
    early?.says(watch("/", { sinceZxid: since }));
    late?.says(watch("/", { sinceZxid: zxid(since + 5_900) }));
    node.gateway.flush();
    for (let seq = 6_001; seq <= 11_000; seq += 1) change(node, seq);
    const { heard } = turns(node, [early!, late!]);
    expect(heard[0]).toMatchObject([{ kind: "watchLost" }]);
    expect(zxidsOf(heard[1] ?? [])).toEqual(range(since + 5_901, 5_100));
  });
});
