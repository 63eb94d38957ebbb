import { logIndex, nodeId, term, type Entry, type NodeId } from "@quorate/raft";
import { expect } from "vitest";
import { ServerError } from "../../../packages/server/src/errors.ts";
import { SERVER_LIMITS, type PeerLimits } from "../../../packages/server/src/limits.ts";
import { ManualClock } from "../../../packages/server/src/memory/manual-clock.ts";
import { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import {
  createMemoryLogger,
  type MemoryLogger,
} from "../../../packages/server/src/observe/logger.ts";
import { zeroCounters } from "../../../packages/server/src/observe/metrics.ts";
import type {
  PeerEnvelope,
  PeerHello,
  PeerWelcome,
} from "../../../packages/server/src/peer/envelope.ts";
import {
  PeerNetwork,
  type PeerNetworkHooks,
  type PeerTarget,
} from "../../../packages/server/src/peer/peer-network.ts";
import { encodeEntries } from "../../../packages/server/src/storage/entry-codec.ts";
import { Wire, type End } from "./wire.ts";

/** A network under test and what it told. */
export interface PeerNode {
  readonly id: NodeId;
  readonly name: string;
  readonly network: PeerNetwork;
  readonly events: string[];
  readonly received: { readonly from: NodeId; readonly envelope: PeerEnvelope }[];
  readonly counters: ReturnType<typeof zeroCounters>;
  readonly logger: MemoryLogger;
}

/** What a node of the test does differently. */
export interface PeerNodeOptions {
  readonly hooks?: Partial<PeerNetworkHooks>;
  readonly limits?: Partial<PeerLimits>;
  readonly port?: number;
}

/** A stranger's connection to a node's peer port. */
export interface Knock {
  readonly end: End;
  readonly frames: Uint8Array[];
  closed(): boolean;
}

export function helloOf(
  id: number,
  linkNonce: number,
  changes: Partial<PeerHello> = {},
): PeerHello {
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
    limits: { bytesMax: 1, sessionsMax: 1, sessionEphemeralsMax: 1 },
    timing: { heartbeatMs: 100, electionTimeoutMs: 600 },
    linkNonce,
    entrance: "member",
    priority: 100,
    appliedIndex: null,
    ...changes,
  };
}

export function welcomeOf(id: number): PeerWelcome {
  return {
    kind: "welcome",
    protocolVersion: 1,
    clusterId: "c",
    historyId: "h",
    nodeId: nodeId(id),
    name: String(id),
    peerAddress: `127.0.0.1:${id}`,
    clientAddress: "",
    formation: null,
  };
}

export const target = (id: number, peerAddress = `127.0.0.1:${id}`): PeerTarget => ({
  id: nodeId(id),
  name: String(id),
  peerAddress,
});

export const heartbeat = (from: number, to: number, round = 1): PeerEnvelope => ({
  kind: "raft",
  message: {
    kind: "heartbeat",
    from: nodeId(from),
    to: nodeId(to),
    term: term(1),
    commitIndex: logIndex(0),
    commitTerm: term(0),
    round,
  },
});

export function append(from: number, to: number, dataBytes: number): PeerEnvelope {
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

export const chunk = (sequence: number, bytes: number): PeerEnvelope => ({
  kind: "snapshotChunk",
  transfer: 1,
  sequence,
  header: null,
  records: [["k", new Uint8Array(bytes)]],
  last: false,
  checksum: 0,
});

/** Nodes on one wire, under one clock; node `n` listens on port `n`. */
export class PeerLab {
  readonly clock: ManualClock = new ManualClock();
  readonly wire: Wire = new Wire(this.clock);
  readonly #nodes: PeerNode[] = [];
  #incarnation = 0;

  async start(id: number, options: PeerNodeOptions = {}): Promise<PeerNode> {
    const events: string[] = [];
    const received: PeerNode["received"] = [];
    const counters = zeroCounters();
    const logger = createMemoryLogger();
    this.#incarnation += 1;
    const network = new PeerNetwork({
      self: { nodeId: nodeId(id), name: String(id) },
      listen: { host: "127.0.0.1", port: options.port ?? id },
      transport: this.wire,
      clock: this.clock,
      random: new SeededRandom(this.#incarnation),
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
    this.#nodes.push(node);
    return node;
  }

  async startPair(options: PeerNodeOptions = {}): Promise<readonly [PeerNode, PeerNode]> {
    const one = await this.start(1, options);
    const two = await this.start(2);
    one.network.setMembers([target(1), target(2)]);
    two.network.setMembers([target(1), target(2)]);
    await this.wire.settle();
    return [one, two];
  }

  /** Time passes in small steps, and everything that is sent arrives. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      this.clock.advance(10);
      await this.wire.settle();
    }
  }

  knock(port: number): Knock {
    const listener = this.wire.listeners.get(port);
    if (listener === undefined) throw new Error(`nobody listens on ${port}`);
    const frames: Uint8Array[] = [];
    const end = this.wire.connect(listener, {
      port,
      handlers: { onFrame: (frame) => frames.push(frame), onClose: () => undefined },
    });
    return { end, frames, closed: () => end.isClosed };
  }

  /** Ends all nodes and checks that nothing of them is left. */
  async close(): Promise<void> {
    for (const node of this.#nodes) await node.network[Symbol.asyncDispose]();
    await this.wire.settle();
    // Dials that nobody answers end by their own timeout.
    await this.pass(1_000);
    expect(this.wire.listeners.size).toBe(0);
    for (const { end } of this.wire.dialled) expect(end.isClosed).toBe(true);
    expect(this.clock.nextDueMs()).toBeNull();
  }
}

/** True if the frame decodes; false if it is refused the way every wrong frame has to be. */
export function attempt(decode: (frame: Uint8Array) => unknown, frame: Uint8Array): boolean {
  try {
    decode(frame);
    return true;
  } catch (error) {
    if (error instanceof ServerError && error.code === "PEER_PROTOCOL") return false;
    throw error;
  }
}
