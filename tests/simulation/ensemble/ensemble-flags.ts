import { mkdirSync } from "node:fs";
import { reasonOf, UsageError, type CommandLine, type Program } from "../command-line.ts";
import {
  readSeeds,
  SEED_MAX,
  RUN_ENDINGS,
  seedFlags,
  seedLine,
  type SeedFlag,
  type SeedOptions,
} from "../simulator-flags.ts";
import { readPlan, type FailingPlan } from "./plan.ts";
import { KINDS, type Kind } from "./profile.ts";

type EnsembleFlag =
  | SeedFlag
  | "profile"
  | "trace"
  | "plan"
  | "core-traces"
  | "shrink"
  | "shrink-seconds"
  | "shrink-runs";

/** What the simulator of ensembles was asked for. */
export interface EnsembleOptions {
  readonly seeds: SeedOptions;
  /** Null: as the seed says. */
  readonly kind: Kind | null;
  readonly planned: { readonly file: string; readonly plan: FailingPlan } | null;
  /** One run, of which everything is told. */
  readonly isSingle: boolean;
  readonly withCores: boolean;
  readonly traceFolder: string | null;
  readonly shrink: ShrinkBounds | null;
}

/** How much may be spent on a smaller run. */
export interface ShrinkBounds {
  readonly budgetMs: number;
  readonly runsMax: number;
}

const RUNS = 20;
const SHRINK_SECONDS = 60;

/** `npm run sim`. */
export const ENSEMBLE: Program<EnsembleFlag, EnsembleOptions> = {
  name: "sim",
  about: `Runs whole servers and SDK clients under faults, on virtual time, network and disks, one seed after the other,
and checks that every promise is kept. A run that breaks one ends with the command that repeats it: see tests/README.md.`,
  flags: {
    ...seedFlags(RUNS),
    seed: {
      value: "N",
      meaning: `Run seed N alone, from 0 to ${SEED_MAX}, and tell it line by line`,
    },
    profile: {
      value: "NAME",
      meaning: `Run one kind alone, instead of those that seeds draw:\n${KINDS.join(" ")}`,
    },
    plan: {
      value: "FILE",
      meaning: "Run what --shrink wrote down, alone, and tell it line by line",
    },
    trace: {
      meaning: "Tell all runs line by line, with what the cores do",
    },
    "core-traces": {
      value: "FOLDER",
      meaning: "Keep a trace of every core there, for `quorate trace replay`",
    },
    shrink: {
      meaning: "Look for a smaller run that breaks the same promise, and write it down as a plan",
    },
    "shrink-seconds": {
      value: "N",
      meaning: `With --shrink: for so many seconds. Default: ${SHRINK_SECONDS}`,
    },
    "shrink-runs": { value: "N", meaning: "With --shrink: with at most N runs. Default: no bound" },
  },
  lastLine: seedLine(
    "Events of virtual time, such as a frame that arrives",
    "Calls on paths that clients share which were answered",
  ),
  endings: RUN_ENDINGS,
  read: readEnsembleFlags,
};

function readEnsembleFlags(line: CommandLine<EnsembleFlag>): EnsembleOptions {
  line.refuseBeside(
    "plan",
    ["seed", "from-seed", "runs", "minutes", "profile"],
    "is one run that its file tells",
  );
  const seeds = readSeeds(line, RUNS);
  const kind = readKind(line.text("profile"));
  const shrink = readShrink(line);
  const file = line.text("plan");
  const planned = file === null ? null : { file, plan: readPlan(file) };
  return {
    seeds: planned === null ? seeds : { ...seeds, first: planned.plan.profile.seed, runs: 1 },
    kind,
    planned,
    isSingle: planned !== null || line.has("seed"),
    withCores: line.has("trace"),
    traceFolder: makeFolder(line.text("core-traces")),
    shrink,
  };
}

function readKind(name: string | null): Kind | null {
  const kind = KINDS.find((each) => each === name) ?? null;
  if (kind !== null || name === null) return kind;
  throw new UsageError(`there is no profile ${name}; there are ${KINDS.join(", ")}`);
}

function readShrink(line: CommandLine<EnsembleFlag>): ShrinkBounds | null {
  line.refuseWithout("shrink-seconds", "shrink");
  line.refuseWithout("shrink-runs", "shrink");
  const seconds = line.positive("shrink-seconds") ?? SHRINK_SECONDS;
  const runsMax = line.whole("shrink-runs", 1) ?? Infinity;
  return line.has("shrink") ? { budgetMs: seconds * 1_000, runsMax } : null;
}

/** Before the first run, which would else be told as one that failed. */
function makeFolder(path: string | null): string | null {
  if (path === null) return null;
  try {
    mkdirSync(path, { recursive: true });
    return path;
  } catch (error) {
    throw new UsageError(`the folder ${path} cannot be made: ${reasonOf(error)}`);
  }
}
