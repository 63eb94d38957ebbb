import { connect } from "@quorate/client";
import {
  createServerConfig,
  QuorateServer,
  restoreBackup,
  systemPorts,
  type ServerPorts,
} from "@quorate/server";
import { expect, it, onTestFinished } from "vitest";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { MemoryImageStores } from "../../packages/server/src/memory/memory-image-stores.ts";
import { SILENT_LOGGER } from "../../packages/server/src/observe/logger.ts";
import { observePoints, type ServerPoint } from "../../packages/server/src/points.ts";
import { ownPorts } from "../support/own-ports.ts";
import { until } from "./servers.ts";

interface Place {
  readonly name: string;
  readonly peer: string;
  readonly client: string;
}

/** Nodes of several ensembles, or of one name, that may reach each other; all are stopped at the end. */
class Nodes implements AsyncDisposable {
  readonly #nodes: QuorateServer[] = [];

  async start(
    name: string,
    members: readonly Place[],
    { ports = newMachine(), join = false } = {},
  ): Promise<QuorateServer> {
    const config = createServerConfig({
      ...{ name, members, join, dataDirectory: "/data" },
      ...{ tickMs: 10, heartbeatMs: 50, electionTimeoutMs: 300 },
      ...{ diskFreeBytesMin: 1_048_576, diskReserveBytes: 65_536, logSegmentBytes: 65_536 },
    });
    const options = { config, ports, logger: SILENT_LOGGER, ownsProcess: false };
    const node = await QuorateServer.start(options);
    this.#nodes.push(node);
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
  }
}

function newMachine(): ServerPorts {
  const files = new MemoryFiles();
  return { ...systemPorts(), files, images: new MemoryImageStores(files) };
}

/** One place for each name. */
async function places(...names: readonly string[]): Promise<readonly Place[]> {
  const ports = await ownPorts(names.length);
  return names.map((name, at) => ({
    name,
    peer: `127.0.0.1:${ports[at]?.peer}`,
    client: `127.0.0.1:${ports[at]?.client}`,
  }));
}

const serves = (node: QuorateServer): boolean => node.notReady().length === 0;

it("members of another ensemble that a node met while it formed do not keep it from its own", async () => {
  await using nodes = new Nodes();
  const [shared, y2, y3, x2, x3] = (await places("1", "2", "3", "2", "3")) as [
    ...[Place, Place, Place, Place, Place],
  ];
  const before = await Promise.all(
    ["1", "2", "3"].map((name) => nodes.start(name, [shared, y2, y3])),
  );
  await until(() => before.every(serves));
  await before[0]?.stop();
  const met: ServerPoint[] = [];
  observePoints((point) => void met.push(point));
  onTestFinished(() => observePoints(null));
  const first = await nodes.start("1", [shared, x2, x3]);
  const other = before[0]?.status().clusterId;
  // They dial its address, and tell who they are.
  await until(() => met.filter((point) => point === "member_unknown_here_met").length >= 2);
  const [second, third] = await Promise.all([
    nodes.start("2", [shared, x2, x3]),
    nodes.start("3", [shared, x2, x3]),
  ]);
  await until(() => [first, second, third].every(serves));
  expect(first.status().clusterId).not.toBe(other);
  await until(() => first.status().connectedPeers.length === 2);
  await third.stop({ handOver: false });
  await until(() => [first, second].every(serves));
});

it("two nodes of one name found two ensembles at worst, and who is in both serves neither", async () => {
  await using nodes = new Nodes();
  const [a, b, c, namesake] = (await places("a", "b", "c", "b")) as [Place, Place, Place, Place];
  const [first, , third] = await Promise.all([
    nodes.start("a", [a, b, c]),
    nodes.start("b", [a, b, c]),
    nodes.start("c", [a, namesake, c]),
    nodes.start("b", [a, namesake, c]),
  ]);
  const ends = Promise.all([first.stopped, third.stopped]);
  const clusters = (): readonly string[] => [first, third].map((node) => node.status().clusterId);
  const outcome = await Promise.race([
    ends,
    until(() => clusters()[0] !== "" && clusters()[0] === clusters()[1]).then(() => "one" as const),
  ]);
  if (outcome === "one") return;
  expect(outcome).toMatchObject([{ code: "IDENTITY_REFUSED" }, { code: "IDENTITY_REFUSED" }]);
});

it("no fencing token is given a second time after a backup was restored", async () => {
  await using nodes = new Nodes();
  const [place] = (await places("1")) as [Place];
  const before = await nodes.start("1", [place]);
  await until(() => serves(before));
  const backup: Uint8Array[] = [];
  for await (const piece of await before.backup()) backup.push(piece);
  const token = await tokenOf(place);
  await before.stop();
  const ports = newMachine();
  const pieces = async function* (): AsyncGenerator<Uint8Array, void> {
    yield* backup;
  };
  const member = { name: "1", peerAddress: place.peer, clientAddress: place.client };
  await restoreBackup(ports, pieces(), { directory: "/data", member });
  const after = await nodes.start("1", [place], { ports });
  await until(() => serves(after));
  expect(await tokenOf(place)).toBeGreaterThan(token);
});

it("a client at the ports for other servers is told at once where clients connect, and goes there if it knows", async () => {
  await using nodes = new Nodes();
  const [place] = (await places("1")) as [Place];
  const node = await nodes.start("1", [place]);
  await until(() => serves(node));
  await expect(connect({ servers: [place.peer] })).rejects.toMatchObject({
    code: "WRONG_PORT",
    message: expect.stringContaining(place.client),
  });
  await using client = await connect({ servers: [place.peer, place.client] });
  expect(client.state.kind).toBe("connected");
});

/** Of a lock, after some writes. */
async function tokenOf({ client: server }: Place): Promise<number> {
  await using client = await connect({ servers: [server] });
  for (let at = 0; at < 9; at += 1) {
    await client.create("/many-", undefined, { mode: "persistentSequential" });
  }
  await using lock = await client.lock("/lock").acquire();
  return lock.token;
}
