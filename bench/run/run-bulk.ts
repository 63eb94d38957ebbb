import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DriverProcess } from "../driver-process.ts";
import type { RunOrder } from "../protocol.ts";
import type { GcPause } from "../systems/system.ts";
import type { BulkWorkload, GapWorkload } from "../workloads.ts";
import { acknowledgedValues, checkValues, restartAll, type Filled } from "./check-read-back.ts";
import { withEnoughDrivers, type Attempt } from "./enough-drivers.ts";
import { boundProblem, connectDrivers, countBound, driveLoad, mebibytes } from "./load-drivers.ts";
import type { Outcome } from "./outcome.ts";
import { SESSION_TIMEOUT_MS, withStage, type RunContext, type Stage } from "./run-context.ts";

const DIRECTORY = "/bench";
const SESSIONS = 64;
const GAP_DEPTH = 4;
const DRIVERS_MIN = 2;
const LOAD_OUTSTANDING = 1024;
const BLOCK_BYTES = 512;

/** Loads many znodes; then what they cost in memory and on disk, and how soon a killed follower reads again. */
export async function runBulk(
  workload: BulkWorkload,
  context: RunContext,
  processes: number,
): Promise<Outcome> {
  return withEnoughDrivers(driverCounts(context, processes), (count) =>
    withStage(context, { nodes: 3 }, (stage) => loadOnce(workload, stage, { context, count })),
  );
}

/** Loads many znodes, then sets them for a long time; the figure is the longest time without an acknowledged set. */
export async function runGap(
  workload: GapWorkload,
  context: RunContext,
  processes: number,
): Promise<Outcome> {
  return withEnoughDrivers(driverCounts(context, processes), (count) =>
    withStage(context, { nodes: 3, isGcLogged: true }, (stage) =>
      gapOnce(workload, stage, { context, count }),
    ),
  );
}

interface Drivers {
  readonly context: RunContext;
  readonly count: number;
}

async function loadOnce(
  workload: BulkWorkload,
  stage: Stage,
  { context, count }: Drivers,
): Promise<Attempt> {
  const { ensemble } = stage;
  const drivers = await startDrivers(stage, count);
  const cpuBefore = ensemble.cpuSeconds();
  const loaded = await loadAll(drivers, workload);
  const serverCpuSeconds = ensemble.cpuSeconds() - cpuBefore;
  await sleep(workload.settleMs);
  const serverRssBytes = ensemble.anonymousBytes();
  const { nodes } = ensemble.site;
  const diskBytes = nodes.reduce((total, node) => total + bytesBelow(node.directory), 0);
  const ended = ensemble.endedNodes().map(({ number }) => `node ${number} ended under the load`);
  const restartMs = await timeRestart(stage, workload.znodes - 1);
  const acknowledged = await acknowledgedValues([], loaded.filled);
  const reader = await restartAll(stage, drivers);
  const readBack = await checkValues(reader, DIRECTORY, acknowledged);
  const bound = countBound(loaded.cpuShares, context.driverCpuShareMax);
  const problems = [
    ...boundProblem(bound, count),
    ...ended,
    ...(readBack === null ? [] : [readBack]),
  ];
  const outcome: Outcome = {
    metrics: {
      "load rate": (workload.znodes * 1000) / loaded.elapsedMs,
      "memory per server": mebibytes(serverRssBytes / nodes.length),
      "disk per server": mebibytes(diskBytes / nodes.length),
      "restart to first read": restartMs,
    },
    serverCpuSeconds,
    driverCpuSeconds: loaded.driverCpuSeconds,
    serverRssBytes,
    driverProcesses: count,
    problems,
    notes: [],
  };
  return { outcome, isDriverBound: bound > 0 };
}

async function gapOnce(
  workload: GapWorkload,
  stage: Stage,
  { context, count }: Drivers,
): Promise<Attempt> {
  const { ensemble } = stage;
  const drivers = await startDrivers(stage, count);
  const { filled } = await loadAll(drivers, { ...workload, outstanding: LOAD_OUTSTANDING });
  let logEnds: readonly number[] = [];
  let pauses: readonly GcPause[] = [];
  const driven = await driveLoad({
    drivers,
    ensemble,
    order: gapOrder(workload, context),
    cpuShareMax: context.driverCpuShareMax,
    onPhase: (phase) => {
      if (phase === "measuring") logEnds = ensemble.logEnds();
      else pauses = ensemble.gcPausesSince(logEnds);
    },
  });
  const acknowledged = await acknowledgedValues(drivers, filled);
  const reader = await restartAll(stage, drivers);
  const readBack = await checkValues(reader, DIRECTORY, acknowledged);
  const outcome: Outcome = {
    metrics: {
      "longest gap": driven.longestGapMs,
      "longest GC pause": Math.max(0, ...pauses.map(({ longestMs }) => longestMs)),
      "GC pauses in all": pauses.reduce((total, { totalMs }) => total + totalMs, 0),
      throughput: driven.perSecond,
      p99: driven.latencies.percentileMs(0.99),
      "p99.9": driven.latencies.percentileMs(0.999),
    },
    serverCpuSeconds: driven.serverCpuSeconds,
    driverCpuSeconds: driven.driverCpuSeconds,
    serverRssBytes: driven.serverRssBytes,
    driverProcesses: count,
    problems: readBack === null ? driven.problems : [...driven.problems, readBack],
    notes: driven.notes,
  };
  return { outcome, isDriverBound: driven.isDriverBound };
}

function gapOrder(workload: GapWorkload, context: RunContext): RunOrder {
  return {
    command: "run",
    directory: DIRECTORY,
    operation: "set",
    depth: GAP_DEPTH,
    paths: workload.znodes,
    bytes: workload.bytes,
    warmUpMs: context.warmUpMs,
    measureMs: workload.measureMs,
    ratePerSecond: 0,
  };
}

/** A load of that size never gets by with one. */
function driverCounts(
  { system }: RunContext,
  processes: number,
): { readonly from: number; readonly max: number } {
  return { from: Math.max(DRIVERS_MIN, processes), max: system.driverProcessesMax };
}

async function startDrivers(
  { ensemble, startDriver }: Stage,
  count: number,
): Promise<readonly DriverProcess[]> {
  const drivers = Array.from({ length: count }, () => startDriver());
  await connectDrivers(drivers, await ensemble.serversLeaderLast(), SESSIONS);
  return drivers;
}

interface Loaded {
  readonly elapsedMs: number;
  readonly filled: readonly Filled[];
  readonly driverCpuSeconds: number;
  /** Of each driver, while it loaded, as a share of one core. */
  readonly cpuShares: readonly number[];
}

/** Every driver loads a share. */
async function loadAll(
  drivers: readonly DriverProcess[],
  { znodes, bytes, outstanding }: Pick<BulkWorkload, "znodes" | "bytes" | "outstanding">,
): Promise<Loaded> {
  const started = performance.now();
  const share = Math.ceil(znodes / drivers.length);
  const loaded = await Promise.all(
    drivers.map(async (driver, at) => {
      const range = { from: at * share, to: Math.min(znodes, (at + 1) * share) };
      const cpuBefore = driver.cpuSeconds();
      const { crcs } = await driver.ask({
        command: "fill",
        directory: DIRECTORY,
        ...range,
        bytes,
        outstanding: Math.ceil(outstanding / drivers.length),
      });
      const cpuSeconds = driver.cpuSeconds() - cpuBefore;
      const cpuShare = (cpuSeconds * 1000) / (performance.now() - started);
      return { filled: { ...range, crcs }, cpuSeconds, cpuShare };
    }),
  );
  return {
    elapsedMs: performance.now() - started,
    filled: loaded.map(({ filled }) => filled),
    driverCpuSeconds: loaded.reduce((total, { cpuSeconds }) => total + cpuSeconds, 0),
    cpuShares: loaded.map(({ cpuShare }) => cpuShare),
  };
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
  const { values } = await reader.ask({ command: "read", directory: DIRECTORY, indexes: [index] });
  const elapsedMs = performance.now() - started;
  await reader.kill();
  if (values.length === 0) throw new Error("the restarted node does not know what was loaded");
  return elapsedMs;
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
