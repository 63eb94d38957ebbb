import type { CommandLine, Program } from "../command-line.ts";
import {
  readSeeds,
  RUN_ENDINGS,
  seedFlags,
  seedLine,
  type SeedFlag,
  type SeedOptions,
} from "../simulator-flags.ts";

type CoreFlag = SeedFlag | "throughput";

/** What the simulator of cores was asked for. */
export interface CoreOptions {
  readonly seeds: SeedOptions;
  /** The core is measured instead. */
  readonly isMeasured: boolean;
}

const RUNS = 500;

/** `npm run sim:core`. */
export const CORE: Program<CoreFlag, CoreOptions> = {
  name: "sim:core",
  about: `Runs cores alone, without servers and clients, under faults, one seed after the other, and holds them
to the specification. A run that breaks a promise ends with its last steps and the command that repeats it:
see tests/README.md.`,
  flags: {
    ...seedFlags(RUNS),
    throughput: { meaning: "Measure how many entries three cores commit, instead of all that" },
  },
  lastLine: seedLine(
    "Steps of cores, disks, links and clocks",
    "Entries that were committed and reads that were answered",
  ),
  endings: RUN_ENDINGS,
  read: readCoreFlags,
};

function readCoreFlags(line: CommandLine<CoreFlag>): CoreOptions {
  const others: readonly SeedFlag[] = [
    ...(["seed", "from-seed", "runs", "minutes"] as const),
    ...(["until-violation", "points", "record"] as const),
  ];
  line.refuseBeside("throughput", others, "runs no seeds");
  return { seeds: readSeeds(line, RUNS), isMeasured: line.has("throughput") };
}
