import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { formatVerdicts } from "./mutants/format-verdicts.ts";
import { huntMutant } from "./mutants/hunt-mutant.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DIRECTORY = fileURLToPath(new URL("mutants", import.meta.url));
const PATCHES = readdirSync(DIRECTORY).filter((name) => name.endsWith(".patch"));
/** Found by one of the first runs: what takes more is hunted by `npm run sim:mutants`. */
const QUICK_NUMBERS = [
  1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 15, 16, 19, 20, 24, 25, 26, 27, 30, 32, 45, 46, 47, 48,
  49, 52, 53, 58,
];
const QUICK = PATCHES.filter((name) => QUICK_NUMBERS.includes(Number.parseInt(name, 10)));
const BOUNDS = { runs: 8, shrinkRuns: 0 };
/** Short to find and to make smaller. */
const SMALL = "30-sequence-is-the-number-of-children.patch";
const SHRINK_RUNS = 60;
const PROGRAM = "tests/simulation/ensemble/ensemble-main.ts";

describe("the mutants", () => {
  test.each(PATCHES)("%s applies, and says what it breaks", (name) => {
    const { status, stderr } = spawnSync("git", ["apply", "--check", `${DIRECTORY}/${name}`], {
      cwd: ROOT,
    });
    expect([status, stderr.toString()]).toEqual([0, ""]);
    expect(readFileSync(`${DIRECTORY}/${name}`, "utf8")).toMatch(/^[A-Z][^\n]+\.\n\ndiff --git /);
  });

  test.each(QUICK)(
    "%s is found",
    async (name) => {
      expect(await huntMutant(`${DIRECTORY}/${name}`, BOUNDS)).toMatchObject({ kind: "found" });
    },
    170_000,
  );

  test("are found again by a run of a few faults", async () => {
    const verdict = await huntMutant(`${DIRECTORY}/${SMALL}`, {
      ...BOUNDS,
      shrinkRuns: SHRINK_RUNS,
    });
    expect(verdict).toMatchObject({ kind: "found", faults: expect.any(Number) });
    expect(verdict.faults).toBeLessThanOrEqual(4);
  }, 170_000);

  test("under which the simulator itself breaks are no success", async () => {
    const [first = ""] = readFileSync(PROGRAM, "utf8").split("\n", 1);
    const lines = ["@@ -1,1 +1,2 @@", '+throw new Error("broken");', ` ${first}`, ""];
    const at = mkdtempSync(join(tmpdir(), "quorate-mutant-"));
    try {
      const patch = join(at, "broken.patch");
      writeFileSync(patch, [`--- a/${PROGRAM}`, `+++ b/${PROGRAM}`, ...lines].join("\n"));
      expect(await huntMutant(patch, BOUNDS)).toMatchObject({
        kind: "stale",
        what: "the simulator itself broke: Error: broken",
      });
    } finally {
      rmSync(at, { recursive: true });
    }
  });

  test("that are hunted with what the simulator refuses are no success", async () => {
    const verdict = await huntMutant(`${DIRECTORY}/${SMALL}`, { plan: "package.json" });
    expect(verdict).toMatchObject({ kind: "stale", what: expect.stringContaining("is no plan") });
  });

  test("that no longer apply are no success", async () => {
    const verdict = await huntMutant(fileURLToPath(import.meta.url), BOUNDS);
    expect(verdict).toMatchObject({ kind: "stale", what: expect.stringContaining("apply") });
    const found = { ...verdict, kind: "found", by: "raft-core", seconds: 1.25, runs: 3 } as const;
    const report = formatVerdicts([verdict, found]);
    expect(report.split("\n").slice(1)).toEqual([
      expect.stringMatching(/found +1\.3 s, 3 runs +raft-core +does not apply/),
      "mutants: 1 of 2 found",
      "",
    ]);
  });
});
