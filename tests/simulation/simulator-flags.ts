import { UsageError, type CommandLine, type Flag } from "./command-line.ts";
import type { PointsTold } from "./point-counts.ts";

/** Flags of both simulators: which seeds they run, for how long, and what is told of it. */
export type SeedFlag =
  | "seed"
  | "from-seed"
  | "runs"
  | "minutes"
  | "until-violation"
  | "points"
  | "record";

/** The last seed: the generators take 32 bits. */
export const SEED_MAX = 4_294_967_295;
const FIRST_SEED = 1;
/** Runs that come to so many of the points that the names of the others say something. */
const MANY_RUNS = 100;
const MINUTE_MS = 60_000;

/** `runs`: how many there are where the command line does not say. */
export function seedFlags(runs: number): Readonly<Record<SeedFlag, Flag>> {
  return {
    seed: { value: "N", meaning: `Run seed N alone, from 0 to ${SEED_MAX}` },
    "from-seed": { value: "N", meaning: `Begin with seed N. Default: ${FIRST_SEED}` },
    runs: {
      value: "N",
      meaning: `Run N seeds, one after the other. Default: ${runs}, or what --minutes allows`,
    },
    minutes: {
      value: "N",
      meaning: "Begin runs for N minutes, such as 0.5. With --runs: whichever is over first",
    },
    "until-violation": { meaning: "End with the first run that breaks a promise" },
    points: {
      meaning: `List all points of the code with how often runs came to each. Else those are listed that
none came to, after ${MANY_RUNS} runs or with --minutes`,
    },
    record: { meaning: "Add what was run to tests/simulation/RECORD.md" },
  };
}

/** What help says of the last line; `events` and `operations`: what a simulator counts as such. */
export function seedLine(events: string, operations: string): string {
  return `  sim: K runs, H simulated hours, E events, C client ops checked, V violations

  K  All runs
  H  Hours of virtual time, of runs that broke no promise, as are E and C
  E  ${events}
  C  ${operations}
  V  Runs that broke a promise`;
}

/** What exit codes 0 and 1 mean of runs. */
export const RUN_ENDINGS = [
  "No promise was broken",
  "A run broke a promise, or the simulator itself failed",
] as const;

/** What {@link SeedFlag}s were given as. */
export interface SeedOptions {
  readonly first: number;
  /** Infinity: no bound. */
  readonly runs: number;
  readonly minutes: number;
  readonly isUntilViolation: boolean;
  readonly withPoints: boolean;
  readonly isRecorded: boolean;
}

/** `runs`: where neither runs nor minutes are asked for. Throws UsageError. */
export function readSeeds(line: CommandLine<SeedFlag>, runs: number): SeedOptions {
  line.refuseBeside("seed", ["from-seed", "runs", "minutes"], "is one run");
  const seed = line.whole("seed", 0, SEED_MAX);
  const from = line.whole("from-seed", 0, SEED_MAX);
  const asked = line.whole("runs", 1);
  const minutes = line.positive("minutes");
  const first = seed ?? from ?? FIRST_SEED;
  if (first + (asked ?? 1) - 1 > SEED_MAX) {
    throw new UsageError(`--runs ${asked} from seed ${first} go past the last seed, ${SEED_MAX}`);
  }
  return {
    first,
    runs: seed === null ? (asked ?? (minutes === null ? runs : Infinity)) : 1,
    minutes: minutes ?? Infinity,
    isUntilViolation: line.has("until-violation"),
    withPoints: line.has("points"),
    isRecorded: line.has("record"),
  };
}

/** The seeds to run, one after the other: at least one, or nothing would have been looked at and nothing found. */
export function* seedsOf(
  { first, runs, minutes, isUntilViolation }: SeedOptions,
  hasFailed: () => boolean,
): Generator<number> {
  const untilMs = performance.now() + minutes * MINUTE_MS;
  const last = Math.min(first + runs - 1, SEED_MAX);
  for (let seed = first; seed <= last; seed += 1) {
    const isOver = performance.now() >= untilMs || (isUntilViolation && hasFailed());
    if (isOver && seed > first) return;
    yield seed;
  }
}

/** After so many runs. Few come to few points: the names of the others would hide all else that is told. */
export function pointsTold({ withPoints, minutes }: SeedOptions, runs: number): PointsTold {
  if (withPoints) return "all";
  return minutes < Infinity || runs >= MANY_RUNS ? "missing" : "sum";
}
