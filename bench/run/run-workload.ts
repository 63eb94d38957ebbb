import type { Workload } from "../workloads.ts";
import { failedRun, type Outcome } from "./outcome.ts";
import { runBulk, runGap } from "./run-bulk.ts";
import type { RunContext } from "./run-context.ts";
import { runFailover } from "./run-failover.ts";
import { runFanout } from "./run-fanout.ts";
import { runLoad } from "./run-load.ts";
import { runSessions } from "./run-sessions.ts";

/** Runs a workload once; whatever goes wrong is in the outcome's problems. `processes`: drivers to begin with. */
export async function runWorkload(
  workload: Workload,
  context: RunContext,
  processes: number,
): Promise<Outcome> {
  try {
    switch (workload.kind) {
      case "load":
        return await runLoad(workload, context, processes);
      case "failover":
        return await runFailover(workload, context);
      case "fanout":
        return await runFanout(workload, context);
      case "sessions":
        return await runSessions(workload, context);
      case "bulk":
        return await runBulk(workload, context, processes);
      case "gap":
        return await runGap(workload, context, processes);
    }
  } catch (error) {
    return failedRun(error);
  }
}
