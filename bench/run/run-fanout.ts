import { median } from "../median.ts";
import type { FanoutWorkload } from "../workloads.ts";
import { checkValues, restartAll } from "./check-read-back.ts";
import { connectDrivers } from "./load-drivers.ts";
import { NOTHING, type Outcome } from "./outcome.ts";
import { withStage, type RunContext } from "./run-context.ts";

const DIRECTORY = "/bench";

/**
 * One write after the other, each of which every watcher hears; the figure is the median time to the last delivery. CPU
 * is that of asking for the watches and of the writes.
 */
export async function runFanout(workload: FanoutWorkload, context: RunContext): Promise<Outcome> {
  return withStage(context, { nodes: 3 }, async (stage) => {
    const { ensemble } = stage;
    const driver = stage.startDriver();
    await connectDrivers([driver], await ensemble.serversLeaderLast(), workload.sessions);
    const before = { servers: ensemble.cpuSeconds(), driver: driver.cpuSeconds() };
    const { lastMs, acknowledged } = await driver.ask({
      command: "fanout",
      directory: DIRECTORY,
      watchers: workload.watchers,
      rounds: workload.writes,
      bytes: workload.bytes,
    });
    const serverCpuSeconds = ensemble.cpuSeconds() - before.servers;
    const driverCpuSeconds = driver.cpuSeconds() - before.driver;
    const serverRssBytes = ensemble.anonymousBytes();
    const reader = await restartAll(stage, [driver]);
    const readBack = await checkValues(reader, DIRECTORY, [acknowledged]);
    return {
      ...NOTHING,
      metrics: { "last delivery": median(lastMs) },
      serverCpuSeconds,
      driverCpuSeconds,
      serverRssBytes,
      problems: readBack === null ? [] : [readBack],
      notes: [`median of ${workload.writes} writes; writer and watchers in one process`],
    };
  });
}
