import type { Run } from "./report/report.ts";
import { formatDuration, RunTimes } from "./run-times.ts";
import type { RunContext } from "./run/run-context.ts";
import { runWorkload } from "./run/run-workload.ts";
import type { System } from "./systems/system.ts";
import type { Workload } from "./workloads.ts";

/** A run that was made, and when and on what. */
export interface FinishedRun extends Run {
  /** From 1. */
  readonly round: number;
  /** When it began, in ISO 8601. */
  readonly at: string;
  readonly elapsedMs: number;
  /** The commit that was checked out when it began. */
  readonly commit: string;
}

export interface RoundsOptions {
  readonly workloads: readonly Workload[];
  /** In the order in which they take turns in the first round. */
  readonly systems: readonly System[];
  readonly rounds: number;
  readonly settings: Omit<RunContext, "system">;
  /** Runs that an earlier attempt made; all of the plan, each once, or `runRounds` throws. */
  readonly finished?: readonly FinishedRun[];
  readonly commit: () => string;
  /** Told of every run that was made now. */
  readonly onFinished?: (run: FinishedRun) => void;
  /** Told what came of every run, how many are left, and how long they may take. */
  readonly onProgress: (line: string) => void;
}

/** One run of the plan. */
export interface PlannedRun {
  readonly workload: Workload;
  readonly round: number;
  readonly system: System;
}

/**
 * All runs in their order: every workload on every system in turn, each round beginning with another one (A B C, B C A,
 * C A B), so that none has a place in it to itself.
 */
export function planRuns({
  workloads,
  systems,
  rounds,
}: Pick<RoundsOptions, "workloads" | "systems" | "rounds">): readonly PlannedRun[] {
  return workloads.flatMap((workload) => {
    const takingPart = systems.filter(({ workloads: ids }) => ids?.has(workload.id) ?? true);
    return Array.from({ length: rounds }, (_, at) => at).flatMap((at) => {
      const first = at % Math.max(1, takingPart.length);
      const turns = [...takingPart.slice(first), ...takingPart.slice(0, first)];
      return turns.map((system) => ({ workload, round: at + 1, system }));
    });
  });
}

/** Makes all runs of the plan that are not finished, one at a time. Returns them all. */
export async function runRounds(options: RoundsOptions): Promise<readonly FinishedRun[]> {
  const { settings, finished = [], commit, onFinished, onProgress } = options;
  const plan = planRuns(options);
  checkFinished(plan, finished);
  const runs = [...finished];
  const times = new RunTimes(settings);
  const processes = new Map<string, number>();
  const note = ({ workload, system, elapsedMs, outcome }: FinishedRun): void => {
    times.note({ workload, system, elapsedMs });
    processes.set(`${workload} ${system}`, outcome.driverProcesses);
  };
  for (const run of finished) note(run);
  const toDo = plan.filter((planned) => !finished.some((run) => isOf(planned, run)));
  for (const [place, { workload, round, system }] of toDo.entries()) {
    const started = performance.now();
    const at = new Date().toISOString();
    const checkedOut = commit();
    const key = `${workload.id} ${system.name}`;
    const outcome = await runWorkload(workload, { ...settings, system }, processes.get(key) ?? 1);
    const elapsedMs = performance.now() - started;
    const names = { workload: workload.id, system: system.name };
    const run = { ...names, round, at, elapsedMs, commit: checkedOut, outcome };
    note(run);
    runs.push(run);
    onFinished?.(run);
    const rest = toDo.slice(place + 1);
    const left =
      rest.length === 0 ? [] : [`${rest.length} left, about ${formatDuration(times.expect(rest))}`];
    onProgress([`${runs.length}/${plan.length} ${tell(run)}`, ...left].join("; "));
  }
  return runs;
}

/** Runs may be missing among the finished ones, as when one that was disturbed is to be made again; none is there twice. */
function checkFinished(plan: readonly PlannedRun[], finished: readonly FinishedRun[]): void {
  const isPlanned = finished.every((run) => plan.some((planned) => isOf(planned, run)));
  if (!isPlanned) throw new Error("some of the finished runs are none of this plan");
  const names = finished.map(({ workload, system, round }) => `${workload} ${system} ${round}`);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new Error(`the finished runs hold this one twice: ${twice}`);
}

function isOf({ workload, round, system }: PlannedRun, run: FinishedRun): boolean {
  return workload.id === run.workload && round === run.round && system.name === run.system;
}

function tell({ workload, system, round, outcome }: FinishedRun): string {
  const figures = Object.entries(outcome.metrics).map(
    ([name, value]) => `${name} ${Number(value.toPrecision(4))}`,
  );
  const said = [...figures, ...outcome.problems.map((problem) => `INVALID: ${problem}`)];
  return `round ${round} ${workload} ${system}: ${said.join(", ")}`;
}
