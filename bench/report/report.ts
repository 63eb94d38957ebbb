import type { Machine } from "../machine.ts";
import { METRICS, type MetricName } from "../metrics.ts";
import { median } from "../median.ts";
import type { Outcome } from "../run/outcome.ts";

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
  readonly serverRssBytes: number;
  readonly valid: boolean;
  readonly note: string;
}

/** Quorate beside the better of the others; more than 1 is better for Quorate, whatever the metric. */
export interface Ratio {
  readonly workload: string;
  readonly metric: MetricName;
  readonly quorate: number;
  readonly best: number;
  readonly bestPeer: string;
  readonly ratio: number;
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

/** Figures over all rounds, in the order in which workloads and systems came. One invalid round makes a figure invalid. */
export function summarize(runs: readonly Run[]): readonly Result[] {
  const groups = new Map<string, Run[]>();
  for (const run of runs) {
    const key = `${run.workload} ${run.system}`;
    const group = groups.get(key) ?? [];
    group.push(run);
    groups.set(key, group);
  }
  return [...groups.values()].flatMap(summarizeGroup);
}

function summarizeGroup(runs: readonly Run[]): readonly Result[] {
  const outcomes = runs.map(({ outcome }) => outcome);
  const [first] = runs;
  if (first === undefined) return [];
  const { workload, system } = first;
  const problems = outcomes.flatMap((outcome) => outcome.problems);
  const notes = new Set([...problems, ...outcomes.flatMap((outcome) => outcome.notes)]);
  const processes = Math.max(...outcomes.map((outcome) => outcome.driverProcesses));
  if (processes > 1) notes.add(`${processes} driver processes`);
  const common = {
    serverCpuSeconds: median(outcomes.map((outcome) => outcome.serverCpuSeconds)),
    driverCpuSeconds: median(outcomes.map((outcome) => outcome.driverCpuSeconds)),
    serverRssBytes: median(outcomes.map((outcome) => outcome.serverRssBytes)),
    valid: problems.length === 0,
    note: [...notes].join("; "),
  };
  const names = new Set(outcomes.flatMap(({ metrics }) => Object.keys(metrics) as MetricName[]));
  if (names.size === 0) names.add("throughput");
  return [...names].map((metric) => {
    const rounds = outcomes.map(({ metrics }) => metrics[metric] ?? Number.NaN);
    const counted = rounds.filter(Number.isFinite);
    const figures = {
      median: median(counted),
      min: Math.min(...counted),
      max: Math.max(...counted),
    };
    return { workload, system, metric, unit: METRICS[metric].unit, ...figures, rounds, ...common };
  });
}

/** Systems whose figures count only where those of another do not: the same servers under a client that limits them. */
export type StandIns = Readonly<Record<string, string>>;

/** For every figure of Quorate's that counts and that at least one other's counts for. */
export function ratiosOf(
  results: readonly Result[],
  subject: string,
  standIns: StandIns = {},
): readonly Ratio[] {
  return results.flatMap((own): Ratio[] => {
    if (own.system !== subject || !counts(own)) return [];
    const { workload, metric } = own;
    const counting = results.filter(
      (other) =>
        other.system !== subject &&
        other.workload === workload &&
        other.metric === metric &&
        counts(other),
    );
    const names = new Set(counting.map(({ system }) => system));
    const peers = counting.filter(({ system }) => !names.has(standIns[system] ?? ""));
    const isHigherBetter = METRICS[metric].better === "higher";
    peers.sort((a, b) => (isHigherBetter ? b.median - a.median : a.median - b.median));
    const [best] = peers;
    if (best === undefined) return [];
    const ratio = isHigherBetter
      ? quotient(own.median, best.median)
      : quotient(best.median, own.median);
    // How many times better than nothing something is, no number tells.
    if (!Number.isFinite(ratio)) return [];
    const figures = { quorate: own.median, best: best.median, bestPeer: best.system, ratio };
    return [{ workload, metric, ...figures }];
  });
}

function quotient(dividend: number, divisor: number): number {
  return dividend === divisor ? 1 : dividend / divisor;
}

function counts(result: Result): boolean {
  return result.valid && Number.isFinite(result.median);
}
