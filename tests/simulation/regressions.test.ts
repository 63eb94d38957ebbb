import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readPlan } from "./ensemble/plan.ts";
import { simulate } from "./ensemble/simulation.ts";
import { huntMutant } from "./mutants/hunt-mutant.ts";

const DIRECTORY = fileURLToPath(new URL("regressions", import.meta.url));
const MUTANTS = fileURLToPath(new URL("mutants", import.meta.url));
const FILES = readdirSync(DIRECTORY).filter((name) => name.endsWith(".json"));

/** Runs that broke a promise until what they found was mended, made small. */
describe("runs that failed once", () => {
  test.each(FILES)("%s", async (name) => {
    const { profile, faults } = readPlan(`${DIRECTORY}/${name}`);
    const { happened } = await simulate(profile, null, faults);
    expect(happened.length).toBeGreaterThanOrEqual(faults.length / 2);
  });

  test.each(FILES)(
    "%s fails again once the mutant of its name takes the mend back",
    async (name) => {
      const patch = `${MUTANTS}/${name.replace(/json$/, "patch")}`;
      const plan = `${DIRECTORY}/${name}`;
      const { breaks } = readPlan(plan);
      const verdict = await huntMutant(patch, { plan });
      expect(verdict).toMatchObject({ kind: "found", runs: 1 });
      expect(verdict.what).toContain(breaks);
    },
    60_000,
  );
});
