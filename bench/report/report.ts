import type { Machine } from "../machine.ts";
import { median } from "../median.ts";
import { METRICS, type MetricName } from "../metrics.ts";
import type { Outcome } from "../run/outcome.ts";
import { isSustained } from "../sustained-rate.ts";
import type { LoadWorkload, Workload } from "../workloads.ts";
import type { MissingRatio, Ratio } from "./ratios.ts";

/** One run, as the rounds made it. */
export interface Run {
  readonly workload: string;
  readonly system: string;
  readonly outcome: Outcome;
}

/** One figure of one workload on one system, over all rounds. */
export interface Result {
  readonly workload: string;
  readonly system: string;
  readonly metric: MetricName;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: readonly number[];
  readonly serverCpuSeconds: number;
  readonly driverCpuSeconds: number;
  /** Anonymous memory: pages of files are not among it. */
  readonly serverRssBytes: number;
  readonly valid: boolean;
  /** False where an open loop did not keep its rate in one of the rounds: its latencies have no bound. */
  readonly sustained: boolean;
  readonly note: string;
}

/** Everything that a benchmark writes down. */
export interface Report {
  readonly machine: Machine;
  /** Of all runs; several, separated by commas, where it was gone on with on another one. */
  readonly commit: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: ReportSettings;
  readonly results: readonly Result[];
  readonly ratios: readonly Ratio[];
  readonly missingRatios: readonly MissingRatio[];
  /** As they were made, each with its time and commit. */
  readonly runs: readonly Run[];
}

/** What was the same for all runs. */
export interface ReportSettings {
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Of failures within one run. */
  readonly repetitionsMax: number;
  readonly rounds: number;
  readonly sessionTimeoutMs: number;
  readonly systems: readonly string[];
}

/** What the runs measured, and for how long. */
export interface Measured {
  readonly workloads: readonly Workload[];
  readonly measureMs: number;
}

/** Figures over all rounds, in the order in which workloads and systems came. One invalid round makes a figure invalid. */
export function summarize(runs: readonly Run[], measured: Measured): readonly Result[] {
  const groups = new Map<string, Run[]>();
  for (const run of runs) {
    const key = `${run.workload} ${run.system}`;
    const group = groups.get(key) ?? [];
    group.push(run);
    groups.set(key, group);
  }
  return [...groups.values()].flatMap((group) => summarizeGroup(group, measured));
}

function summarizeGroup(
  runs: readonly Run[],
  { workloads, measureMs }: Measured,
): readonly Result[] {
  const outcomes = runs.map(({ outcome }) => outcome);
  const [first] = runs;
  if (first === undefined) return [];
  const { workload, system } = first;
  const load = workloads.find(
    (each): each is LoadWorkload => each.kind === "load" && each.id === workload,
  );
  const rate = load?.ratePerSecond ?? 0;
  const isClosedLoop = load !== undefined && rate === 0;
  const problems = outcomes.flatMap((outcome) => outcome.problems);
  const notes = new Set([...problems, ...outcomes.flatMap((outcome) => outcome.notes)]);
  const processes = Math.max(...outcomes.map((outcome) => outcome.driverProcesses));
  if (processes > 1) notes.add(`${processes} driver processes`);
  const common = {
    serverCpuSeconds: median(outcomes.map((outcome) => outcome.serverCpuSeconds)),
    driverCpuSeconds: median(outcomes.map((outcome) => outcome.driverCpuSeconds)),
    serverRssBytes: median(outcomes.map((outcome) => outcome.serverRssBytes)),
    valid: problems.length === 0,
    sustained: outcomes.every(({ metrics }) => isSustained(rate, metrics.throughput ?? 0)),
    note: [...notes].join("; "),
  };
  const figuresOfRounds = outcomes.map((outcome) =>
    isClosedLoop ? withEfficiency(outcome, measureMs) : outcome.metrics,
  );
  const names = new Set(figuresOfRounds.flatMap((each) => Object.keys(each) as MetricName[]));
  if (names.size === 0) names.add("throughput");
  return [...names].map((metric) => {
    const rounds = figuresOfRounds.map((each) => each[metric] ?? Number.NaN);
    const counted = rounds.filter(Number.isFinite);
    const figures = {
      median: median(counted),
      min: Math.min(...counted),
      max: Math.max(...counted),
    };
    return { workload, system, metric, unit: METRICS[metric].unit, ...figures, rounds, ...common };
  });
}

/** A closed loop gives each system all that it can take, and what that costs differs. */
function withEfficiency(
  { metrics, serverCpuSeconds }: Outcome,
  measureMs: number,
): Outcome["metrics"] {
  if (metrics.throughput === undefined || serverCpuSeconds === 0) return metrics;
  const operations = (metrics.throughput * measureMs) / 1000;
  return { ...metrics, "per server CPU second": operations / serverCpuSeconds };
}
