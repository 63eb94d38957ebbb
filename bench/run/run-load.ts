import { setTimeout as sleep } from "node:timers/promises";
import type { DriverProcess } from "../driver-process.ts";
import type { RunOrder } from "../protocol.ts";
import { isSustained } from "../sustained-rate.ts";
import type { LoadWorkload } from "../workloads.ts";
import { acknowledgedValues, checkValues, restartAll, type Filled } from "./check-read-back.ts";
import { withEnoughDrivers, type Attempt } from "./enough-drivers.ts";
import { connectDrivers, driveLoad, type DrivenLoad } from "./load-drivers.ts";
import type { Outcome } from "./outcome.ts";
import { withStage, type RunContext, type Stage } from "./run-context.ts";

const DIRECTORY = "/bench";
const FILL_OUTSTANDING = 256;
const SETTLE_MS = 500;

/** Runs a load with as many driver processes as it needs. `processes` is where to begin. */
export async function runLoad(
  workload: LoadWorkload,
  context: RunContext,
  processes: number,
): Promise<Outcome> {
  const max = Math.min(context.system.driverProcessesMax, workload.sessions);
  return withEnoughDrivers({ from: processes, max }, (count) => runOnce(workload, context, count));
}

async function runOnce(
  workload: LoadWorkload,
  context: RunContext,
  processes: number,
): Promise<Attempt> {
  return withStage(context, { nodes: workload.nodes }, async (stage) => {
    const drivers = Array.from({ length: processes }, () => stage.startDriver());
    const servers = await stage.ensemble.serversLeaderLast();
    await connectDrivers(drivers, servers, workload.sessions);
    const filled = await fill(drivers, workload);
    const driven = await driveLoad({
      drivers,
      ensemble: stage.ensemble,
      order: runOrder(workload, context),
      cpuShareMax: context.driverCpuShareMax,
    });
    const readBack = await checkReadBack(workload, stage, { drivers, filled });
    const outcome: Outcome = {
      metrics: metricsOf(workload, driven),
      serverCpuSeconds: driven.serverCpuSeconds,
      driverCpuSeconds: driven.driverCpuSeconds,
      serverRssBytes: driven.serverRssBytes,
      driverProcesses: processes,
      problems: readBack === null ? driven.problems : [...driven.problems, readBack],
      notes: [...notesOf(workload, driven), ...driven.notes],
    };
    return { outcome, isDriverBound: driven.isDriverBound };
  });
}

async function fill(drivers: readonly DriverProcess[], workload: LoadWorkload): Promise<Filled> {
  const range = { from: 0, to: workload.paths };
  const filled = await drivers[0]?.ask({
    command: "fill",
    directory: DIRECTORY,
    ...range,
    bytes: workload.bytes,
    outstanding: FILL_OUTSTANDING,
  });
  // Followers that are a moment behind would answer local reads with "no such path".
  await sleep(SETTLE_MS);
  return { ...range, crcs: filled?.crcs ?? [] };
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
  return isSustained(ratePerSecond, perSecond)
    ? []
    : [`rate not sustained: ${Math.round(perSecond)} of ${ratePerSecond}/s`];
}

/** Kills all servers with SIGKILL, starts them again and looks for what was acknowledged; what is wrong, or null. */
async function checkReadBack(
  workload: LoadWorkload,
  stage: Stage,
  { drivers, filled }: { readonly drivers: readonly DriverProcess[]; readonly filled: Filled },
): Promise<string | null> {
  const { operation } = workload;
  if (operation === "get-linearizable" || operation === "get-local") return null;
  const acknowledged = await acknowledgedValues(drivers, [filled]);
  const reader = await restartAll(stage, drivers);
  const wrong = await checkValues(reader, DIRECTORY, acknowledged);
  if (wrong !== null || operation === "set" || operation === "mix") return wrong;
  const above = directoryOf(workload);
  const directory = operation === "lock" ? `${above}/lock` : above;
  const { count } = await reader.ask({ command: "children", directory });
  return count === 0
    ? null
    : `read-back: ${count} znodes are there whose deletion was acknowledged`;
}
