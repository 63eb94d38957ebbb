import { setTimeout as sleep } from "node:timers/promises";
import type { DriverProcess } from "../driver-process.ts";
import type { RunOrder } from "../protocol.ts";
import { compareReadBack, newestOf } from "../read-back.ts";
import type { LoadWorkload } from "../workloads.ts";
import { connectDrivers, driveLoad, type DrivenLoad } from "./load-drivers.ts";
import type { Outcome } from "./outcome.ts";
import { withStage, type RunContext, type Stage } from "./run-context.ts";

const DIRECTORY = "/bench";
const FILL_OUTSTANDING = 256;
const SETTLE_MS = 500;
const DRIVER_PROCESSES_MAX = 4;
/** A rate counts as sustained from this share of it on. */
const SUSTAINED_SHARE = 0.98;

/**
 * Runs a load with as many driver processes as it needs: with one more, on a fresh ensemble, while the drivers were
 * bound by CPU. `processes` is where to begin.
 */
export async function runLoad(
  workload: LoadWorkload,
  context: RunContext,
  processes: number,
): Promise<Outcome> {
  for (let count = processes; ; count += 1) {
    const { outcome, isDriverBound } = await runOnce(workload, context, count);
    const countMax = Math.min(DRIVER_PROCESSES_MAX, workload.sessions);
    if (!isDriverBound || count >= countMax) return outcome;
  }
}

async function runOnce(
  workload: LoadWorkload,
  context: RunContext,
  processes: number,
): Promise<{ readonly outcome: Outcome; readonly isDriverBound: boolean }> {
  return withStage(context, { nodes: workload.nodes }, async (stage) => {
    const drivers = Array.from({ length: processes }, () => stage.startDriver());
    await connectDrivers(drivers, stage.ensemble.servers, workload.sessions);
    await fill(drivers, workload);
    const order = runOrder(workload, context);
    const driven = await driveLoad(drivers, stage.ensemble, order, context.driverCpuShareMax);
    const readBack = await checkReadBack(workload, stage, drivers);
    const outcome: Outcome = {
      metrics: metricsOf(workload, driven),
      serverCpuSeconds: driven.serverCpuSeconds,
      driverCpuSeconds: driven.driverCpuSeconds,
      serverRssBytes: driven.serverRssBytes,
      driverProcesses: processes,
      problems: readBack === null ? driven.problems : [...driven.problems, readBack],
      notes: notesOf(workload, driven),
    };
    return { outcome, isDriverBound: driven.isDriverBound };
  });
}

async function fill(drivers: readonly DriverProcess[], workload: LoadWorkload): Promise<void> {
  await drivers[0]?.ask({
    command: "fill",
    directory: DIRECTORY,
    from: 0,
    to: workload.paths,
    bytes: workload.bytes,
    outstanding: FILL_OUTSTANDING,
  });
  // Followers that are a moment behind would answer local reads with "no such path".
  await sleep(SETTLE_MS);
}

function runOrder(workload: LoadWorkload, context: RunContext): RunOrder {
  const { operation, depth, paths, bytes, ratePerSecond } = workload;
  const { warmUpMs, measureMs } = context;
  const directory = directoryOf(workload);
  const load = { operation, depth, paths, bytes, ratePerSecond, warmUpMs, measureMs };
  return { command: "run", directory, ...load };
}

/** Ephemerals come and go in a directory without anything else. */
function directoryOf({ operation }: LoadWorkload): string {
  const isApart = operation === "create-sequential" || operation === "lock";
  return isApart ? `${DIRECTORY}/item-0000000` : DIRECTORY;
}

function metricsOf(workload: LoadWorkload, driven: DrivenLoad): Outcome["metrics"] {
  const { latencies, perSecond } = driven;
  return {
    throughput: perSecond,
    p50: latencies.percentileMs(0.5),
    p99: latencies.percentileMs(0.99),
    ...(workload.ratePerSecond > 0 ? { "p99.9": latencies.percentileMs(0.999) } : {}),
  };
}

function notesOf({ ratePerSecond }: LoadWorkload, { perSecond }: DrivenLoad): readonly string[] {
  const isSustained = perSecond >= ratePerSecond * SUSTAINED_SHARE;
  return isSustained ? [] : [`rate not sustained: ${Math.round(perSecond)} of ${ratePerSecond}/s`];
}

/** Kills all servers with SIGKILL, starts them again and looks for what was acknowledged; what is wrong, or null. */
async function checkReadBack(
  workload: LoadWorkload,
  stage: Stage,
  drivers: readonly DriverProcess[],
): Promise<string | null> {
  switch (workload.operation) {
    case "get-linearizable":
    case "get-local":
    case "lock":
      return null;
    case "set":
    case "mix": {
      const lists = await Promise.all(
        drivers.map((driver) => driver.ask({ command: "acknowledged" })),
      );
      const acknowledged = newestOf(lists.map(({ values }) => values));
      const reader = await restartAll(stage, drivers);
      const indexes = acknowledged.map(([index]) => index);
      const found = await reader.ask({ command: "read", directory: DIRECTORY, indexes });
      return compareReadBack(acknowledged, found.values);
    }
    case "create-sequential": {
      const reader = await restartAll(stage, drivers);
      const directory = directoryOf(workload);
      const { count } = await reader.ask({ command: "children", directory });
      return count === 0
        ? null
        : `read-back: ${count} znodes are there whose deletion was acknowledged`;
    }
  }
}

async function restartAll(stage: Stage, drivers: readonly DriverProcess[]): Promise<DriverProcess> {
  await stage.ensemble.kill();
  await Promise.all(drivers.map((driver) => driver.kill()));
  await stage.ensemble.restartKilled();
  const reader = stage.startDriver();
  await connectDrivers([reader], stage.ensemble.servers, 1);
  return reader;
}
