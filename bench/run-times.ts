import type { PlannedRun } from "./run-rounds.ts";
import type { Workload } from "./workloads.ts";

/** Starting, filling, and reading back after the restart. */
const AROUND_LOAD_MS = 20_000;
const FAILURE_MS = 15_000;
const FANOUT_MS = 30_000;
const SESSIONS_MS = 60_000;
const BULK_MS = 180_000;
const MINUTE_MS = 60_000;
const MINUTES_PER_HOUR = 60;

interface Settings {
  readonly warmUpMs: number;
  readonly measureMs: number;
  readonly repetitionsMax: number;
}

/** How long runs take, learnt from those that were made. */
export class RunTimes {
  readonly #settings: Settings;
  readonly #known: Map<string, { totalMs: number; count: number }> = new Map();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  note(run: {
    readonly workload: string;
    readonly system: string;
    readonly elapsedMs: number;
  }): void {
    for (const key of [run.workload, `${run.workload} ${run.system}`]) {
      const known = this.#known.get(key) ?? { totalMs: 0, count: 0 };
      known.totalMs += run.elapsedMs;
      known.count += 1;
      this.#known.set(key, known);
    }
  }

  /** Time that these runs will take: as before on the same system, else as on others, else a guess. */
  expect(runs: readonly PlannedRun[]): number {
    return runs.reduce((total, { workload, system }) => {
      const known =
        this.#known.get(`${workload.id} ${system.name}`) ?? this.#known.get(workload.id);
      const each =
        known === undefined ? guessMs(workload, this.#settings) : known.totalMs / known.count;
      return total + each;
    }, 0);
  }
}

/** "50 s", "12 min" or "3 h 20 min". */
export function formatDuration(ms: number): string {
  if (ms < 2 * MINUTE_MS) return `${Math.round(ms / 1000)} s`;
  const minutes = Math.round(ms / MINUTE_MS);
  if (minutes < 2 * MINUTES_PER_HOUR) return `${minutes} min`;
  return `${Math.floor(minutes / MINUTES_PER_HOUR)} h ${minutes % MINUTES_PER_HOUR} min`;
}

function guessMs(workload: Workload, settings: Settings): number {
  switch (workload.kind) {
    case "load":
      return settings.warmUpMs + settings.measureMs + AROUND_LOAD_MS;
    case "failover":
      return Math.min(workload.times, settings.repetitionsMax) * FAILURE_MS;
    case "fanout":
      return FANOUT_MS;
    case "sessions":
      return workload.idleMs + SESSIONS_MS;
    case "bulk":
      return BULK_MS;
    case "gap":
      return workload.measureMs + BULK_MS;
  }
}
