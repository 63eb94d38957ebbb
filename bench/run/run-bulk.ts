import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DriverProcess } from "../driver-process.ts";
import type { RunOrder } from "../protocol.ts";
import type { BulkWorkload, GapWorkload } from "../workloads.ts";
import { connectDrivers, driveLoad, mebibytes } from "./load-drivers.ts";
import { NOTHING, type Outcome } from "./outcome.ts";
import { SESSION_TIMEOUT_MS, withStage, type RunContext, type Stage } from "./run-context.ts";

const DIRECTORY = "/bench";
const SESSIONS = 64;
const DRIVERS = 2;
const SETTLE_MS = 10_000;
const BLOCK_BYTES = 512;

/** Loads many znodes; then what they cost in memory and on disk, and how soon a killed follower reads again. */
export async function runBulk(workload: BulkWorkload, context: RunContext): Promise<Outcome> {
  return withStage(context, { nodes: 3 }, async (stage) => {
    const drivers = await startDrivers(stage);
    const cpuBefore = stage.ensemble.cpuSeconds();
    const loadRate = await loadAll(drivers, workload);
    const serverCpuSeconds = stage.ensemble.cpuSeconds() - cpuBefore;
    const driverCpuSeconds = drivers.reduce((total, driver) => total + driver.cpuSeconds(), 0);
    await sleep(SETTLE_MS);
    const serverRssBytes = stage.ensemble.residentBytes();
    const nodes = stage.ensemble.site.nodes;
    const diskBytes = nodes.reduce((total, node) => total + bytesBelow(node.directory), 0);
    return {
      ...NOTHING,
      metrics: {
        "load rate": loadRate,
        "memory per server": mebibytes(serverRssBytes / nodes.length),
        "disk per server": mebibytes(diskBytes / nodes.length),
        "restart to first read": await timeRestart(stage, workload.znodes - 1),
      },
      serverCpuSeconds,
      driverCpuSeconds,
      serverRssBytes,
      driverProcesses: DRIVERS,
    };
  });
}

/** Loads many znodes, then sets them for a long time; the figure is the longest time without an acknowledged set. */
export async function runGap(workload: GapWorkload, context: RunContext): Promise<Outcome> {
  return withStage(context, { nodes: 3 }, async (stage) => {
    const drivers = await startDrivers(stage);
    await loadAll(drivers, { ...workload, outstanding: 1024 });
    const order: RunOrder = {
      command: "run",
      directory: DIRECTORY,
      operation: "set",
      depth: 4,
      paths: workload.znodes,
      bytes: workload.bytes,
      warmUpMs: context.warmUpMs,
      measureMs: workload.measureMs,
      ratePerSecond: 0,
    };
    const driven = await driveLoad(drivers, stage.ensemble, order, context.driverCpuShareMax);
    return {
      metrics: {
        "longest gap": driven.longestGapMs,
        throughput: driven.perSecond,
        p99: driven.latencies.percentileMs(0.99),
        "p99.9": driven.latencies.percentileMs(0.999),
      },
      serverCpuSeconds: driven.serverCpuSeconds,
      driverCpuSeconds: driven.driverCpuSeconds,
      serverRssBytes: driven.serverRssBytes,
      driverProcesses: DRIVERS,
      problems: driven.problems,
      notes: [],
    };
  });
}

async function startDrivers({ ensemble, startDriver }: Stage): Promise<readonly DriverProcess[]> {
  const drivers = Array.from({ length: DRIVERS }, () => startDriver());
  await connectDrivers(drivers, ensemble.servers, SESSIONS);
  return drivers;
}

/** Znodes a second over all drivers, each of which loads a share. */
async function loadAll(
  drivers: readonly DriverProcess[],
  { znodes, bytes, outstanding }: Pick<BulkWorkload, "znodes" | "bytes" | "outstanding">,
): Promise<number> {
  const started = performance.now();
  const share = Math.ceil(znodes / drivers.length);
  await Promise.all(
    drivers.map((driver, at) =>
      driver.ask({
        command: "fill",
        directory: DIRECTORY,
        from: at * share,
        to: Math.min(znodes, (at + 1) * share),
        bytes,
        outstanding: Math.ceil(outstanding / drivers.length),
      }),
    ),
  );
  return (znodes * 1000) / (performance.now() - started);
}

/** From the start of a killed follower's process to the first linearizable read it answers, ms. */
async function timeRestart(stage: Stage, index: number): Promise<number> {
  const { ensemble } = stage;
  const leader = await ensemble.leader();
  const follower = ensemble.site.nodes.find((node) => node !== leader) ?? leader;
  const reader = stage.startDriver();
  await reader.ask({
    command: "connect",
    servers: [leader.clientAddress],
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
  });
  await ensemble.killNode(follower);
  const started = performance.now();
  ensemble.startNode(follower);
  await ensemble.waitUntilNodeServes(follower);
  const servers = [follower.clientAddress];
  await reader.ask({ command: "connect", servers, sessionTimeoutMs: SESSION_TIMEOUT_MS });
  await reader.ask({ command: "read", directory: DIRECTORY, indexes: [index] });
  return performance.now() - started;
}

/** Disk space taken, not lengths: logs are preallocated or sparse. */
function bytesBelow(directory: string): number {
  let total = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    total += entry.isDirectory() ? bytesBelow(path) : lstatSync(path).blocks * BLOCK_BYTES;
  }
  return total;
}
