import type { Run } from "./report/report.ts";
import type { RunContext } from "./run/run-context.ts";
import { runWorkload } from "./run/run-workload.ts";
import type { System } from "./systems/system.ts";
import type { Workload } from "./workloads.ts";

export interface RoundsOptions {
  readonly workloads: readonly Workload[];
  /** In the order in which they take turns. */
  readonly systems: readonly System[];
  readonly rounds: number;
  readonly settings: Omit<RunContext, "system">;
  /** Told before every run, and what came of it. */
  readonly onProgress: (line: string) => void;
}

/** Runs every workload on every system in turn (A B C A B C), one at a time. */
export async function runRounds(options: RoundsOptions): Promise<readonly Run[]> {
  const { workloads, systems, rounds, settings, onProgress } = options;
  const runs: Run[] = [];
  const processes = new Map<string, number>();
  const total = workloads.length * systems.length * rounds;
  for (const workload of workloads) {
    for (let round = 1; round <= rounds; round += 1) {
      for (const system of systems) {
        const key = `${workload.id} ${system.name}`;
        const context = { ...settings, system };
        const outcome = await runWorkload(workload, context, processes.get(key) ?? 1);
        processes.set(key, outcome.driverProcesses);
        runs.push({ workload: workload.id, system: system.name, outcome });
        const figures = Object.entries(outcome.metrics).map(
          ([name, value]) => `${name} ${Number(value.toPrecision(4))}`,
        );
        const said = [...figures, ...outcome.problems.map((problem) => `INVALID: ${problem}`)];
        const place = `${runs.length}/${total} round ${round} ${workload.id} ${system.name}`;
        onProgress(`${place}: ${said.join(", ")}`);
      }
    }
  }
  return runs;
}
