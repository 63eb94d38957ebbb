import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { reasonOf, UsageError, type CommandLine, type Program } from "../command-line.ts";

type MutantsFlag = "only" | "minutes" | "dir";

/** Which mutants are to be hunted, and for how long each. */
export interface MutantsOptions {
  /** Paths. */
  readonly patches: readonly string[];
  readonly minutes: number;
}

const DIRECTORY = "tests/simulation/mutants";
const MINUTES = 3;

/** `npm run sim:mutants`. */
export const MUTANTS: Program<MutantsFlag, MutantsOptions> = {
  name: "sim:mutants",
  about: `Every patch of a folder breaks one rule of the code. Each is applied to a copy of the tree, which the
simulators run until one of them breaks a promise or the time is over: see tests/README.md.`,
  flags: {
    only: {
      value: "N,N…",
      meaning: "Hunt the mutants of these numbers, as in 12,30. Default: all",
    },
    minutes: {
      value: "N",
      meaning: `Hunt each for N minutes, such as 0.5. Default: ${MINUTES}`,
    },
    dir: { value: "FOLDER", meaning: `Where the patches are. Default: ${DIRECTORY}` },
  },
  lastLine: `  mutants: F of N found

  Above it one for each: found, survived, or stale, if its patch does not apply to the tree any more or makes
  no program that runs; then for how long it was hunted, which simulator found it, and the promise it broke.`,
  endings: ["Every mutant was found", "One survived or is stale"],
  read: (line) => {
    const minutes = line.positive("minutes") ?? MINUTES;
    return { patches: choosePatches(line), minutes };
  },
};

function choosePatches(line: CommandLine<MutantsFlag>): readonly string[] {
  const directory = line.text("dir") ?? DIRECTORY;
  const names = listFolder(directory)
    .filter((name) => name.endsWith(".patch"))
    .sort();
  if (names.length === 0) throw new UsageError(`${directory} holds no mutants, files NAME.patch`);
  const chosen = chooseNumbers(line.text("only"), names);
  return names
    .filter((name) => chosen === null || chosen.has(numberOf(name)))
    .map((name) => resolve(join(directory, name)));
}

/** Null: all. */
function chooseNumbers(only: string | null, names: readonly string[]): ReadonlySet<number> | null {
  if (only === null) return null;
  const numbers = new Set(names.map(numberOf).filter((number) => !Number.isNaN(number)));
  const words = only.split(",");
  const missing = words.filter((word) => !/^\d+$/u.test(word) || !numbers.has(Number(word)));
  if (missing.length === 0) return new Set(words.map(Number));
  throw new UsageError(`there is no mutant ${missing.join(", ")}; there are ${rangesOf(numbers)}`);
}

function listFolder(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    throw new UsageError(`the folder ${directory} cannot be read: ${reasonOf(error)}`);
  }
}

function numberOf(name: string): number {
  return Number.parseInt(name, 10);
}

/** As in `1 to 12, 14`. */
function rangesOf(numbers: ReadonlySet<number>): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const ranges = sorted
    .filter((number) => !numbers.has(number - 1))
    .map((first) => {
      let last = first;
      while (numbers.has(last + 1)) last += 1;
      return first === last ? `${first}` : `${first} to ${last}`;
    });
  return ranges.length === 0 ? "none with a number" : ranges.join(", ");
}
