import type { MetricName } from "../metrics.ts";

/** What one run of one workload on one system gave. */
export interface Outcome {
  readonly metrics: Readonly<Partial<Record<MetricName, number>>>;
  /** CPU of all servers and of all drivers while measuring; 0 where that is not measured. */
  readonly serverCpuSeconds: number;
  readonly driverCpuSeconds: number;
  /** Anonymous memory of all servers, resident when measuring ended; 0 where that is not measured. */
  readonly serverRssBytes: number;
  readonly driverProcesses: number;
  /** Why the figures do not count; empty when they do. */
  readonly problems: readonly string[];
  /** What a reader should know of figures that count. */
  readonly notes: readonly string[];
}

/** A run that failed altogether. */
export function failedRun(error: unknown): Outcome {
  const problem = error instanceof Error ? error.message : String(error);
  return { ...NOTHING, problems: [problem] };
}

/** An outcome without any figure, to be completed. */
export const NOTHING: Outcome = {
  metrics: {},
  serverCpuSeconds: 0,
  driverCpuSeconds: 0,
  serverRssBytes: 0,
  driverProcesses: 1,
  problems: [],
  notes: [],
};
