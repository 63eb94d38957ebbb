import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readPlan } from "./ensemble/plan.ts";
import { simulate } from "./ensemble/simulation.ts";

const DIRECTORY = fileURLToPath(new URL("regressions", import.meta.url));
const FILES = readdirSync(DIRECTORY).filter((name) => name.endsWith(".json"));

/**
 * Runs that broke a promise until what they found was mended, made small. Each breaks it again with the mutant of its name,
 * which takes the mend back.
 */
describe("runs that failed once", () => {
  test.each(FILES)("%s", async (name) => {
    const { profile, faults } = readPlan(`${DIRECTORY}/${name}`);
    const { happened } = await simulate(profile, null, faults);
    expect(happened.length).toBeGreaterThan(0);
  });
});
