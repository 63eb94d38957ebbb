import {
  PROTOCOL_LIMITS,
  PROTOCOL_VERSION,
  decodeServerFrame,
  encodeClientFrame,
  sessionId,
  writeSeq,
  zxid,
  type ClientMessage,
  type ErrorCode,
  type Hello,
  type Query,
  type ServerMessage,
} from "@quorate/kv-store/protocol";
import { describe, expect, test } from "vitest";
import { zeroCounters } from "../observe/metrics.ts";
import type { Connection, ConnectionHandlers } from "../ports.ts";
import { SessionWrites } from "../proposals.ts";
import type { WaitingRead } from "../reads.ts";
import { ClientConnection, type ConnectionOwner } from "./client-connection.ts";

const HELLO: Hello = {
  kind: "hello",
  protocolVersion: PROTOCOL_VERSION,
  session: null,
  secret: new Uint8Array(16),
  timeoutMs: 1000,
  lastZxid: 0,
  historyId: "",
  clientName: "",
};

class Wire implements Connection {
  readonly remote = "client:1";
  readonly said: ServerMessage[] = [];
  bufferedBytes = 0;
  state: "open" | "closed" | "destroyed" = "open";
  #handlers: ConnectionHandlers | null = null;
  /** Frames that came while the connection was paused; null: it is not. */
  #waiting: Uint8Array[] | null = null;

  setHandlers(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }
  send(frame: Uint8Array): void {
    this.said.push(...decodeServerFrame(frame));
  }
  pause(): void {
    this.#waiting ??= [];
  }
  /** Hands over within the call what came meanwhile, as a transport may. */
  resume(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const frame of waiting) this.hearsBytes(frame);
  }
  close(): void {
    this.state = "closed";
  }
  destroy(): void {
    this.state = "destroyed";
  }
  hears(...messages: readonly ClientMessage[]): void {
    this.hearsBytes(encodeClientFrame(messages));
  }
  hearsBytes(bytes: Uint8Array): void {
    if (this.#waiting === null) this.#handlers?.onFrame(bytes);
    else this.#waiting.push(bytes);
  }
  drops(): void {
    this.#handlers?.onClose("gone");
  }
}

/** Records what a connection asks for; takes writes unless told otherwise. */
class Owner implements ConnectionOwner {
  readonly outboxLimits = { bufferedBytesMax: 1000, frameMessagesMax: 100, frameBytesMax: 10_000 };
  readonly counters = zeroCounters();
  readonly calls: string[] = [];
  readonly waits: WaitingRead[] = [];
  refusal: ErrorCode | null = null;
  closedCount = 0;

  onHello(): void {
    this.calls.push("hello");
  }
  submitWrite(
    connection: ClientConnection,
    message: Extract<ClientMessage, { readonly kind: "write" }>,
  ): ErrorCode | null {
    if (this.refusal !== null) return this.refusal;
    this.calls.push(`write ${message.writeSeq}${message.ops.length === 0 ? " skipped" : ""}`);
    connection.writes?.commands.push(new Uint8Array(1));
    return null;
  }
  requestIndex(read: WaitingRead): void {
    this.waits.push(read);
  }
  runRead(connection: ClientConnection, cxid: number, query: Query): void {
    this.calls.push(`read ${cxid}`);
    const value = { kind: "sync" } as const;
    const dataBytes = query.kind === "get" ? 600 : 0;
    connection.send(
      { kind: "readReply", cxid, zxid: zxid(1), reply: { ok: true, value } },
      dataBytes,
    );
  }
  addWatch(): void {
    this.calls.push("addWatch");
  }
  removeWatch(): void {
    this.calls.push("removeWatch");
  }
  ping(_connection: ClientConnection, pingId: number): void {
    this.calls.push(`ping ${pingId}`);
  }
  closeSession(): void {
    this.calls.push("closeSession");
  }
  markDirty(): void {}
  markReading(): void {}
  onClosed(): void {
    this.closedCount += 1;
  }
}

const never = (): boolean => false;

function setUp() {
  const owner = new Owner();
  const wire = new Wire();
  const client = new ClientConnection(1, wire, owner);
  const goodbye = () => {
    const last = wire.said.at(-1);
    return last?.kind === "goodbye" ? last : null;
  };
  return { owner, wire, client, goodbye };
}

function opened(lastWriteSeq = 0) {
  const made = setUp();
  made.wire.hears(HELLO);
  made.client.open(new SessionWrites(sessionId(1)), lastWriteSeq);
  made.owner.calls.length = 0;
  return made;
}

const RESUMED: ClientMessage = {
  kind: "addWatch",
  cxid: 1,
  watchId: 1,
  path: "/a",
  mode: "persistent",
  sinceZxid: zxid(1),
  withData: false,
};

const write = (seq: number): ClientMessage => ({
  kind: "write",
  writeSeq: writeSeq(seq),
  ackedSeq: 0,
  ops: [{ kind: "delete", path: "/a", version: null }],
});

const read = (cxid: number, consistency: "linearizable" | "local" = "local"): ClientMessage => ({
  kind: "read",
  cxid,
  consistency,
  query: { kind: "sync" },
});

describe("a client's first words", () => {
  test("are a hello, and nothing is done before it", () => {
    const { owner, wire, goodbye } = setUp();
    wire.hears({ kind: "ping", pingId: 1 });
    expect(owner.calls).toEqual([]);
    expect(goodbye()).toMatchObject({ code: "PROTOCOL_ERROR", fatal: true });
    expect(wire.state).toBe("closed");
    expect(owner.closedCount).toBe(1);
  });

  test("are not followed by anything before the welcome", () => {
    const { owner, wire, goodbye } = setUp();
    wire.hears(HELLO, write(1));
    expect(owner.calls).toEqual(["hello"]);
    expect(goodbye()).toMatchObject({ code: "PROTOCOL_ERROR" });
  });

  test.each([
    ["before", false],
    ["after", true],
  ])("are said once: a second hello %s the welcome ends the connection", (_when, isOpen) => {
    const { owner, wire, goodbye } = isOpen ? opened() : setUp();
    if (!isOpen) wire.hears(HELLO);
    owner.calls.length = 0;
    wire.hears(HELLO);
    expect(owner.calls).toEqual([]);
    expect(goodbye()).toMatchObject({ code: "PROTOCOL_ERROR" });
  });

  test("of another version are answered with this server's", () => {
    const { owner, wire, goodbye } = setUp();
    wire.hears({ ...HELLO, protocolVersion: PROTOCOL_VERSION + 1 });
    expect(owner.calls).toEqual([]);
    expect(goodbye()).toMatchObject({
      code: "UNSUPPORTED_VERSION",
      protocolVersion: PROTOCOL_VERSION,
    });
  });
});

describe("bad input", () => {
  test.each([
    ["no MessagePack", Uint8Array.of(0xc1), "PROTOCOL_ERROR"],
    ["an empty frame", Uint8Array.of(0x90), "PROTOCOL_ERROR"],
    ["an unknown operation", Uint8Array.of(0x91, 0x91, 0x7f), "UNKNOWN_OPERATION"],
  ])("ends this connection and nothing else: %s", (_what, bytes, code) => {
    const { owner, wire, goodbye } = opened();
    wire.hearsBytes(bytes);
    expect(goodbye()).toMatchObject({ code, fatal: true });
    expect(owner.closedCount).toBe(1);
    wire.hears(write(1));
    wire.drops();
    expect(owner.calls).toEqual([]);
    expect(owner.closedCount).toBe(1);
  });

  test("in the middle of a frame leaves what came after it undone", () => {
    const { owner, wire } = opened();
    wire.hears(write(1), HELLO, write(2));
    expect(owner.calls).toEqual(["write 1"]);
  });
});

describe("writes", () => {
  test("are taken in order of their numbers", () => {
    const { owner, wire } = opened();
    wire.hears(write(1), write(2));
    wire.hears(write(3));
    expect(owner.calls).toEqual(["write 1", "write 2", "write 3"]);
  });

  test.each([
    ["a gap", [1, 3]],
    ["a repeat", [1, 1]],
    ["a first number beyond the next", [2]],
  ])("end the connection with %s", (_what, seqs) => {
    const { wire, goodbye } = opened();
    wire.hears(...seqs.map(write));
    expect(goodbye()).toMatchObject({ code: "PROTOCOL_ERROR" });
  });

  test("begin with what the client has no answer to, at most one after the last that was applied", () => {
    const { owner, wire } = opened(10);
    wire.hears(write(8), write(9), write(10), write(11));
    expect(owner.calls).toEqual(["write 8", "write 9", "write 10", "write 11"]);
    const late = opened(10);
    late.wire.hears(write(12));
    expect(late.goodbye()).toMatchObject({ code: "PROTOCOL_ERROR" });
  });

  test("that were refused hold back all later ones until the client starts there again", () => {
    const { owner, wire, client } = opened();
    wire.hears(write(1));
    owner.refusal = "OVERLOADED";
    wire.hears(write(2), write(3), write(4));
    owner.refusal = null;
    wire.hears(write(5));
    client.flush();
    expect(wire.said).toMatchObject([{ kind: "refused", fromSeq: 2, code: "OVERLOADED" }]);
    expect(owner.calls).toEqual(["write 1"]);
    wire.hears(write(2), write(3));
    expect(owner.calls).toEqual(["write 1", "write 2", "write 3"]);
  });

  test("that were refused may be skipped instead", () => {
    const { owner, wire } = opened();
    owner.refusal = "OVERLOADED";
    wire.hears(write(1), write(2));
    owner.refusal = null;
    wire.hears({ kind: "skip", writeSeq: writeSeq(1), ackedSeq: 0 }, write(2));
    expect(owner.calls).toEqual(["write 1 skipped", "write 2"]);
  });

  test("may be refused from further back later on", () => {
    const { owner, wire, client } = opened();
    wire.hears(write(1), write(2), write(3));
    client.refuse(2, "DISK_FULL", 100);
    wire.hears(write(4));
    wire.hears(write(2));
    expect(owner.calls).toEqual(["write 1", "write 2", "write 3", "write 2"]);
  });

  test("are bounded in bytes", () => {
    const { wire, goodbye, client } = opened();
    wire.hears(write(1));
    const { writes } = client;
    if (writes === null) throw new Error("no writes");
    writes.bytes = PROTOCOL_LIMITS.outstandingBytesMax;
    wire.hears(write(2));
    expect(goodbye()).toBeNull();
    writes.bytes *= 2;
    wire.hears(write(3));
    expect(goodbye()).toMatchObject({ code: "PROTOCOL_ERROR" });
  });

  test("are bounded in number", () => {
    const { owner, wire, goodbye } = opened();
    for (let seq = 1; seq <= PROTOCOL_LIMITS.outstandingMax; seq += 1) wire.hears(write(seq));
    expect(goodbye()).toBeNull();
    wire.hears(write(PROTOCOL_LIMITS.outstandingMax + 1));
    expect(goodbye()).toMatchObject({ code: "PROTOCOL_ERROR" });
    expect(owner.calls).toHaveLength(PROTOCOL_LIMITS.outstandingMax);
  });
});

describe("reads", () => {
  const reads = (owner: Owner) => owner.calls.filter((call) => call.startsWith("read"));

  test("wait for the writes before them, not for those after", () => {
    const { owner, wire, client } = opened();
    wire.hears(write(1), read(1), write(2), read(2));
    expect(client.drainReads({ appliedIndex: 50, lastWriteSeq: 0 }, never)).toBe(false);
    expect(reads(owner)).toEqual([]);
    expect(client.drainReads({ appliedIndex: 50, lastWriteSeq: 1 }, never)).toBe(false);
    expect(reads(owner)).toEqual(["read 1"]);
    expect(client.drainReads({ appliedIndex: 50, lastWriteSeq: 2 }, never)).toBe(true);
    expect(reads(owner)).toEqual(["read 1", "read 2"]);
  });

  test("wait for their index to be known and applied, and keep their order", () => {
    const { owner, wire, client } = opened();
    wire.hears(read(1, "linearizable"), read(2));
    const drain = (appliedIndex: number) =>
      client.drainReads({ appliedIndex, lastWriteSeq: 0 }, never);
    expect(drain(100)).toBe(false);
    owner.waits[0]!.index = 7 as never;
    expect(drain(6)).toBe(false);
    expect(reads(owner)).toEqual([]);
    expect(drain(7)).toBe(true);
    expect(reads(owner)).toEqual(["read 1", "read 2"]);
  });

  test("behind a refused write do not wait for it, and are answered once the client knows", () => {
    const { owner, wire, client } = opened();
    wire.hears(write(1), write(2), read(1), write(3), read(2));
    client.refuse(2, "DISK_FULL", 100);
    wire.hears(read(3));
    expect(client.drainReads({ appliedIndex: 1, lastWriteSeq: 0 }, never)).toBe(false);
    expect(reads(owner)).toEqual([]);
    expect(client.drainReads({ appliedIndex: 2, lastWriteSeq: 1 }, never)).toBe(true);
    expect(reads(owner)).toEqual(["read 1", "read 2", "read 3"]);
    client.flush();
    expect(wire.said.map(({ kind }) => kind)).toEqual([
      "refused",
      "readReply",
      "readReply",
      "readReply",
    ]);
  });

  test("after a refused write that was sent again wait for it", () => {
    const { owner, wire, client } = opened();
    wire.hears(write(1), read(1));
    client.refuse(1, "DISK_FULL", 100);
    wire.hears(write(1), read(2));
    client.drainReads({ appliedIndex: 1, lastWriteSeq: 0 }, never);
    expect(reads(owner)).toEqual(["read 1"]);
    client.drainReads({ appliedIndex: 2, lastWriteSeq: 1 }, never);
    expect(reads(owner)).toEqual(["read 1", "read 2"]);
  });

  test("are answered only as fast as the client takes them in", () => {
    const { owner, wire, client } = opened();
    const get = (cxid: number): ClientMessage => ({
      kind: "read",
      cxid,
      consistency: "local",
      query: { kind: "get", path: "/a" },
    });
    wire.hears(get(1), get(2));
    const progress = { appliedIndex: 1, lastWriteSeq: 0 };
    expect(client.drainReads(progress, never)).toBe(false);
    expect(reads(owner)).toEqual(["read 1"]);
    wire.bufferedBytes = 600;
    client.flush();
    expect(client.drainReads(progress, never)).toBe(false);
    wire.bufferedBytes = 0;
    expect(client.drainReads(progress, never)).toBe(true);
    expect(reads(owner)).toEqual(["read 1", "read 2"]);
  });

  test("are interrupted when their time is up, and go on where they stopped", () => {
    const { owner, wire, client } = opened();
    wire.hears(read(1), read(2), read(3));
    const progress = { appliedIndex: 1, lastWriteSeq: 0 };
    expect(client.drainReads(progress, () => true)).toBe(false);
    expect(reads(owner)).toEqual(["read 1"]);
    expect(client.drainReads(progress, never)).toBe(true);
    expect(reads(owner)).toEqual(["read 1", "read 2", "read 3"]);
  });

  test("are bounded in number", () => {
    const { wire, goodbye } = opened();
    for (let cxid = 1; cxid <= PROTOCOL_LIMITS.outstandingMax; cxid += 1) wire.hears(read(cxid));
    expect(goodbye()).toBeNull();
    wire.hears(read(1));
    expect(goodbye()).toMatchObject({ code: "PROTOCOL_ERROR" });
  });

  test("are bounded in what they name, which counts until they are answered", () => {
    const { wire, client, goodbye } = opened();
    const path = `/${"x".repeat(2_047)}`;
    const page = (cxid: number): ClientMessage => ({
      kind: "read",
      cxid,
      consistency: "local",
      query: { kind: "children", path, after: path, limit: 1 },
    });
    const count = PROTOCOL_LIMITS.outstandingBytesMax / (2 * path.length);
    expect(count).toBeLessThan(PROTOCOL_LIMITS.outstandingMax);
    for (let cxid = 1; cxid <= count; cxid += 1) wire.hears(page(cxid));
    client.drainReads({ appliedIndex: 1, lastWriteSeq: 0 }, () => true);
    wire.hears(page(1));
    expect(goodbye()).toBeNull();
    wire.hears(page(1));
    expect(goodbye()).toMatchObject({ code: "PROTOCOL_ERROR" });
  });
});

describe("a client that is held", () => {
  test("is heard in order: what it said before, then what came meanwhile", () => {
    const { owner, wire, client, goodbye } = opened();
    // As a watch that resumes does, in the middle of a frame.
    owner.addWatch = () => client.hold();
    wire.hears(write(1), RESUMED, write(2), write(3));
    wire.hears(write(4), RESUMED, write(5));
    expect(owner.calls).toEqual(["write 1"]);
    client.release();
    expect(owner.calls).toEqual(["write 1", "write 2", "write 3", "write 4"]);
    client.release();
    expect(owner.calls.at(-1)).toBe("write 5");
    expect(goodbye()).toBe(null);
  });
});

describe("an end", () => {
  test("comes to a client that does not read", () => {
    const { owner, wire, client } = opened();
    wire.bufferedBytes = 1001;
    client.send({ kind: "pong", pingId: 1, zxid: zxid(1) });
    client.flush();
    expect(wire.state).toBe("destroyed");
    expect(owner.closedCount).toBe(1);
  });

  test("lets everything said before it leave first, and nothing after it", () => {
    const { wire, client } = opened();
    client.send({ kind: "pong", pingId: 1, zxid: zxid(1) });
    client.goodbye("SHUTTING_DOWN", "bye", false);
    client.send({ kind: "pong", pingId: 2, zxid: zxid(1) });
    client.flush();
    expect(wire.said.map(({ kind }) => kind)).toEqual(["pong", "goodbye"]);
  });

  test("without a word sends nothing that had gathered", () => {
    const { owner, wire, client } = opened();
    client.send({ kind: "pong", pingId: 1, zxid: zxid(1) });
    client.abort();
    client.abort();
    expect(wire.said).toEqual([]);
    expect(wire.state).toBe("destroyed");
    expect(owner.closedCount).toBe(1);
  });
});
