import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { basename, join, resolve } from "node:path";

/** By the name of its program. */
type SimulatorName = "raft-core" | "ensemble";

/** Who hunts, and for which share of the minutes. */
interface Hunter {
  readonly by: SimulatorName;
  readonly share: number;
}

const ENSEMBLE_ALONE: readonly Hunter[] = [{ by: "ensemble", share: 1 }];
/** Where the core is what is broken, cores alone show it sooner. */
const CORE_FIRST: readonly Hunter[] = [
  { by: "raft-core", share: 0.25 },
  { by: "ensemble", share: 0.75 },
];

/** What became of a mutant. */
export interface MutantVerdict {
  readonly name: string;
  /** `stale`: the patch does not apply to this tree any more, or does not make a program that runs. */
  readonly kind: "found" | "survived" | "stale";
  /** The invariant it broke, or what was wrong. */
  readonly what: string;
  /** Who found it. */
  readonly by: SimulatorName | null;
  /** Of all simulators that hunted it. */
  readonly seconds: number;
  readonly runs: number;
  /** Faults in the smallest run that was found; null unless it was asked for. */
  readonly faults: number | null;
}

const CACHE = ".cache/mutants";
/** Of the tree, what the simulator is made of. */
const PARTS = [
  "package.json",
  "tsconfig.json",
  "tests/tsconfig.json",
  "tests/simulation",
  "tests/linearizability",
  "tests/specification",
  "tests/support",
];
const NOTHING = { by: null, seconds: 0, runs: 0, faults: null };
const OUTPUT_BYTES_MAX = 268_435_456;

/** Runs of the core alone for one of a whole ensemble, which takes about as long. */
const CORE_RUNS = 25;
/** What the core alone is made of, and how it is set. */
const TOUCHES_CORE = /^diff --git a\/packages\/(?:raft\/|server\/src\/core-settings)/mu;

/** What a mutant is hunted with: runs for so many minutes or, the same on every machine, so many runs of an ensemble. */
export type HuntWith =
  | { readonly minutes: number }
  /** One run, with everything that goes wrong in it, from its file. */
  | { readonly plan: string }
  /** `shrinkRuns` above 0: what is found is made smaller by so many runs more. */
  | { readonly runs: number; readonly shrinkRuns: number };

/** Longest that a machine may take to make a run smaller. */
const SHRINK_SECONDS_MAX = 600;

/** Applies a patch to a copy of the tree and runs the simulators on it, one after the other until one has found it. */
export async function huntMutant(patch: string, bounds: HuntWith): Promise<MutantVerdict> {
  mkdirSync(CACHE, { recursive: true });
  const copy = mkdtempSync(join(resolve(CACHE), "tree-"));
  const name = basename(patch, ".patch");
  try {
    copyTree(copy);
    const stale = apply(copy, resolve(patch)) ?? bundle(copy);
    if (stale !== null) return { name, kind: "stale", what: stale, ...NOTHING };
    const isOfCore = !("plan" in bounds) && TOUCHES_CORE.test(readFileSync(patch, "utf8"));
    return hunt(copy, name, isOfCore ? CORE_FIRST : ENSEMBLE_ALONE, bounds);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function copyTree(copy: string): void {
  for (const part of PARTS) cpSync(part, join(copy, part), { recursive: true });
  const packages = readdirSync("packages");
  const modules = join(copy, "node_modules");
  mkdirSync(join(modules, "@quorate"), { recursive: true });
  for (const name of packages) {
    const at = join(copy, "packages", name);
    for (const part of ["package.json", "tsconfig.json", "src"]) {
      cpSync(join("packages", name, part), join(at, part), { recursive: true });
    }
    symlinkSync(at, join(modules, "@quorate", name));
  }
  for (const name of readdirSync("node_modules")) {
    if (name === "@quorate" || name.startsWith(".")) continue;
    symlinkSync(resolve("node_modules", name), join(modules, name));
  }
}

function apply(copy: string, patch: string): string | null {
  // Outside of any repository, as far as git knows: paths are those of the copy.
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: resolve(CACHE) };
  const { status, stderr } = spawnSync("git", ["apply", patch], { cwd: copy, env });
  return status === 0 ? null : `does not apply: ${firstLine(stderr)}`;
}

function bundle(copy: string): string | null {
  const rolldown = resolve("node_modules/.bin/rolldown");
  const args = ["--logLevel", "silent", "-c", "tests/simulation/rolldown.config.mjs"];
  const { status, stdout, stderr } = spawnSync(rolldown, args, { cwd: copy });
  const isMade = status === 0 && existsSync(join(copy, ".cache/simulation/ensemble.mjs"));
  return isMade ? null : `does not bundle: ${firstLine(Buffer.concat([stderr, stdout]))}`;
}

function hunt(
  copy: string,
  name: string,
  hunters: readonly Hunter[],
  bounds: HuntWith,
): MutantVerdict {
  const survived: MutantVerdict = { name, kind: "survived", what: "", ...NOTHING };
  return hunters.reduce((before, { by, share }) => {
    if (before.kind !== "survived") return before;
    const found = simulate(copy, by, flagsOf(by, bounds, share));
    const seconds = before.seconds + found.seconds;
    const runs = before.runs + found.runs;
    return { ...found, name, by: found.kind === "found" ? by : null, seconds, runs };
  }, survived);
}

function flagsOf(by: SimulatorName, bounds: HuntWith, share: number): readonly string[] {
  if ("minutes" in bounds) return ["--minutes", `${bounds.minutes * share}`];
  if ("plan" in bounds) return ["--plan", resolve(bounds.plan)];
  if (by === "raft-core") return ["--runs", `${bounds.runs * CORE_RUNS}`];
  const runs = ["--runs", `${bounds.runs}`];
  if (bounds.shrinkRuns === 0) return runs;
  const shrinkRuns = ["--shrink-runs", `${bounds.shrinkRuns}`];
  return [...runs, "--shrink", "--shrink-seconds", `${SHRINK_SECONDS_MAX}`, ...shrinkRuns];
}

type Simulated = Pick<MutantVerdict, "kind" | "what" | "seconds" | "runs" | "faults">;

function simulate(copy: string, by: SimulatorName, options: readonly string[]): Simulated {
  const program = join(copy, `.cache/simulation/${by}.mjs`);
  const started = performance.now();
  const args = [program, "--until-violation", ...options];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: copy,
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  const seconds = (performance.now() - started) / 1_000;
  const text = `${stdout.toString()}${stderr.toString()}`;
  const runs = Number(/^sim: (\d+) runs/m.exec(text)?.[1] ?? 0);
  if (status === 0) return { kind: "survived", what: "", seconds, runs, faults: null };
  const broken = /^seed \d+: (?:Violation: )?(.*)$/m.exec(text)?.[1];
  if (broken === undefined) {
    const what = `the simulator itself broke: ${/^\w*error.*$/im.exec(text)?.[0] ?? ""}`;
    return { kind: "stale", what, seconds, runs, faults: null };
  }
  const sizes = [...text.matchAll(/^shrink: .* with (\d+) faults?/gm)];
  const faults = Number(sizes.at(-1)?.[1] ?? Number.NaN);
  return {
    kind: "found",
    what: broken,
    seconds,
    runs,
    faults: Number.isNaN(faults) ? null : faults,
  };
}

function firstLine(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString().trim().split("\n", 1)[0] ?? "";
}
