import { METRICS, type MetricName } from "../metrics.ts";
import type { Ratio } from "../report/ratios.ts";
import type { Result } from "../report/report.ts";

/** One figure of one workload, of all systems. */
export interface ChartRow {
  readonly workload: string;
  readonly metric: MetricName;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly bars: readonly ChartBar[];
  /** To the better peer; null where there is none. */
  readonly ratio: number | null;
}

export interface ChartBar {
  readonly system: string;
  /** Null: the run gave no figure. */
  readonly value: number | null;
  readonly low: number;
  readonly high: number;
  readonly isValid: boolean;
}

/** The figures that stand for each workload, in the order of the results. */
export function chartRows(
  results: readonly Result[],
  ratios: readonly Ratio[],
): readonly ChartRow[] {
  const workloads = [...new Set(results.map(({ workload }) => workload))];
  return workloads.flatMap((workload) => {
    const own = results.filter((result) => result.workload === workload);
    const metrics = new Set(own.map(({ metric }) => metric));
    return chartedMetrics(metrics).map((metric): ChartRow => {
      const ratio = ratios.find((each) => each.workload === workload && each.metric === metric);
      const { unit, better } = METRICS[metric];
      const bars = systemsOf(own).map((system) => barOf(own, system, metric));
      return { workload, metric, unit, better, bars, ratio: ratio?.ratio ?? null };
    });
  });
}

/** What a workload is about; everything it has where that is several things. */
function chartedMetrics(metrics: ReadonlySet<MetricName>): readonly MetricName[] {
  if (metrics.has("longest gap")) return ["longest gap"];
  // An open loop's rate is given.
  if (metrics.has("p99.9")) return ["p99"];
  if (metrics.has("throughput") && (metrics.has("p50") || metrics.size === 1)) {
    return ["throughput"];
  }
  return [...metrics].filter((metric) => metric !== "throughput");
}

function systemsOf(results: readonly Result[]): readonly string[] {
  return [...new Set(results.map(({ system }) => system))];
}

function barOf(results: readonly Result[], system: string, metric: MetricName): ChartBar {
  const found = results.find((result) => result.system === system && result.metric === metric);
  if (found === undefined || !Number.isFinite(found.median)) {
    return { system, value: null, low: 0, high: 0, isValid: false };
  }
  const { median, min, max, valid } = found;
  return { system, value: median, low: min, high: max, isValid: valid };
}
