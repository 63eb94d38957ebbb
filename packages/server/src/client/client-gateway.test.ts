import { DataTree, TREE_LIMITS, decodeCommand } from "@quorate/kv-store";
import {
  PROTOCOL_VERSION,
  sessionId,
  writeSeq,
  zxid,
  type ServerMessage,
  type WriteOp,
} from "@quorate/kv-store/protocol";
import { term } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import {
  SELF,
  HISTORY,
  EMPTY,
  MIB,
  Node,
  secret,
  hello,
  write,
  create,
  remove,
} from "../../../../tests/support/gateway-lab.ts";
import { growsTree } from "../proposal-growth.ts";
import { verifierOf } from "./verifier.ts";

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

  test("never shortens what the session was granted, here or by another node", () => {
    const node = new Node();
    const first = node.connect();
    first.says(hello({ timeoutMs: 60_000 }));
    node.turn();
    const session = sessionId(1);
    node.sessions.timeoutMaxMs = 10_000;
    const again = node.connect();
    again.says(hello({ session, timeoutMs: 60_000, lastZxid: zxid(1) }));
    node.turn();
    expect(again.take()).toMatchObject([{ kind: "welcome", session, timeoutMs: 60_000 }]);
    const other = node.connect();
    other.says(hello({ secret: secret(2), timeoutMs: 60_000 }));
    node.turn();
    expect(other.take()).toMatchObject([{ kind: "welcome", timeoutMs: 10_000 }]);
  });

  test("at a node behind what the client has seen waits until it is not, and never shortens what was granted", () => {
    const node = new Node();
    const first = node.connect();
    first.says(hello({ timeoutMs: 60_000 }));
    const opened = node.commands();
    first.drops();
    node.sessions.timeoutMaxMs = 10_000;
    const client = node.connect();
    client.says(hello({ session: sessionId(1), timeoutMs: 60_000, lastZxid: zxid(1) }));
    expect(node.proposed()).toEqual([]);
    for (const command of opened) node.apply(command);
    node.gateway.flush();
    node.turn();
    expect(client.take()).toMatchObject([{ kind: "welcome", timeoutMs: 60_000 }]);
  });

  test("by a client that has seen what never was changes nothing: it is sent elsewhere", () => {
    const node = new Node();
    const { session } = node.attached();
    node.sessions.timeoutMaxMs = 5_000;
    const client = node.connect();
    client.says(
      hello({
        session: sessionId(session),
        timeoutMs: 600_000,
        lastZxid: zxid(Number.MAX_SAFE_INTEGER),
      }),
    );
    node.turn();
    node.clock.advance(1_999);
    node.gateway.onTick();
    node.turn();
    expect(client.take()).toEqual([]);
    expect(node.gateway.underWay().attachesWaiting).toBe(1);
    node.clock.advance(1);
    node.gateway.onTick();
    expect(client.take()).toMatchObject([{ kind: "goodbye", code: "NOT_READY", fatal: false }]);
    expect(node.tree.session(sessionId(session))?.timeoutMs).toBe(5_000);
    expect(node.gateway.underWay().attachesWaiting).toBe(0);
  });

  test("at a node behind is given up with the connection", () => {
    const node = new Node();
    const client = node.connect();
    client.says(hello({ lastZxid: zxid(5) }));
    client.drops();
    expect(node.gateway.underWay().attachesWaiting).toBe(0);
  });

  test("is followed by word of later members", () => {
    const node = new Node();
    const { client } = node.attached();
    const stranger = node.connect();
    node.gateway.tellServers();
    node.turn();
    expect(client.take()).toEqual([{ kind: "servers", servers: ["one:1", "two:1"] }]);
    expect(stranger.take()).toEqual([]);
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

  test("is answered by its own entry, not by that of a connection before it", () => {
    const node = new Node();
    const { client, session } = node.attached();
    client.drops();
    const [early, late] = [node.connect(), node.connect()];
    early.says(hello({ session: sessionId(session) }));
    const [first] = node.commands();
    early.drops();
    late.says(hello({ session: sessionId(session) }));
    const [second] = node.commands();
    node.apply(first!);
    node.gateway.flush();
    expect(late.kinds()).toEqual([]);
    node.apply(second!);
    node.gateway.flush();
    expect(late.take()).toMatchObject([{ kind: "welcome", session, zxid: 3 }]);
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
    // Nobody's fault: after a stall of this node the hello may be there and unread.
    expect(client.take()).toMatchObject([{ kind: "goodbye", code: "NOT_READY", fatal: false }]);
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

  test("larger than the log takes are refused for good, and those after them go on", () => {
    const node = new Node();
    const { client } = node.attached();
    const data = new Uint8Array(2 * MIB);
    const large: WriteOp = { kind: "set", path: "/b", data, version: null };
    client.says(write(1, create("/a")), write(2, large), write(3, create("/c")));
    node.turn();
    expect(client.take()).toMatchObject([
      { kind: "refused", fromSeq: 2, code: "TOO_LARGE" },
      { kind: "writeReply", writeSeq: 1 },
    ]);
    client.says(
      { kind: "skip", writeSeq: writeSeq(2), ackedSeq: writeSeq(1) },
      write(3, create("/c")),
    );
    node.turn();
    expect(client.take()).toMatchObject([
      { kind: "writeReply", writeSeq: 2 },
      { kind: "writeReply", writeSeq: 3, outcome: { ok: true } },
    ]);
  });
});

describe("a full disk", () => {
  const growing = (bytes: Uint8Array) => {
    const { command } = decodeCommand(bytes);
    return growsTree(command) || command.kind === "openSession";
  };

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

  test("keeps who wants a new session where only writes are refused", () => {
    const node = new Node();
    const fresh = node.connect();
    fresh.says(hello({ secret: secret(5) }));
    node.gateway.refuseWaiting((bytes) => growsTree(decodeCommand(bytes).command), "DISK_FULL", 1);
    node.turn();
    expect(fresh.kinds()).toEqual(["welcome"]);
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
