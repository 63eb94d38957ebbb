import { logIndex, nodeId, term, type Entry, type NodeId } from "@quorate/raft";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ServerError } from "../errors.ts";
import { SERVER_LIMITS, type PeerLimits } from "../limits.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import { SeededRandom } from "../memory/seeded-random.ts";
import { createMemoryLogger, type MemoryLogger } from "../observe/logger.ts";
import { zeroCounters } from "../observe/metrics.ts";
import type {
  Connection,
  ConnectionHandlers,
  DialOptions,
  ListenOptions,
  Transport,
} from "../ports.ts";
import { encodeEntries } from "../storage/entry-codec.ts";
import type { PeerEnvelope, PeerHello, PeerWelcome } from "./envelope.ts";
import { decodePeerWelcome, encodePeerHello } from "./greeting-codec.ts";
import { encodePeerFrame } from "./peer-codec.ts";
import { PeerNetwork, type PeerNetworkHooks, type PeerTarget } from "./peer-network.ts";

/** One end of a connection whose frames wait for `Wire.settle`. */
class End implements Connection {
  readonly remote: string;
  readonly sent: Uint8Array[] = [];
  other: End | null = null;
  handlers: ConnectionHandlers | null = null;
  isClosed = false;
  /** Nothing arrives any more, and nobody is told. */
  isDead = false;
  /** What is sent stays here. */
  isStuck = false;
  bufferedBytes = 0;
  readonly #later: (delivery: () => void) => void;

  constructor(remote: string, later: (delivery: () => void) => void) {
    this.remote = remote;
    this.#later = later;
  }

  setHandlers(handlers: ConnectionHandlers): void {
    this.handlers = handlers;
  }

  send(frame: Uint8Array): void {
    if (this.isClosed) return;
    this.sent.push(frame);
    if (this.isStuck) this.bufferedBytes += frame.length;
    const { other, isDead, isStuck } = this;
    if (isDead || isStuck || other === null) return;
    this.#later(() => {
      if (!other.isClosed && !other.isDead) other.handlers?.onFrame(frame.slice());
    });
  }

  pause(): void {}
  resume(): void {}

  close(): void {
    this.#end("closed");
  }

  destroy(): void {
    this.#end("destroyed");
  }

  #end(reason: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#later(() => this.handlers?.onClose(reason));
    const { other } = this;
    if (this.isDead || other === null) return;
    this.#later(() => {
      if (other.isClosed) return;
      other.isClosed = true;
      other.handlers?.onClose("closed by the other side");
    });
  }
}

class Wire implements Transport {
  readonly listeners = new Map<number, ListenOptions>();
  /** The dialling end of every connection. */
  readonly dialled: { readonly port: number; readonly end: End }[] = [];
  readonly attempts: string[] = [];
  readonly blackHoles = new Set<number>();
  readonly #clock: ManualClock;
  #queue: (() => void)[] = [];

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  async listen(options: ListenOptions): Promise<{ port: number; close(): Promise<void> }> {
    if (this.listeners.has(options.port))
      throw new ServerError("ADDRESS_IN_USE", String(options.port));
    this.listeners.set(options.port, options);
    return {
      port: options.port,
      close: async () => {
        this.listeners.delete(options.port);
      },
    };
  }

  dial(options: DialOptions): Promise<Connection> {
    this.attempts.push(`${options.host}:${options.port}`);
    return new Promise((resolve, reject) => {
      const refuse = (): void => reject(new ServerError("CONNECT_FAILED", "nobody there"));
      if (this.blackHoles.has(options.port)) {
        this.#clock.after(options.timeoutMs, refuse);
        return;
      }
      this.#queue.push(() => {
        const listener = this.listeners.get(options.port);
        if (listener === undefined) refuse();
        else resolve(this.connect(listener, options));
      });
    });
  }

  connect(listener: ListenOptions, options: Pick<DialOptions, "port" | "handlers">): End {
    const later = (delivery: () => void): void => {
      this.#queue.push(delivery);
    };
    const near = new End(`wire:${options.port}`, later);
    const far = new End("wire:0", later);
    near.other = far;
    far.other = near;
    near.setHandlers(options.handlers);
    this.dialled.push({ port: options.port, end: near });
    listener.accept(far);
    return near;
  }

  /** Everything on the way arrives, and whatever that causes. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 10; idle += 1) {
      for (let round = 0; this.#queue.length > 0; round += 1) {
        if (round > 10_000) throw new Error("the wire never comes to rest");
        const queue = this.#queue;
        this.#queue = [];
        for (const delivery of queue) delivery();
        idle = 0;
      }
      await Promise.resolve();
    }
  }

  /** The newest open connection dialled to a port. */
  last(port: number): End {
    const found = this.dialled.findLast((each) => each.port === port && !each.end.isClosed);
    if (found === undefined) throw new Error(`no connection to ${port}`);
    return found.end;
  }
}

interface Node {
  readonly id: NodeId;
  readonly name: string;
  readonly network: PeerNetwork;
  readonly events: string[];
  readonly received: { readonly from: NodeId; readonly envelope: PeerEnvelope }[];
  readonly counters: ReturnType<typeof zeroCounters>;
  readonly logger: MemoryLogger;
}

let clock: ManualClock;
let wire: Wire;
let nodes: Node[];
let incarnation = 0;

beforeEach(() => {
  clock = new ManualClock();
  wire = new Wire(clock);
  nodes = [];
});

afterEach(async () => {
  for (const node of nodes) await node.network[Symbol.asyncDispose]();
  await wire.settle();
  // Dials that nobody answers end by their own timeout.
  await pass(1_000);
  expect(wire.listeners.size).toBe(0);
  for (const { end } of wire.dialled) expect(end.isClosed).toBe(true);
  expect(clock.nextDueMs()).toBeNull();
});

function helloOf(id: number, linkNonce: number, changes: Partial<PeerHello> = {}): PeerHello {
  return {
    kind: "hello",
    protocolVersion: 1,
    clusterId: "c",
    historyId: "h",
    nodeId: nodeId(id),
    name: String(id),
    peerAddress: `127.0.0.1:${id}`,
    clientAddress: "",
    initialMembers: [],
    linkNonce,
    rejoin: false,
    ...changes,
  };
}

interface NodeOptions {
  readonly hooks?: Partial<PeerNetworkHooks>;
  readonly limits?: Partial<PeerLimits>;
  readonly port?: number;
}

function welcomeOf(id: number): PeerWelcome {
  return {
    kind: "welcome",
    protocolVersion: 1,
    clusterId: "c",
    historyId: "h",
    nodeId: nodeId(id),
    name: String(id),
    peerAddress: "",
    clientAddress: "",
    formation: null,
  };
}

async function start(id: number, options: NodeOptions = {}): Promise<Node> {
  const events: string[] = [];
  const received: Node["received"] = [];
  const counters = zeroCounters();
  const logger = createMemoryLogger();
  incarnation += 1;
  const network = new PeerNetwork({
    self: { nodeId: nodeId(id), name: String(id) },
    listen: { host: "127.0.0.1", port: options.port ?? id },
    transport: wire,
    clock,
    random: new SeededRandom(incarnation),
    logger,
    limits: { ...SERVER_LIMITS.peer, ...options.limits },
    counters,
    blockFor: encodeEntries,
    hooks: {
      hello: () => helloOf(id, 0),
      onHello: () => welcomeOf(id),
      onWelcome: () => true,
      onFrame: (from, envelopes) => {
        for (const envelope of envelopes) received.push({ from, envelope });
      },
      onLinkUp: (peer, direction) => events.push(`up ${direction} ${peer}`),
      onLinkDown: (peer, direction) => events.push(`down ${direction} ${peer}`),
      ...options.hooks,
    },
  });
  await network.start();
  const node = { id: nodeId(id), name: String(id), network, events, received, counters, logger };
  nodes.push(node);
  return node;
}

const target = (id: number, peerAddress = `127.0.0.1:${id}`): PeerTarget => ({
  id: nodeId(id),
  name: String(id),
  peerAddress,
});

async function startPair(options: NodeOptions = {}): Promise<readonly [Node, Node]> {
  const one = await start(1, options);
  const two = await start(2);
  one.network.setMembers([target(1), target(2)]);
  two.network.setMembers([target(1), target(2)]);
  await wire.settle();
  return [one, two];
}

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    clock.advance(10);
    await wire.settle();
  }
}

const heartbeat = (from: number, to: number, round = 1): PeerEnvelope => ({
  kind: "raft",
  message: {
    kind: "heartbeat",
    from: nodeId(from),
    to: nodeId(to),
    term: term(1),
    commitIndex: logIndex(0),
    round,
  },
});

function append(from: number, to: number, dataBytes: number): PeerEnvelope {
  const entry: Entry = {
    kind: "command",
    index: logIndex(1),
    term: term(1),
    data: new Uint8Array(dataBytes),
  };
  return {
    kind: "raft",
    message: {
      kind: "appendEntries",
      from: nodeId(from),
      to: nodeId(to),
      term: term(1),
      prevIndex: logIndex(0),
      prevTerm: term(0),
      commitIndex: logIndex(0),
      entries: [entry],
    },
  };
}

const chunk = (sequence: number, bytes: number): PeerEnvelope => ({
  kind: "snapshotChunk",
  transfer: 1,
  sequence,
  header: null,
  records: [["k", new Uint8Array(bytes)]],
  last: false,
  checksum: 0,
});

/** A stranger's connection to a node's peer port. */
function knock(port: number): {
  readonly end: End;
  readonly frames: Uint8Array[];
  closed(): boolean;
} {
  const frames: Uint8Array[] = [];
  const end = wire.connect(wire.listeners.get(port)!, {
    port,
    handlers: { onFrame: (frame) => frames.push(frame), onClose: () => undefined },
  });
  return { end, frames, closed: () => end.isClosed };
}

describe("links", () => {
  test("each side dials the other, itself left out, and messages arrive in order as one frame", async () => {
    const [one, two] = await startPair();
    expect(one.events.toSorted()).toEqual(["up incoming 2", "up outgoing 2"]);
    expect(one.network.connectedNames).toEqual(["2"]);
    expect(one.network.isUp(two.id)).toBe(true);
    for (let round = 1; round <= 5; round += 1) {
      expect(one.network.send(two.id, heartbeat(1, 2, round))).toBe(true);
    }
    await wire.settle();
    expect(two.received).toEqual([]);
    one.network.flush();
    await wire.settle();
    expect(two.received.map(({ envelope }) => envelope)).toEqual(
      [1, 2, 3, 4, 5].map((round) => heartbeat(1, 2, round)),
    );
    expect(two.received[0]?.from).toBe(one.id);
    expect(one.counters).toMatchObject({ peerFramesOut: 1, peerDrops: 0 });
    expect(two.counters.peerFramesIn).toBe(1);
    expect(wire.attempts).toHaveLength(2);
  });

  test("a member is found by name while its id is not known, and keeps its link when it is", async () => {
    const one = await start(1);
    await start(2);
    one.network.setMembers([{ ...target(2), id: null }]);
    await wire.settle();
    expect(one.network.isUp(nodeId(2))).toBe(true);
    one.network.setMembers([target(2)]);
    await wire.settle();
    expect(one.events).toEqual(["up outgoing 2"]);
    expect(wire.attempts).toHaveLength(1);
  });

  test("whoever answers under another id than the member's is not linked to", async () => {
    const one = await start(1);
    await start(2, { hooks: { onHello: () => welcomeOf(9) } });
    one.network.setMembers([target(2)]);
    await wire.settle();
    expect(one.events).toEqual([]);
    expect(one.network.isUp(nodeId(9))).toBe(false);
  });

  test("nothing is queued for who is not linked", async () => {
    const one = await start(1);
    expect(one.network.send(nodeId(7), heartbeat(1, 7))).toBe(false);
    expect(one.counters.peerDrops).toBe(1);
    expect(one.network.bufferedBytes(nodeId(7))).toBe(0);
  });

  test("members that leave are left, in both directions, and what was queued for them still goes", async () => {
    const [one, two] = await startPair();
    one.events.length = 0;
    one.network.send(two.id, heartbeat(1, 2));
    one.network.setMembers([target(1)]);
    await wire.settle();
    expect(one.events.toSorted()).toEqual(["down incoming 2", "down outgoing 2"]);
    expect(two.received).toHaveLength(1);
    expect(one.network.connectedNames).toEqual([]);
  });

  test("a member under a new address or identity is dialled anew", async () => {
    const [one] = await startPair();
    await start(3);
    one.events.length = 0;
    one.network.setMembers([{ ...target(3), name: "2", id: nodeId(3) }]);
    await wire.settle();
    expect(one.events).toContain("down outgoing 2");
    expect(one.events).toContain("up outgoing 3");
    expect(one.network.isUp(nodeId(2))).toBe(false);
  });

  test("closing while a dial is under way leaves nothing behind", async () => {
    const one = await start(1);
    await start(2);
    one.network.setMembers([target(2)]);
    await one.network[Symbol.asyncDispose]();
    await wire.settle();
    expect(one.events).toEqual([]);
  });

  test("an address in use fails the start", async () => {
    await start(1);
    await expect(start(2, { port: 1 })).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
  });
});

describe("greeting", () => {
  test("another protocol version is refused without asking, with the own version in the answer", async () => {
    let asked = 0;
    await start(1, {
      hooks: {
        onHello: () => {
          asked += 1;
          return welcomeOf(1);
        },
      },
    });
    const stranger = knock(1);
    stranger.end.send(encodePeerHello(helloOf(2, 5, { protocolVersion: 2 })));
    await wire.settle();
    expect(decodePeerWelcome(stranger.frames[0]!)).toMatchObject({
      kind: "refused",
      code: "UNSUPPORTED_VERSION",
      protocolVersion: 1,
    });
    expect(stranger.closed()).toBe(true);
    expect(asked).toBe(0);
  });

  test("a refusal is told to the dialling side, which tries again slowly and logs it once", async () => {
    const refusals: PeerWelcome[] = [];
    const refused: PeerWelcome = {
      kind: "refused",
      protocolVersion: 1,
      code: "OTHER_CLUSTER",
      message: "wrong ensemble",
    };
    const one = await start(1, {
      hooks: {
        onWelcome: (_, welcome) => {
          refusals.push(welcome);
          return true;
        },
      },
    });
    await start(2, { hooks: { onHello: () => refused } });
    one.network.setMembers([target(2)]);
    await pass(3_000);
    expect(refusals.length).toBeGreaterThanOrEqual(5);
    expect(refusals.length).toBeLessThanOrEqual(13);
    expect(refusals[0]).toEqual(refused);
    expect(one.events).toEqual([]);
    expect(one.logger.lines.filter((line) => line.level !== "debug")).toHaveLength(1);
  });

  test("the dialling side may refuse, too", async () => {
    const one = await start(1, { hooks: { onWelcome: () => false } });
    const two = await start(2);
    one.network.setMembers([target(2)]);
    await wire.settle();
    expect(one.events).toEqual([]);
    expect(two.events).toEqual(["up incoming 1", "down incoming 1"]);
  });

  test("the node itself, or a copy of it, is refused", async () => {
    const one = await start(1);
    const copy = knock(1);
    copy.end.send(encodePeerHello(helloOf(1, 5)));
    await wire.settle();
    expect(decodePeerWelcome(copy.frames[0]!)).toMatchObject({ code: "IDENTITY_REFUSED" });
    expect(one.events).toEqual([]);
  });

  test("who does not introduce itself within three seconds goes", async () => {
    await start(1);
    const silent = knock(1);
    await pass(2_990);
    expect(silent.closed()).toBe(false);
    await pass(20);
    expect(silent.closed()).toBe(true);
  });

  test("a listener that never answers the hello is given up", async () => {
    const one = await start(1);
    wire.listeners.set(2, { accept: (end: Connection) => end.setHandlers(MUTE) } as never);
    one.network.setMembers([target(2)]);
    await pass(3_200);
    expect(wire.attempts.length).toBe(2);
    wire.listeners.delete(2);
  });

  test("strangers are bounded: the oldest goes, a peer still gets in", async () => {
    const one = await start(1, { limits: { greetingMax: 3 } });
    const strangers = Array.from({ length: 5 }, () => knock(1));
    const peer = knock(1);
    peer.end.send(encodePeerHello(helloOf(2, 5)));
    await wire.settle();
    expect(strangers.map((each) => each.closed())).toEqual([true, true, true, false, false]);
    expect(one.events).toEqual(["up incoming 2"]);
  });

  test("introduced links are bounded", async () => {
    const one = await start(1, { limits: { linksMax: 2 } });
    for (const id of [2, 3, 4]) {
      knock(1).end.send(encodePeerHello(helloOf(id, 5)));
      await wire.settle();
    }
    expect(one.events).toEqual(["up incoming 2", "up incoming 3"]);
  });
});

const MUTE: ConnectionHandlers = { onFrame: () => undefined, onClose: () => undefined };

describe("a replaced link", () => {
  test("is closed without a word of a link down, and its frames are not heard", async () => {
    const one = await start(1);
    const older = knock(1);
    older.end.send(encodePeerHello(helloOf(2, 5)));
    await wire.settle();
    const newer = knock(1);
    // Both are on the way at once: the hello of the newer link first, then a frame of the older.
    newer.end.send(encodePeerHello(helloOf(2, 6)));
    older.end.send(encodePeerFrame([heartbeat(2, 1, 1)], encodeEntries));
    newer.end.send(encodePeerFrame([heartbeat(2, 1, 2)], encodeEntries));
    await wire.settle();
    expect(one.received.map(({ envelope }) => envelope)).toEqual([heartbeat(2, 1, 2)]);
    expect(older.closed()).toBe(true);
    expect(one.events).toEqual(["up incoming 2"]);
  });

  test("an older link that arrives late does not replace a newer one", async () => {
    const one = await start(1);
    const newer = knock(1);
    newer.end.send(encodePeerHello(helloOf(2, 6)));
    await wire.settle();
    const older = knock(1);
    older.end.send(encodePeerHello(helloOf(2, 5)));
    older.end.send(encodePeerFrame([heartbeat(2, 1, 1)], encodeEntries));
    await wire.settle();
    expect(older.closed()).toBe(true);
    expect(older.frames).toEqual([]);
    expect(newer.closed()).toBe(false);
    expect(one.received).toEqual([]);
  });

  test("a restarted process replaces its former link whatever it drew as a number", async () => {
    const one = await start(1);
    const before = knock(1);
    before.end.send(encodePeerHello(helloOf(2, 2 ** 50)));
    await wire.settle();
    const after = knock(1);
    after.end.send(encodePeerHello(helloOf(2, 1)));
    await wire.settle();
    expect(before.closed()).toBe(true);
    expect(after.closed()).toBe(false);
    expect(one.events).toEqual(["up incoming 2"]);
  });
});

describe("reconnection", () => {
  test("a process that dies is told at once, is dialled soon and linked again when it is back", async () => {
    const [one, two] = await startPair();
    one.events.length = 0;
    await two.network[Symbol.asyncDispose]();
    await wire.settle();
    expect(one.events.toSorted()).toEqual(["down incoming 2", "down outgoing 2"]);
    expect(one.network.send(two.id, heartbeat(1, 2))).toBe(false);
    await pass(5_000);
    const attempts = wire.attempts.filter((address) => address === "127.0.0.1:2").length;
    expect(attempts).toBeGreaterThan(10);
    expect(attempts).toBeLessThan(30);
    one.events.length = 0;
    const back = await start(2);
    back.network.setMembers([target(1)]);
    // Its hello is answered by a dial at once, whatever pause was left.
    await wire.settle();
    expect(one.events.toSorted()).toEqual(["up incoming 2", "up outgoing 2"]);
  });

  test("the first attempt after a link that lasted comes within 20 ms", async () => {
    const [one] = await startPair();
    await pass(1_500);
    wire.last(2).destroy();
    await wire.settle();
    const before = wire.attempts.length;
    clock.advance(20);
    await wire.settle();
    expect(wire.attempts.length).toBe(before + 1);
    expect(one.network.isUp(nodeId(2))).toBe(true);
  });

  test("a link that breaks again and again is not dialled in a frenzy", async () => {
    const one = await start(1);
    const breaks: PeerNetworkHooks["onLinkUp"] = () => wire.last(1).destroy();
    await start(2, { hooks: { onLinkUp: breaks } });
    wire.listeners.set(5, { ...wire.listeners.get(2)! });
    one.network.setMembers([{ ...target(2), peerAddress: "127.0.0.1:9" }]);
    await pass(10_000);
    expect(wire.attempts.length).toBeLessThan(60);
    wire.listeners.delete(5);
  });

  test("all addresses of a member are tried in turn, a dead network costs one dial timeout", async () => {
    const one = await start(1);
    await start(2);
    wire.blackHoles.add(8);
    one.network.setMembers([target(2, "10.0.0.2:8|10.1.0.2:2")]);
    await pass(990);
    expect(one.events).toEqual([]);
    await pass(30);
    expect(wire.attempts).toEqual(["10.0.0.2:8", "10.1.0.2:2"]);
    expect(one.events).toEqual(["up outgoing 2"]);
  });
});

describe("half-open links", () => {
  test("are noticed within four seconds by who sends, later by who listens", async () => {
    const [one, two] = await startPair();
    await pass(1_500);
    one.events.length = 0;
    two.events.length = 0;
    const end = wire.last(2);
    end.isDead = true;
    end.other!.isDead = true;
    await pass(2_000);
    expect(one.events).toEqual([]);
    wire.blackHoles.add(2);
    await pass(2_000);
    expect(one.events).toEqual(["down outgoing 2"]);
    expect(two.events).toEqual([]);
    await pass(7_500);
    expect(two.events).toEqual(["down incoming 1"]);
  });

  test("an idle link stays", async () => {
    const [one, two] = await startPair();
    await pass(20_000);
    expect(one.events).toHaveLength(2);
    expect(two.events).toHaveLength(2);
  });

  test("this process standing still makes no link look dead", async () => {
    const [one, two] = await startPair();
    await pass(1_500);
    clock.stall(60_000);
    clock.advance(0);
    await wire.settle();
    await pass(1_500);
    expect(one.events).toHaveLength(2);
    expect(two.events).toHaveLength(2);
  });

  test("a slow network that still takes bytes is alive", async () => {
    const [one] = await startPair();
    const end = wire.last(2);
    end.isStuck = true;
    end.bufferedBytes = 1_000_000;
    for (let second = 0; second < 8; second += 1) {
      end.bufferedBytes -= 50_000;
      await pass(1_000);
    }
    expect(one.events).not.toContain("down outgoing 2");
    await pass(4_500);
    expect(one.events).toContain("down outgoing 2");
  });
});

describe("bounds", () => {
  const limits: Partial<PeerLimits> = {
    frameBytesMax: 60_000,
    queueBytesMax: 100_000,
    queueCountMax: 50,
    reserveBytes: 5_000,
    reserveCount: 10,
    bulkBufferedBytesMax: 20_000,
  };

  test("entries are refused when the queue is full, heartbeats still pass, up to a bound", async () => {
    const [one, two] = await startPair({ limits });
    let taken = 0;
    while (one.network.send(two.id, append(1, 2, 20_000))) taken += 1;
    expect(taken).toBe(4);
    expect(one.network.bufferedBytes(two.id)).toBeLessThanOrEqual(100_000);
    let control = 0;
    while (one.network.send(two.id, heartbeat(1, 2)) && control < 1_000) control += 1;
    expect(control).toBeGreaterThan(10);
    expect(control).toBeLessThan(200);
    expect(one.counters.peerDrops).toBe(2);
    one.network.flush();
    await wire.settle();
    expect(two.received).toHaveLength(taken + control);
    expect(one.network.bufferedBytes(two.id)).toBe(0);
  });

  test("the count is bounded, too", async () => {
    const [one, two] = await startPair({ limits });
    let taken = 0;
    while (taken < 1_000 && one.network.send(two.id, heartbeat(1, 2))) taken += 1;
    expect(taken).toBe(60);
    expect(one.network.send(two.id, append(1, 2, 1))).toBe(false);
  });

  test("what the network has not taken counts", async () => {
    const [one, two] = await startPair({ limits });
    wire.last(2).isStuck = true;
    for (let turn = 0; turn < 10; turn += 1) {
      one.network.send(two.id, append(1, 2, 20_000));
      one.network.flush();
    }
    expect(one.network.bufferedBytes(two.id)).toBeGreaterThan(80_000);
    expect(one.network.bufferedBytes(two.id)).toBeLessThanOrEqual(100_000);
    expect(one.network.send(two.id, heartbeat(1, 2))).toBe(true);
  });

  test("what is larger than a frame is refused", async () => {
    const [one, two] = await startPair({ limits });
    expect(one.network.send(two.id, append(1, 2, 60_000))).toBe(false);
    expect(one.network.send(two.id, append(1, 2, 59_000))).toBe(true);
  });

  test("snapshot pieces wait for everything else and for the network", async () => {
    const [one, two] = await startPair({ limits });
    for (let sequence = 0; sequence < 4; sequence += 1) {
      expect(one.network.send(two.id, chunk(sequence, 15_000))).toBe(true);
    }
    one.network.send(two.id, heartbeat(1, 2));
    const end = wire.last(2);
    end.isStuck = true;
    one.network.flush();
    // The heartbeat, one piece that fills the network, one more that was let in before it was full.
    expect(end.sent.slice(-3).map((frame) => frame.length > 1_000)).toEqual([false, true, true]);
    expect(one.network.bufferedBytes(two.id)).toBeGreaterThan(60_000);
    end.isStuck = false;
    end.bufferedBytes = 0;
    one.network.flush();
    await wire.settle();
    expect(two.received.map(({ envelope }) => envelope.kind)).toEqual([
      "snapshotChunk",
      "snapshotChunk",
    ]);
    for (let sequence = 0; sequence < 20; sequence += 1)
      one.network.send(two.id, chunk(sequence, 10));
    expect(one.network.send(two.id, chunk(99, 10))).toBe(false);
    expect(one.network.send(two.id, heartbeat(1, 2))).toBe(true);
  });

  test("a large queue leaves as several frames, in order", async () => {
    const [one, two] = await startPair();
    for (let count = 0; count < 5; count += 1)
      one.network.send(two.id, append(1, 2, 400_000 + count));
    one.network.flush();
    await wire.settle();
    expect(one.counters.peerFramesOut).toBe(3);
    const sizes = two.received.map(({ envelope }) =>
      envelope.kind === "raft" && envelope.message.kind === "appendEntries"
        ? envelope.message.entries[0]?.kind === "command" && envelope.message.entries[0].data.length
        : 0,
    );
    expect(sizes).toEqual([400_000, 400_001, 400_002, 400_003, 400_004]);
  });

  test("a link that breaks forgets what waited for it", async () => {
    const [one, two] = await startPair();
    one.network.send(two.id, heartbeat(1, 2, 1));
    wire.last(2).destroy();
    await wire.settle();
    await pass(600);
    one.network.flush();
    await wire.settle();
    expect(two.received).toEqual([]);
  });
});

describe("whoever breaks the protocol", () => {
  test.each<[string, () => Uint8Array]>([
    ["an unknown frame", () => Uint8Array.of(77)],
    ["an empty frame", () => new Uint8Array(0)],
    ["a second hello", () => encodePeerHello(helloOf(3, 9))],
    ["a broken envelope", () => Uint8Array.of(3, 1, 2, 3)],
    ["another's messages", () => encodePeerFrame([heartbeat(2, 1)], encodeEntries)],
    ["messages for another", () => encodePeerFrame([heartbeat(3, 2)], encodeEntries)],
    ["a pong", () => Uint8Array.of(5)],
  ])(
    "with %s loses its link; nothing of the frame is heard, others are undisturbed",
    async (_, frame) => {
      const [one, two] = await startPair();
      one.events.length = 0;
      const bad = knock(1);
      bad.end.send(encodePeerHello(helloOf(3, 5)));
      await wire.settle();
      bad.end.send(frame());
      bad.end.send(encodePeerFrame([heartbeat(3, 1)], encodeEntries));
      await wire.settle();
      expect(bad.closed()).toBe(true);
      expect(one.events).toEqual(["up incoming 3", "down incoming 3"]);
      expect(one.received).toEqual([]);
      two.network.send(one.id, heartbeat(2, 1));
      two.network.flush();
      await wire.settle();
      expect(one.received).toHaveLength(1);
    },
  );

  test.each<[string, () => Uint8Array]>([
    ["an unknown frame", () => Uint8Array.of(77)],
    ["envelopes", () => encodePeerFrame([heartbeat(2, 1)], encodeEntries)],
    ["text", () => new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")],
    ["half a hello", () => encodePeerHello(helloOf(3, 9)).subarray(0, 30)],
  ])("and starts with %s is closed before it is heard", async (_, frame) => {
    const one = await start(1);
    const bad = knock(1);
    bad.end.send(frame());
    await wire.settle();
    expect(bad.closed()).toBe(true);
    expect(bad.frames).toEqual([]);
    expect(one.events).toEqual([]);
  });

  test("on a link that was dialled loses it as well", async () => {
    const [one, two] = await startPair();
    one.events.length = 0;
    wire.last(2).other!.send(Uint8Array.of(77));
    await wire.settle();
    expect(one.events).toEqual(["down outgoing 2"]);
    await pass(1_000);
    expect(one.network.isUp(two.id)).toBe(true);
  });

  test("a fault of this node's own code is not swallowed", async () => {
    const one = await start(1, {
      hooks: {
        onFrame: () => {
          throw new Error("a bug");
        },
      },
    });
    const peer = knock(1);
    peer.end.send(encodePeerHello(helloOf(3, 5)));
    await wire.settle();
    peer.end.send(encodePeerFrame([heartbeat(3, 1)], encodeEntries));
    await expect(wire.settle()).rejects.toThrow("a bug");
    expect(one.received).toEqual([]);
  });
});
