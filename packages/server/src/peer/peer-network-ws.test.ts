import { nodeId, type NodeId } from "@quorate/raft";
import { afterEach, expect, test } from "vitest";
import {
  append,
  heartbeat,
  helloOf,
  target,
  welcomeOf,
} from "../../../../tests/support/peer/peer-lab.ts";
import { SERVER_LIMITS } from "../limits.ts";
import { SILENT_LOGGER } from "../observe/logger.ts";
import { zeroCounters } from "../observe/metrics.ts";
import { encodeEntries } from "../storage/entry-codec.ts";
import { SystemClock } from "../system/system-clock.ts";
import { SystemRandom } from "../system/system-random.ts";
import { WsTransport } from "../transport/ws-transport.ts";
import type { PeerEnvelope } from "./envelope.ts";
import { PeerNetwork } from "./peer-network.ts";

interface WsNode {
  readonly network: PeerNetwork;
  readonly received: PeerEnvelope[];
  /** Resolves once `done` holds. */
  until(done: () => boolean): Promise<void>;
}

const nodes: PeerNetwork[] = [];

afterEach(async () => {
  for (const network of nodes.splice(0)) await network[Symbol.asyncDispose]();
});

async function start(id: number): Promise<WsNode> {
  const received: PeerEnvelope[] = [];
  const waiting = new Set<() => void>();
  const changed = (): void => {
    for (const check of waiting) check();
  };
  const network = new PeerNetwork({
    self: { nodeId: nodeId(id), name: String(id) },
    listen: { host: "127.0.0.1", port: 0 },
    transport: new WsTransport(),
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: SILENT_LOGGER,
    limits: SERVER_LIMITS.peer,
    counters: zeroCounters(),
    blockFor: encodeEntries,
    hooks: {
      hello: () => helloOf(id, 0),
      onHello: () => welcomeOf(id),
      onWelcome: () => true,
      onFrame: (_: NodeId, envelopes) => {
        received.push(...envelopes);
        changed();
      },
      onLinkUp: changed,
      onLinkDown: changed,
    },
  });
  nodes.push(network);
  await network.start();
  const until = (done: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!done()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  return { network, received, until };
}

function sizeOf(envelope: PeerEnvelope): number {
  if (envelope.kind !== "raft" || envelope.message.kind !== "appendEntries") return 0;
  const [entry] = envelope.message.entries;
  return entry?.kind === "command" ? entry.data.length : 0;
}

test("over real sockets: links come up, large messages arrive whole, a death is told", async () => {
  const [one, two] = [await start(1), await start(2)];
  one.network.setMembers([target(2, `127.0.0.1:${two.network.port}`)]);
  two.network.setMembers([target(1, `127.0.0.1:${one.network.port}`)]);
  await one.until(() => one.network.isUp(nodeId(2)));
  await two.until(() => two.network.isUp(nodeId(1)));
  const sent = [heartbeat(1, 2, 1), append(1, 2, 4_000_000), heartbeat(1, 2, 2)];
  for (const envelope of sent) expect(one.network.send(nodeId(2), envelope)).toBe(true);
  one.network.flush();
  await two.until(() => two.received.length === 3);
  expect(two.received.map(sizeOf)).toEqual([0, 4_000_000, 0]);
  await two.network[Symbol.asyncDispose]();
  await one.until(() => !one.network.isUp(nodeId(2)));
  expect(one.network.send(nodeId(2), heartbeat(1, 2))).toBe(false);
});
