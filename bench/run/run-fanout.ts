import { median } from "../median.ts";
import type { FanoutWorkload } from "../workloads.ts";
import { connectDrivers } from "./load-drivers.ts";
import { NOTHING, type Outcome } from "./outcome.ts";
import { withStage, type RunContext } from "./run-context.ts";

/** One write after the other, each of which every watcher hears; the figure is the median time to the last delivery. */
export async function runFanout(workload: FanoutWorkload, context: RunContext): Promise<Outcome> {
  return withStage(context, { nodes: 3 }, async ({ ensemble, startDriver }) => {
    const driver = startDriver();
    await connectDrivers([driver], await ensemble.serversLeaderLast(), workload.sessions);
    const { lastMs } = await driver.ask({
      command: "fanout",
      directory: "/bench",
      watchers: workload.watchers,
      rounds: workload.writes,
    });
    return {
      ...NOTHING,
      metrics: { "last delivery": median(lastMs) },
      serverRssBytes: ensemble.residentBytes(),
      notes: [`median of ${workload.writes} writes; writer and watchers in one process`],
    };
  });
}
