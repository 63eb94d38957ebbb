import {
  DataTree,
  TREE_LIMITS,
  decodeCommand,
  encodeCommand,
  type Command,
} from "@quorate/kv-store";
import {
  PROTOCOL_LIMITS,
  PROTOCOL_VERSION,
  decodeServerFrame,
  encodeClientFrame,
  sessionId,
  writeSeq,
  zxid,
  type ClientMessage,
  type Hello,
  type ServerMessage,
  type WriteOp,
} from "@quorate/kv-store/protocol";
import { logIndex, nodeId, term, type ReadContext } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { Liveness } from "../liveness.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import type { Connection, ConnectionHandlers } from "../ports.ts";
import { growsTree } from "../proposal-growth.ts";
import { Proposals } from "../proposals.ts";
import { ReadIndexes } from "../reads.ts";
import { ClientGateway } from "./client-gateway.ts";
import { verifierOf } from "./verifier.ts";

const SELF = nodeId(1);
const HISTORY = "history-1";
const EMPTY = new Uint8Array(0);
const MIB = 1_048_576;

class Client implements Connection {
  readonly remote = "client:1";
  said: ServerMessage[] = [];
  bufferedBytes = 0;
  state: "open" | "closed" | "destroyed" = "open";
  #handlers: ConnectionHandlers | null = null;

  setHandlers(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }
  send(frame: Uint8Array): void {
    this.said.push(...decodeServerFrame(frame));
  }
  pause(): void {}
  resume(): void {}
  close(): void {
    this.state = "closed";
  }
  destroy(): void {
    this.state = "destroyed";
  }
  says(...messages: readonly ClientMessage[]): void {
    this.#handlers?.onFrame(encodeClientFrame(messages));
  }
  drops(): void {
    this.#handlers?.onClose("gone");
  }
  /** Everything heard since the last call. */
  take(): readonly ServerMessage[] {
    const said = this.said;
    this.said = [];
    return said;
  }
  kinds(): readonly string[] {
    return this.take().map((message) =>
      message.kind === "goodbye" ? `goodbye ${message.code}` : message.kind,
    );
  }
}

/** A node's clients over a log that commits when the test says so. */
class Node {
  readonly clock = new ManualClock();
  tree = new DataTree(TREE_LIMITS);
  readonly log: Uint8Array[] = [];
  readonly asked: ReadContext[] = [];
  readonly touches: { batch: number; sessions: readonly number[] }[] = [];
  index = 0;
  readonly proposals = new Proposals(
    { pendingBytesMax: 8 * MIB, pendingCountMax: 100 },
    {
      toSelf: (_batch, commands) => void this.log.push(...commands),
      toLeader: () => undefined,
    },
  );
  readonly reads = new ReadIndexes(1, { requestIndex: (context) => void this.asked.push(context) });
  readonly liveness = new Liveness({
    nowMs: () => this.clock.nowMs(),
    sendTouches: (_to, batch, sessions) => void this.touches.push({ batch, sessions }),
  });
  readonly gateway = new ClientGateway({
    identity: {
      nodeId: SELF,
      name: "one",
      clusterId: "cluster",
      historyId: HISTORY,
      servers: () => ["one:1", "two:1"],
    },
    outboxLimits: { bufferedBytesMax: 16 * MIB, frameMessagesMax: 2048, frameBytesMax: 262_144 },
    clock: this.clock,
    proposals: this.proposals,
    reads: this.reads,
    liveness: this.liveness,
    tree: () => this.tree,
    appliedIndex: () => this.index,
    wake: () => undefined,
  });

  constructor() {
    this.proposals.setLeader(SELF, true, term(1));
    this.liveness.setLeader(SELF);
    this.clock.advance(1000);
  }

  /** What the log holds after this turn, taken out of it. */
  proposed(): readonly Uint8Array[] {
    this.proposals.flush();
    return this.log.splice(0);
  }

  commands(): readonly Command[] {
    return this.proposed().map((bytes) => decodeCommand(bytes).command);
  }

  apply(command: Command): void {
    this.index += 1;
    const stamp = { timeMs: 1, clockMs: 1 };
    this.gateway.onApplied(this.tree.apply(zxid(this.index), 1, stamp, command));
  }

  /** Everything proposed is applied, what comes of it leaves. */
  turn(): void {
    for (const command of this.commands()) this.apply(command);
    this.gateway.flush();
  }

  connect(): Client {
    const client = new Client();
    this.gateway.accept(client);
    return client;
  }

  /** A client with a session of its own; nothing it heard so far counts. */
  attached(mark = 1): { readonly client: Client; readonly session: number } {
    const client = this.connect();
    client.says(hello({ secret: secret(mark) }));
    this.turn();
    const [welcome] = client.take();
    if (welcome?.kind !== "welcome") throw new Error("no welcome");
    return { client, session: welcome.session };
  }
}

const secret = (mark: number) => new Uint8Array(16).fill(mark);

function hello(changes: Partial<Hello> = {}): Hello {
  return {
    kind: "hello",
    protocolVersion: PROTOCOL_VERSION,
    session: null,
    secret: secret(1),
    timeoutMs: 5000,
    lastZxid: 0,
    historyId: "",
    clientName: "test",
    ...changes,
  };
}

const write = (seq: number, ...ops: readonly WriteOp[]): ClientMessage => ({
  kind: "write",
  writeSeq: writeSeq(seq),
  ackedSeq: 0,
  ops,
});
const create = (path: string, data: Uint8Array = EMPTY): WriteOp => ({
  kind: "create",
  path,
  data,
  mode: "persistent",
});
const remove = (path: string): WriteOp => ({ kind: "delete", path, version: null });
const set = (path: string, data: Uint8Array): WriteOp => ({
  kind: "set",
  path,
  data,
  version: null,
});
const watch = (
  path: string,
  changes: Partial<Extract<ClientMessage, { kind: "addWatch" }>> = {},
): ClientMessage => ({
  kind: "addWatch",
  cxid: 1,
  watchId: 1,
  path,
  mode: "recursive",
  withData: false,
  sinceZxid: null,
  ...changes,
});

describe("attaching", () => {
  test("opens a session once the log has decided, and welcomes its client", () => {
    const node = new Node();
    const client = node.connect();
    client.says(hello());
    node.gateway.flush();
    expect(client.take()).toEqual([]);
    node.turn();
    expect(client.take()).toEqual([
      {
        kind: "welcome",
        protocolVersion: PROTOCOL_VERSION,
        session: 1,
        timeoutMs: 5000,
        zxid: 1,
        lastWriteSeq: 0,
        clusterId: "cluster",
        historyId: HISTORY,
        node: "one",
        servers: ["one:1", "two:1"],
      },
    ]);
    expect(node.proposals.pendingCount).toBe(0);
  });

  test("again with the same secret gives the same session", () => {
    const node = new Node();
    const { client, session } = node.attached();
    const again = node.connect();
    again.says(hello());
    node.turn();
    expect(again.take()).toMatchObject([{ kind: "welcome", session }]);
    expect(client.kinds()).toEqual(["goodbye SESSION_MOVED"]);
  });

  test("twice at once leaves the later connection with the session", () => {
    const node = new Node();
    const [early, late] = [node.connect(), node.connect()];
    early.says(hello());
    late.says(hello());
    node.turn();
    expect(early.kinds()).toEqual(["goodbye SESSION_MOVED"]);
    expect(late.kinds()).toEqual(["welcome"]);
    expect(node.gateway.connectionCount).toBe(1);
  });

  test("to another node ends the connection here", () => {
    const node = new Node();
    const { client, session } = node.attached();
    client.says(write(1, create("/a")));
    node.proposed();
    node.apply({
      kind: "attach",
      session: sessionId(session),
      verifier: verifierOf(secret(1)),
      timeoutMs: 5000,
      attach: { node: 2, address: "", principal: "", clientName: "" },
    });
    expect(client.kinds()).toEqual(["goodbye SESSION_MOVED"]);
    expect(node.proposals.pendingCount).toBe(0);
  });

  test("to a session that is over, or with the wrong secret, is refused for good", () => {
    const node = new Node();
    const { session } = node.attached();
    for (const wrong of [
      hello({ session: sessionId(session), secret: secret(9) }),
      hello({ session: sessionId(999) }),
    ]) {
      const client = node.connect();
      client.says(wrong);
      node.turn();
      expect(client.take()).toMatchObject([
        { kind: "goodbye", code: "SESSION_EXPIRED", fatal: true },
      ]);
    }
  });

  test("is refused with another history, before the log", () => {
    const node = new Node();
    const client = node.connect();
    client.says(hello({ historyId: "other" }));
    expect(client.take()).toMatchObject([
      { kind: "goodbye", code: "HISTORY_CHANGED", fatal: true },
    ]);
    expect(node.proposed()).toEqual([]);
  });

  test("that nobody decides in time sends the client elsewhere, and is not sent again", () => {
    const node = new Node();
    const client = node.connect();
    client.says(hello());
    node.proposed();
    node.clock.advance(1999);
    node.gateway.onTick();
    expect(client.take()).toEqual([]);
    node.clock.advance(1);
    node.gateway.onTick();
    expect(client.take()).toMatchObject([{ kind: "goodbye", code: "NOT_READY", fatal: false }]);
    node.proposals.resendAll();
    expect(node.proposed()).toEqual([]);
  });

  test("that is never asked for ends the connection", () => {
    const node = new Node();
    const client = node.connect();
    const { client: busy } = node.attached();
    node.clock.advance(3000);
    node.gateway.onTick();
    expect(client.kinds()).toEqual(["goodbye PROTOCOL_ERROR"]);
    expect(busy.state).toBe("open");
  });

  test("is given up with the connection", () => {
    const node = new Node();
    const client = node.connect();
    client.says(hello());
    client.drops();
    expect(node.proposals.pendingCount).toBe(0);
    node.turn();
    expect(client.take()).toEqual([]);
    expect(node.gateway.connectionCount).toBe(0);
  });
});

describe("writes", () => {
  test("are answered by number, each once, with what they did", () => {
    const node = new Node();
    const { client } = node.attached();
    client.says(write(1, create("/a")), write(2, remove("/nothing")));
    const commands = node.commands();
    for (const command of [...commands, ...commands]) node.apply(command);
    node.gateway.flush();
    expect(client.take()).toMatchObject([
      { kind: "writeReply", writeSeq: 1, outcome: { ok: true } },
      { kind: "writeReply", writeSeq: 2, outcome: { ok: false, code: "NO_NODE" } },
    ]);
  });

  test("that met a gap are sent again on the next tick and then answered", () => {
    const node = new Node();
    const { client } = node.attached();
    client.says(write(1, create("/a")), write(2, create("/b")), write(3, create("/c")));
    for (const command of node.commands().slice(1)) node.apply(command);
    node.gateway.flush();
    expect(client.take()).toEqual([]);
    expect(node.proposed()).toEqual([]);
    node.gateway.onTick();
    node.turn();
    expect(client.take().map((message) => "writeSeq" in message && message.writeSeq)).toEqual([
      1, 2, 3,
    ]);
  });

  test("that a session's full window keeps out go back to the client for a later acknowledgement", () => {
    const node = new Node();
    const { client } = node.attached();
    const ops = Array.from({ length: 1024 }, (): WriteOp => ({
      kind: "check",
      path: "/",
      version: null,
    }));
    const refused: ServerMessage[] = [];
    let seq = 0;
    while (refused.length === 0 && seq < 100) {
      seq += 1;
      client.says(write(seq, ...ops));
      node.turn();
      refused.push(...client.take().filter(({ kind }) => kind === "refused"));
    }
    expect(refused).toMatchObject([{ kind: "refused", fromSeq: seq, code: "OVERLOADED" }]);
    client.says({ kind: "write", writeSeq: writeSeq(seq), ackedSeq: writeSeq(seq - 1), ops });
    node.turn();
    expect(client.take()).toMatchObject([{ kind: "writeReply", writeSeq: seq }]);
  });

  test("beyond what may wait are refused before the log", () => {
    const node = new Node();
    const { client } = node.attached();
    for (let seq = 1; seq <= 101; seq += 1) client.says(write(seq, create(`/${seq}`)));
    node.gateway.flush();
    expect(client.take()).toMatchObject([{ kind: "refused", fromSeq: 101, code: "OVERLOADED" }]);
    expect(node.proposed()).toHaveLength(100);
  });
});

describe("a full disk", () => {
  const growing = (bytes: Uint8Array) => growsTree(decodeCommand(bytes).command);

  test("takes back what would grow the tree and never left, and everything behind it", () => {
    const node = new Node();
    const { client } = node.attached();
    client.says(write(1, remove("/x")), write(2, create("/a")), write(3, remove("/y")));
    node.proposed();
    node.proposals.noteRefused(2);
    node.gateway.refuseWaiting(growing, "DISK_FULL", 100);
    node.gateway.flush();
    expect(client.take()).toMatchObject([{ kind: "refused", fromSeq: 2, code: "DISK_FULL" }]);
    node.proposals.resendAll();
    expect(node.commands()).toMatchObject([{ writeSeq: 1 }]);
  });

  test("takes nothing back that may stand in a log", () => {
    const node = new Node();
    const { client } = node.attached();
    client.says(write(1, create("/a")));
    const commands = node.commands();
    node.gateway.refuseWaiting(growing, "DISK_FULL", 100);
    for (const command of commands) node.apply(command);
    node.gateway.flush();
    expect(client.kinds()).toEqual(["writeReply"]);
  });

  test("sends away who wants a new session, not who has one", () => {
    const node = new Node();
    const { session } = node.attached();
    const [fresh, known] = [node.connect(), node.connect()];
    fresh.says(hello({ secret: secret(5) }));
    known.says(hello({ session: sessionId(session) }));
    node.gateway.refuseWaiting(growing, "DISK_FULL", 100);
    expect(fresh.take()).toMatchObject([{ kind: "goodbye", code: "DISK_FULL", fatal: false }]);
    node.turn();
    expect(known.kinds()).toEqual(["welcome"]);
  });
});

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
    const paths = client
      .take()
      .map((message) =>
        message.kind === "events" ? message.events.map(({ event }) => event.path) : message.kind,
      );
    expect(paths).toEqual(["watchAdded", ["/a/x", "/a/y"], ["/a/z"], ["/a/x"], "writeReply"]);
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
    expect(eventsFor(1)).toBe(8);
    expect(eventsFor(3)).toBe(2);
    const lost = heard.filter((message) => message.kind === "watchLost");
    expect(eventsFor(2) + 4 * lost.length).toBe(8);
    expect(lost.length).toBeGreaterThan(0);
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

  test("that were removed deliver nothing more", () => {
    const node = new Node();
    const { client } = node.attached();
    client.says(watch("/"), { kind: "removeWatch", cxid: 2, watchId: 1 }, write(1, create("/a")));
    node.turn();
    expect(client.kinds()).toEqual(["watchAdded", "watchRemoved", "writeReply"]);
  });

  function encodeWrite(seq: number, ops: readonly WriteOp[]): Uint8Array {
    return encodeCommand({
      ...{ kind: "write", session: sessionId(1), writeSeq: writeSeq(seq), ackedSeq: 0 },
      ...{ epoch: 0, ops },
    });
  }
});

describe("locks", () => {
  test("are granted to the winner alone", () => {
    const node = new Node();
    const { client: holder } = node.attached(1);
    const { client: waiter } = node.attached(2);
    const { client: witness } = node.attached(3);
    const acquire: WriteOp = { kind: "acquire", path: "/lock", data: EMPTY, wait: true };
    holder.says(write(1, acquire));
    waiter.says(write(1, acquire));
    node.turn();
    for (const client of [holder, waiter]) client.take();
    holder.says({ kind: "closeSession", cxid: 5 });
    node.turn();
    expect(waiter.take()).toMatchObject([{ kind: "granted", path: "/lock" }]);
    expect(holder.kinds()).toEqual(["sessionClosed", "goodbye SESSION_EXPIRED"]);
    expect(witness.take()).toEqual([]);
  });
});

describe("the end of a session", () => {
  test("comes after the writes that were asked for before it, also when they are sent again", () => {
    const node = new Node();
    const { client } = node.attached();
    client.says(write(1, create("/a")), { kind: "closeSession", cxid: 2 });
    expect(node.commands()).toMatchObject([{ kind: "write" }]);
    node.proposals.setLeader(SELF, true, term(2));
    node.turn();
    node.turn();
    expect(client.kinds()).toEqual(["writeReply", "sessionClosed", "goodbye SESSION_EXPIRED"]);
    expect(node.proposals.pendingCount).toBe(0);
  });

  test("is told when a leader found it silent", () => {
    const node = new Node();
    const { client, session } = node.attached();
    node.apply({
      kind: "expireSessions",
      term: 1,
      basis: zxid(node.index),
      sessions: [sessionId(session)],
    });
    expect(client.take()).toMatchObject([
      { kind: "goodbye", code: "SESSION_EXPIRED", fatal: true },
    ]);
    expect(node.gateway.connectionCount).toBe(0);
  });

  test("that a snapshot skipped is told as well, and nothing of it is proposed again", () => {
    const node = new Node();
    const { client } = node.attached(1);
    const { client: living, session } = node.attached(2);
    client.says({ kind: "closeSession", cxid: 2 });
    node.commands();
    const open = (mark: number, at: number) =>
      node.tree.apply(
        zxid(at),
        1,
        { timeMs: 1, clockMs: 1 },
        {
          kind: "openSession",
          verifier: verifierOf(secret(mark)),
          timeoutMs: 5000,
          attach: { node: 1, address: "", principal: "", clientName: "" },
        },
      );
    node.tree = new DataTree(TREE_LIMITS);
    open(2, session);
    node.gateway.onSnapshotInstalled();
    expect(client.kinds()).toEqual(["goodbye SESSION_EXPIRED"]);
    expect(living.kinds()).toEqual(["goodbye NOT_READY"]);
    expect(node.proposed()).toEqual([]);
  });
});

describe("pings", () => {
  test("are answered when the leader has noted them, with the revision shown", () => {
    const node = new Node();
    const { client, session } = node.attached();
    client.says({ kind: "ping", pingId: 4 });
    node.liveness.flush();
    node.gateway.flush();
    expect(client.take()).toEqual([]);
    expect(node.touches).toEqual([{ batch: 1, sessions: [session] }]);
    node.liveness.onNoted(1, []);
    node.gateway.flush();
    expect(client.take()).toEqual([{ kind: "pong", pingId: 4, zxid: 1 }]);
  });
});

describe("the gateway's end", () => {
  test("is announced to everybody, and nobody is let in any more", () => {
    const node = new Node();
    const { client } = node.attached();
    const silent = node.connect();
    node.gateway.stop();
    expect(client.kinds()).toEqual(["goodbye SHUTTING_DOWN"]);
    expect(silent.kinds()).toEqual(["goodbye SHUTTING_DOWN"]);
    expect(node.connect().state).toBe("destroyed");
    expect(node.gateway.connectionCount).toBe(0);
  });

  test("of a node that cannot be trusted lets no answer out", () => {
    const node = new Node();
    const { client } = node.attached();
    client.says(write(1, create("/a")));
    for (const command of node.commands()) node.apply(command);
    node.gateway.abort();
    node.gateway.flush();
    expect(client.take()).toEqual([]);
    expect(client.state).toBe("destroyed");
  });
});
