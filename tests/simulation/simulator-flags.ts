import { parseArgs, type ParseArgsConfig } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Flags of both simulators: which seeds they run, for how long, and what is told of it. */
export const SEED_OPTIONS = {
  seed: { type: "string" },
  "from-seed": { type: "string", default: "1" },
  runs: { type: "string" },
  minutes: { type: "string" },
  "until-violation": { type: "boolean", default: false },
  points: { type: "boolean", default: false },
  record: { type: "boolean", default: false },
} as const satisfies Options;

/** Reads the command line; one that is wrong ends the process with what there is to choose from. */
export function readFlags<O extends Options>(
  options: O,
): ReturnType<typeof parseArgs<{ readonly options: O }>>["values"] {
  try {
    return parseArgs<{ readonly options: O }>({ options }).values;
  } catch (error) {
    const flags = Object.keys(options).map((name) => `--${name}`);
    const message = error instanceof Error ? error.message : String(error);
    return wrongUsage(`${message}\nThere are ${flags.join(" ")}: see tests/README.md`);
  }
}

/** Ends the process. */
export function wrongUsage(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

/** What {@link SEED_OPTIONS} were given as. */
export interface SeedFlags {
  readonly seed?: string | undefined;
  readonly "from-seed": string;
  readonly runs?: string | undefined;
  readonly minutes?: string | undefined;
  readonly "until-violation": boolean;
}

/** The seeds to run, one after the other. `runsMax`: where neither runs nor minutes are asked for. */
export function* seedsOf(
  flags: SeedFlags,
  runsMax: number,
  hasFailed: () => boolean,
): Generator<number> {
  const { seed, runs, minutes } = flags;
  const first = Number(seed ?? flags["from-seed"]);
  const count =
    seed === undefined ? Number(runs ?? (minutes === undefined ? runsMax : Infinity)) : 1;
  const untilMs = performance.now() + Number(minutes ?? Infinity) * 60_000;
  for (let next = first; next < first + count && performance.now() < untilMs; next += 1) {
    if (flags["until-violation"] && hasFailed()) return;
    yield next;
  }
}
