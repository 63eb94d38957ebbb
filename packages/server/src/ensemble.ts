import { createServerConfig } from "./config.ts";
import type { MemberSetting } from "./config/option.ts";
import { ServerError } from "./errors.ts";
import { MemoryFiles } from "./memory/memory-files.ts";
import { MemoryImageStores } from "./memory/memory-image-stores.ts";
import { SILENT_LOGGER, type Logger } from "./observe/logger.ts";
import type { ServerPorts } from "./ports.ts";
import { QuorateServer } from "./quorate-server.ts";
import { systemPorts } from "./system/system-ports.ts";

/** What {@link startEnsemble} starts. */
export interface EnsembleOptions {
  /** 1, 3 or 5; default 3. */
  readonly nodes?: number;
  /** Where each node keeps a folder of its own. Default: in memory, gone at the end. */
  readonly directory?: string;
  /** Default: none. */
  readonly logger?: Logger;
  /** Gives up; rejects with a `ServerError` START_TIMEOUT. Default 10,000 ms. */
  readonly startTimeoutMs?: number;
}

/** An ensemble inside this process, for tests and trials: real servers that speak over loopback. */
export interface Ensemble extends AsyncDisposable {
  /** `host:port` of every node, for `connect({ servers })`. */
  readonly servers: readonly string[];
  readonly nodes: readonly QuorateServer[];
  /** The node that leads now, or null. */
  leader(): QuorateServer | null;
  stop(): Promise<void>;
}

/** Short, because nodes of one process have no network between them that could be slow. */
const TIMING = { tickMs: 10, heartbeatMs: 50, electionTimeoutMs: 300 } as const;
const START_TIMEOUT_MS = 10_000;
const NODES = 3;
const MEMORY_DIRECTORY = "/memory";
const POLL_MS = 2;

/**
 * Starts an ensemble and resolves once it serves; in memory within 200 ms. Stop it with `stop()` or `await using`. Rejects with a
 * `ServerError`: CONFIG_INVALID for options that are none, START_TIMEOUT, and what a server's start does.
 *
 * @example
 * await using ensemble = await startEnsemble();
 * await using client = await connect({ servers: ensemble.servers });
 */
export async function startEnsemble(options: EnsembleOptions = {}): Promise<Ensemble> {
  checkOptions(options);
  const count = options.nodes ?? NODES;
  const ports = systemPorts();
  const addresses = await freePorts(ports, count * 2);
  const members = Array.from({ length: count }, (_, at) => ({
    name: `${at + 1}`,
    peer: `127.0.0.1:${addresses[at * 2]}`,
    client: `127.0.0.1:${addresses[at * 2 + 1]}`,
  }));
  const nodes: QuorateServer[] = [];
  const stop = async (): Promise<void> => {
    // All of them go: nobody is left to hand leadership over to.
    await Promise.all(nodes.map((node) => node.stop({ handOver: false })));
  };
  try {
    // At once, so that each listens when the others dial it.
    const starting = members.map(({ name }) => startNode(name, members, options, ports));
    for (const result of await Promise.allSettled(starting)) {
      if (result.status === "fulfilled") nodes.push(result.value);
    }
    await Promise.all(starting);
    await ready(nodes, ports, options.startTimeoutMs ?? START_TIMEOUT_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    servers: members.map((member) => member.client),
    nodes,
    leader: () => nodes.find((node) => node.status().role === "leader") ?? null,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Also for callers without types. */
function checkOptions(options: EnsembleOptions): void {
  if (typeof options !== "object" || (options as EnsembleOptions | null) === null) {
    throw new ServerError("CONFIG_INVALID", "startEnsemble takes an object like { nodes: 3 }");
  }
  const { nodes = NODES, directory = MEMORY_DIRECTORY, logger } = options;
  const { startTimeoutMs = START_TIMEOUT_MS } = options;
  if (!Number.isSafeInteger(nodes) || nodes < 1 || nodes > 7) {
    throw new ServerError("CONFIG_INVALID", "an ensemble has 1 to 7 nodes");
  }
  if (typeof directory !== "string" || directory === "") {
    throw new ServerError("CONFIG_INVALID", "the directory is the path of a folder");
  }
  if (typeof startTimeoutMs !== "number" || !(startTimeoutMs > 0)) {
    throw new ServerError("CONFIG_INVALID", "startTimeoutMs is a time above 0, in ms");
  }
  if (logger !== undefined && (typeof logger !== "object" || (logger as Logger | null) === null)) {
    throw new ServerError("CONFIG_INVALID", "the logger is an object with a method for each level");
  }
}

function startNode(
  name: string,
  members: readonly MemberSetting[],
  options: EnsembleOptions,
  ports: ServerPorts,
): Promise<QuorateServer> {
  const isInMemory = options.directory === undefined;
  const config = createServerConfig({
    name,
    members,
    dataDirectory: `${options.directory ?? MEMORY_DIRECTORY}/${name}`,
    diskFreeBytesMin: 1_048_576,
    diskReserveBytes: 65_536,
    logSegmentBytes: isInMemory ? 262_144 : 4_194_304,
    ...TIMING,
  });
  const logger = options.logger?.child({ node: name }) ?? SILENT_LOGGER;
  const own = isInMemory ? memoryPorts(ports) : ports;
  return QuorateServer.start({ config, ports: own, logger, ownsProcess: false });
}

function memoryPorts(ports: ServerPorts): ServerPorts {
  const files = new MemoryFiles();
  return { ...ports, files, images: new MemoryImageStores(files) };
}

/** Ports that nobody listens on; found by listening on them for a moment. */
async function freePorts(ports: ServerPorts, count: number): Promise<readonly number[]> {
  const listeners = await Promise.all(
    Array.from({ length: count }, () =>
      ports.transport.listen({
        host: "127.0.0.1",
        port: 0,
        frameBytesMax: 1_024,
        connectionsMax: 1,
        allowedOrigins: [],
        http: null,
        accept: (connection) => connection.destroy(),
      }),
    ),
  );
  const found = listeners.map((listener) => listener.port);
  await Promise.all(listeners.map((listener) => listener.close()));
  return found;
}

async function ready(
  nodes: readonly QuorateServer[],
  ports: ServerPorts,
  timeoutMs: number,
): Promise<void> {
  const deadline = ports.clock.nowMs() + timeoutMs;
  while (nodes.some((node) => node.notReady().length > 0)) {
    if (ports.clock.nowMs() > deadline) {
      const reasons = nodes.flatMap((node) => node.notReady());
      throw new ServerError("START_TIMEOUT", `not ready in ${timeoutMs} ms: ${reasons.join("; ")}`);
    }
    await new Promise<void>((resolve) => {
      ports.clock.after(POLL_MS, resolve);
    });
  }
}
