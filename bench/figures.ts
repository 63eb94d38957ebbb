import { LocalEnsemble, freePorts, planEnsemble } from "@quorate/cli";
import { connect, type QuorateClient } from "@quorate/client";
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { randomValues, runClosedLoop, type Operation } from "./closed-loop.ts";
import { measureFailover } from "./failover.ts";

const USAGE = `Usage: npm run figures -- [--only ID,ID…] [--quick] [--bytes N] [--failovers N] [--data DIR]
                                [--flag FLAG …]

First figures of a 3-node ensemble of real processes on this machine, default durability, data on DIR's disk.
IDs: set-1x1 set-64x4 set-64x16 get-lin-64x4 get-local-64x4 failover-kill
`;
const PATHS = 10_000;
const TMPFS = 0x01021994;

interface Workload {
  readonly id: string;
  readonly sessions: number;
  readonly depth: number;
  readonly operation: Operation<QuorateClient>;
}

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    bytes: { type: "string", default: "128" },
    failovers: { type: "string", default: "10" },
    data: { type: "string", default: "." },
    help: { type: "boolean", default: false },
    flag: { type: "string", multiple: true, default: [] },
  },
});

if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

const valueBytes = Number(values.bytes);
const value = randomValues(valueBytes);
const set: Operation<QuorateClient> = (client, path) => client.set(path, value());
const getLinearizable: Operation<QuorateClient> = (client, path) => client.get(path);
const LOCAL = { consistency: "local" } as const;
const getLocal: Operation<QuorateClient> = (client, path) => client.get(path, LOCAL);
const WORKLOADS: readonly Workload[] = [
  { id: "set-1x1", sessions: 1, depth: 1, operation: set },
  { id: "set-64x4", sessions: 64, depth: 4, operation: set },
  { id: "set-64x16", sessions: 64, depth: 16, operation: set },
  { id: "get-lin-64x4", sessions: 64, depth: 4, operation: getLinearizable },
  { id: "get-local-64x4", sessions: 64, depth: 4, operation: getLocal },
];

const wanted = values.only === undefined ? null : new Set(values.only.split(","));
const warmUpMs = values.quick ? 2_000 : 5_000;
const measureMs = values.quick ? 5_000 : 20_000;
const base = resolve(values.data);
if (statfsSync(base).type === TMPFS) {
  console.error(`${base} is a tmpfs, where a durable write costs nothing; name a disk with --data`);
  process.exit(2);
}

console.log(`# ${cpus().length} × ${cpus()[0]?.model ?? "?"}, Node ${process.version}`);
console.log(`# 3 nodes, ${valueBytes}-byte values over ${PATHS} paths, one client process,`);
console.log(`# ${warmUpMs / 1000} s warm-up, ${measureMs / 1000} s measured`);
for (const workload of WORKLOADS) {
  if (wanted !== null && !wanted.has(workload.id)) continue;
  await withEnsemble(async (ensemble) => runWorkload(ensemble, workload));
}
if (wanted === null || wanted.has("failover-kill")) {
  await withEnsemble(async (ensemble) => runFailovers(ensemble, Number(values.failovers)));
}

async function withEnsemble(run: (ensemble: LocalEnsemble) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(base, ".figures-"));
  const plan = planEnsemble(directory, await freePorts(3));
  const ensemble = new LocalEnsemble({ plan, flags: ["--log-level", "warn", ...values.flag] });
  const killAll = (): void => ensemble.killAll();
  process.once("exit", killAll);
  try {
    ensemble.startAll();
    await ensemble.waitUntilReady(30_000);
    await run(ensemble);
  } finally {
    await ensemble.stop();
    process.removeListener("exit", killAll);
    rmSync(directory, { recursive: true, force: true });
  }
}

async function runWorkload(ensemble: LocalEnsemble, workload: Workload): Promise<void> {
  const { id, sessions, depth, operation } = workload;
  const clients = await connectAll(ensemble, sessions);
  try {
    const paths = await createPaths(clients[0]);
    const result = await runClosedLoop({ clients, depth, paths, operation, warmUpMs, measureMs });
    const { perSecond, p50Ms, p99Ms, errors, driverCpuShare } = result;
    console.log(
      `${id.padEnd(16)} ${Math.round(perSecond).toLocaleString("en").padStart(9)}/s` +
        `  p50 ${p50Ms.toFixed(2)} ms  p99 ${p99Ms.toFixed(2)} ms` +
        `  errors ${errors}  driver CPU ${Math.round(driverCpuShare * 100)} %`,
    );
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

/** Spread evenly over the nodes: each client is given one of them to start with. */
async function connectAll(ensemble: LocalEnsemble, count: number): Promise<QuorateClient[]> {
  const { servers } = ensemble;
  return Promise.all(
    Array.from({ length: count }, (_, at) =>
      connect({ servers: [servers[at % servers.length] ?? ""], sessionTimeoutMs: 30_000 }),
    ),
  );
}

async function createPaths(client: QuorateClient | undefined): Promise<readonly string[]> {
  if (client === undefined) throw new Error("a workload needs at least one session");
  await client.create("/bench");
  const paths = Array.from(
    { length: PATHS },
    (_, at) => `/bench/item-${String(at).padStart(6, "0")}`,
  );
  for (let at = 0; at < paths.length; at += 500) {
    await Promise.all(paths.slice(at, at + 500).map((path) => client.create(path, value())));
  }
  return paths;
}

async function runFailovers(ensemble: LocalEnsemble, count: number): Promise<void> {
  await using client = await connect({ servers: ensemble.servers });
  await client.create("/bench");
  const gaps: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const gap = await measureFailover(ensemble);
    gaps.push(gap);
    console.log(`failover ${at + 1}: ${Math.round(gap)} ms`);
  }
  gaps.sort((a, b) => a - b);
  const median = gaps[Math.floor(gaps.length / 2)] ?? Number.NaN;
  const lowest = Math.round(gaps[0] ?? Number.NaN);
  const highest = Math.round(gaps.at(-1) ?? Number.NaN);
  console.log(`failover-kill    median ${Math.round(median)} ms  (${lowest} to ${highest})`);
}
