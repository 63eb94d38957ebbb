import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { runProgram, type Program } from "./command-line.ts";
import { ENSEMBLE } from "./ensemble/ensemble-flags.ts";
import { MUTANTS } from "./mutants/mutants-flags.ts";
import { CORE } from "./raft-core/raft-core-flags.ts";
import { pointsTold, SEED_MAX, seedsOf } from "./simulator-flags.ts";

const REGRESSIONS = fileURLToPath(new URL("regressions", import.meta.url));
const PLAN = join(REGRESSIONS, readdirSync(REGRESSIONS).sort()[0] ?? "");
const MISSING = join(tmpdir(), "quorate-no-such-file");
const DONE = 1;

/** What came of one command line; `options` null: nothing was run. */
interface Outcome<Options> {
  readonly code: number;
  readonly options: Options | null;
  readonly out: string;
  readonly err: string;
}

async function run<Name extends string, Options>(
  program: Program<Name, Options>,
  ...argv: readonly string[]
): Promise<Outcome<Options>> {
  let [out, err] = ["", ""];
  let asked: Options | null = null;
  const code = await runProgram(program, argv, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    run: (options) => {
      asked = options;
      return DONE;
    },
  });
  return { code, options: asked, out, err };
}

async function expectRefusal<Name extends string, Options>(
  program: Program<Name, Options>,
  argv: readonly string[],
  message: string,
): Promise<void> {
  const err = expect.stringContaining(message);
  expect(await run(program, ...argv)).toMatchObject({ code: 2, options: null, out: "", err });
  const lines = (await run(program, ...argv)).err.split("\n");
  expect(lines).toEqual([
    expect.stringMatching(/^error: /),
    `  npm run ${program.name} -- --help lists the flags`,
    "",
  ]);
}

/** Wrong with both simulators. */
const WRONG_SEEDS: readonly (readonly [line: string, message: string])[] = [
  ["--runs abc", '--runs takes a whole number from 1, not "abc"'],
  ["--runs 0", '--runs takes a whole number from 1, not "0"'],
  ["--runs 1.5", '--runs takes a whole number from 1, not "1.5"'],
  ["--runs 1e3", '--runs takes a whole number from 1, not "1e3"'],
  ["--seed abc", `--seed takes a whole number from 0 to ${SEED_MAX}, not "abc"`],
  ["--seed -1", `--seed takes a whole number from 0 to ${SEED_MAX}, not "-1"`],
  [`--seed ${SEED_MAX + 1}`, "--seed takes a whole number"],
  ["--from-seed x --runs 1", "--from-seed takes a whole number"],
  [`--from-seed ${SEED_MAX} --runs 2`, "go past the last seed"],
  ["--minutes x", '--minutes takes a number above 0, not "x"'],
  ["--minutes 0", "--minutes takes a number above 0"],
  ["--minutes -1", "--minutes takes a number above 0"],
  ["--minutes 1e999", "--minutes takes a number above 0"],
  ["--seed 1 --runs 2", "--seed is one run: leave out --runs"],
  ["--seed 1 --from-seed 2", "--seed is one run: leave out --from-seed"],
  ["--seed 1 --minutes 2", "--seed is one run: leave out --minutes"],
  ["--seed 1 --seed 2", "--seed is there twice"],
  ["--seed", "--seed needs a value"],
  ["--seed=", "--seed needs a value"],
  ["--seed --points", "--seed needs a value"],
  ["--points=yes", "--points takes no value"],
  ["--bogus", "there is no flag --bogus"],
  ["100", "100 is no flag"],
];

describe("a command line that is wrong", () => {
  test.each(WRONG_SEEDS)("runs nothing: %s", async (line, message) => {
    await expectRefusal(ENSEMBLE, line.split(" "), message);
    await expectRefusal(CORE, line.split(" "), message);
  });

  test.each([
    ["--profile nobody", "there is no profile nobody; there are general, hunter,"],
    [`--plan ${MISSING}`, `${MISSING} cannot be read: no such file or directory`],
    [`--plan ${PLAN} --seed 1`, "leave out --seed"],
    [`--plan ${PLAN} --runs 2`, "leave out --runs"],
    [`--plan ${PLAN} --profile tiny`, "leave out --profile"],
    ["--shrink --shrink-seconds x", "--shrink-seconds takes a number above 0"],
    ["--shrink --shrink-runs 0", "--shrink-runs takes a whole number from 1"],
    ["--shrink-runs 5", "--shrink-runs needs --shrink"],
    ["--shrink-seconds 5", "--shrink-seconds needs --shrink"],
    [`--core-traces ${PLAN}/below`, "cannot be made: not a directory"],
  ])("runs no ensemble: %s", async (line, message) => {
    await expectRefusal(ENSEMBLE, line.split(" "), message);
  });

  test("runs no core: --throughput beside what is about seeds", async () => {
    await expectRefusal(CORE, ["--throughput", "--runs", "1"], "leave out --runs");
  });

  test.each([
    ["--only abc", "there is no mutant abc; there are 1 to "],
    ["--only 9999", "there is no mutant 9999; there are 1 to "],
    ["--only 1,9999", "there is no mutant 9999; "],
    ["--only 1,", "there is no mutant ; there are 1 to "],
    ["--only", "--only needs a value"],
    ["--only --minutes 1", "--only needs a value"],
    ["--minutes x", "--minutes takes a number above 0"],
    ["--minutes 0", "--minutes takes a number above 0"],
    [`--dir ${MISSING}`, `the folder ${MISSING} cannot be read: no such file or directory`],
    [`--dir ${REGRESSIONS}`, "holds no mutants"],
    ["--bogus", "there is no flag --bogus"],
  ])("hunts nothing: %s", async (line, message) => {
    await expectRefusal(MUTANTS, line.split(" "), message);
  });
});

describe("help", () => {
  test("tells every flag and exit code, and how the last line is to be read", async () => {
    const outcomes = [
      [ENSEMBLE, await run(ENSEMBLE, "--help")],
      [CORE, await run(CORE, "--runs", "2", "--help")],
      [MUTANTS, await run(MUTANTS, "-h")],
    ] as const;
    for (const [{ name, flags }, { code, options, out, err }] of outcomes) {
      expect([name, code, options, err]).toEqual([name, 0, null, ""]);
      expect(out).toContain(`Usage: npm run ${name} -- `);
      for (const flag of [...Object.keys(flags), "help"]) {
        expect(out).toMatch(new RegExp(` --${flag}( \\S+)?  +[A-Z]`));
      }
      expect(out).toMatch(/The last line:\n {2}(?:sim|mutants): /);
      for (const each of [0, 1, 2]) expect(out).toMatch(new RegExp(`^  ${each}  [A-Z]`, "m"));
      expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThan(122);
    }
  });
});

describe("a command line that is right", () => {
  test("says which seeds to run", async () => {
    const seeds = async (...argv: readonly string[]) => (await run(CORE, ...argv)).options?.seeds;
    expect(await seeds()).toMatchObject({ first: 1, runs: 500, minutes: Infinity });
    expect(await seeds("--seed", "0")).toMatchObject({ first: 0, runs: 1 });
    expect(await seeds("--from-seed", "7", "--runs=3")).toMatchObject({ first: 7, runs: 3 });
    const minutes = await seeds("--minutes", "0.75");
    expect(minutes).toMatchObject({ first: 1, runs: Infinity, minutes: 0.75 });
    expect(await seeds("--minutes", "7.5e-1", "--runs", "4")).toEqual({ ...minutes, runs: 4 });
  });

  test("passes on what the run comes to", async () => {
    expect(await run(CORE)).toMatchObject({ code: DONE, out: "", err: "" });
  });

  test("of ensembles", async () => {
    expect((await run(ENSEMBLE)).options).toMatchObject({
      seeds: { first: 1, runs: 20 },
      kind: null,
      planned: null,
      isSingle: false,
      shrink: null,
    });
    const line = "--seed 5 --profile tiny --shrink --shrink-seconds 2 --until-violation";
    expect((await run(ENSEMBLE, ...line.split(" "))).options).toMatchObject({
      seeds: { first: 5, runs: 1, isUntilViolation: true },
      kind: "tiny",
      isSingle: true,
      shrink: { budgetMs: 2_000, runsMax: Infinity },
    });
  });

  test("of a plan is one run, of its seed", async () => {
    const { options } = await run(ENSEMBLE, "--plan", PLAN, "--until-violation");
    const { profile } = JSON.parse(readFileSync(PLAN, "utf8"));
    expect(options).toMatchObject({
      seeds: { first: profile.seed, runs: 1 },
      planned: { file: PLAN, plan: { profile } },
      isSingle: true,
    });
  });

  test("of mutants", async () => {
    const { options } = await run(MUTANTS, "--only", "12,03", "--minutes", "0.5");
    expect(options?.minutes).toBe(0.5);
    expect(options?.patches).toEqual([
      expect.stringMatching(/\/mutants\/03-.*\.patch$/),
      expect.stringMatching(/\/mutants\/12-.*\.patch$/),
    ]);
    const all = (await run(MUTANTS)).options;
    expect(all?.patches.length).toBeGreaterThan(50);
    expect(all?.minutes).toBe(3);
  });

  test("of mutants elsewhere, which need not be numbered without gaps", async () => {
    const at = mkdtempSync(join(tmpdir(), "quorate-mutants-"));
    onTestFinished(() => rmSync(at, { recursive: true }));
    for (const name of ["1-a", "2-b", "4-c", "x"]) writeFileSync(join(at, `${name}.patch`), "");
    expect((await run(MUTANTS, "--dir", at)).options?.patches).toHaveLength(4);
    await expectRefusal(MUTANTS, ["--dir", at, "--only", "3"], "there are 1 to 2, 4\n");
  });
});

describe("what is no plan", () => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "quorate-plans-"));
    return () => rmSync(directory, { recursive: true });
  });

  async function expectNoPlan(text: string, reason: string): Promise<void> {
    const file = join(directory, "plan.json");
    writeFileSync(file, text);
    await expectRefusal(ENSEMBLE, ["--plan", file], `${file} is no plan: ${reason}`);
  }

  test.each([
    ["", "it is not JSON"],
    ["nothing", "it is not JSON"],
    ["null", "all of it is missing or wrong"],
    ["{}", "breaks is missing or wrong"],
    ['{ "breaks": "C1" }', "profile is missing or wrong"],
    ['{ "breaks": "C1", "profile": 1, "faults": 1 }', "profile is missing or wrong"],
    ['{ "breaks": "C1", "profile": {}, "faults": [] }', "profile.seed is missing or wrong"],
  ])("%s is refused", expectNoPlan);

  test.each([
    ["seed", -1],
    ["seed", SEED_MAX + 1],
    ["kind", "nobody"],
    ["nodes", "three"],
    ["nodes", undefined],
    ["works", ["sleep"], "works.0"],
    ["faults", ["nothing"], "faults.0"],
    ["leaseReads", 0],
  ])("a profile whose %s is %j is refused", async (name, value, place = name) => {
    const plan = JSON.parse(readFileSync(PLAN, "utf8"));
    plan.profile[name] = value;
    await expectNoPlan(JSON.stringify(plan), `profile.${place} is missing or wrong`);
  });

  test("faults that are no list are refused", async () => {
    const plan = { ...JSON.parse(readFileSync(PLAN, "utf8")), faults: 1 };
    await expectNoPlan(JSON.stringify(plan), "faults is missing or wrong");
  });

  test.each([
    [null, ""],
    [{ atMs: 1 }, ".fault"],
    [{ atMs: 1, fault: "nothing" }, ".fault"],
    [{ fault: "crash", node: "n1", downMs: 5 }, ".atMs"],
    [{ atMs: 1, fault: "crash", node: "n1" }, ".downMs"],
    [{ atMs: 1, fault: "crashAll", downtimes: [{ node: "n1" }] }, ".downtimes.0.downMs"],
    [{ atMs: 1, fault: "isolate", forMs: 5, links: [["n1"]] }, ".links.0.1"],
    [{ atMs: 1, fault: "members", change: { kind: "remove" } }, ".change.name"],
    [{ atMs: 1, fault: "rot", node: "n1", isImage: true, place: { record: 0.5 } }, ".place.offset"],
  ])("a fault such as %j is refused", async (fault, place) => {
    const plan = JSON.parse(readFileSync(PLAN, "utf8"));
    const count = plan.faults.push(fault);
    await expectNoPlan(JSON.stringify(plan), `faults.${count - 1}${place} is missing or wrong`);
  });
});

describe("the seeds", () => {
  const asked = {
    first: 4,
    runs: Infinity,
    minutes: Infinity,
    isUntilViolation: false,
    withPoints: false,
    isRecorded: false,
  };
  const never = (): boolean => false;

  test("follow one another", () => {
    expect([...seedsOf({ ...asked, runs: 3 }, never)]).toEqual([4, 5, 6]);
    expect([...seedsOf({ ...asked, first: SEED_MAX - 1 }, never)]).toEqual([
      SEED_MAX - 1,
      SEED_MAX,
    ]);
  });

  test("end with the first failure only if that is asked for", () => {
    const always = (): boolean => true;
    expect([...seedsOf({ ...asked, runs: 3, isUntilViolation: true }, always)]).toEqual([4]);
    expect([...seedsOf({ ...asked, runs: 3 }, always)]).toEqual([4, 5, 6]);
  });

  test("are one at least, however short the time", () => {
    expect([...seedsOf({ ...asked, minutes: 1e-12 }, never)]).toEqual([4]);
  });

  test("that are few leave the points that none came to unnamed", () => {
    expect(pointsTold(asked, 99)).toBe("sum");
    expect(pointsTold(asked, 100)).toBe("missing");
    expect(pointsTold({ ...asked, minutes: 1 }, 2)).toBe("missing");
    expect(pointsTold({ ...asked, withPoints: true }, 2)).toBe("all");
  });
});
