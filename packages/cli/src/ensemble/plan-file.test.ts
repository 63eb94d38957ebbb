import { expect, test } from "vitest";
import { tempFolder } from "../../../../tests/support/temp-directory.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { openEnsemblePlan } from "./plan-file.ts";

test("an ensemble is not turned into another, and nothing is kept before it is asked for", async () => {
  const directory = tempFolder();
  const first = await openEnsemblePlan(directory, { nodes: 5, port: 7301 });
  expect([first.isNew, first.plan.nodes.length]).toEqual([true, 5]);
  expect((await openEnsemblePlan(directory, { nodes: 3 })).isNew).toBe(true);
  await first.keep();
  const again = await openEnsemblePlan(directory, {});
  expect(again).toMatchObject({ isNew: false, plan: first.plan });
  expect((await openEnsemblePlan(directory, { nodes: 5, port: 7301 })).isNew).toBe(false);
});

test.each([
  [{ nodes: 3 }, "--nodes"],
  [{ nodes: 1, port: 7001 }, "--port"],
  [{ nodes: 3, port: 7001 }, "--nodes and --port"],
])("an ensemble of another shape than %o says what to leave out", async (wanted, options) => {
  const directory = tempFolder();
  await (await openEnsemblePlan(directory, { nodes: 1, port: 7301 })).keep();
  await expect(openEnsemblePlan(directory, wanted)).rejects.toMatchObject({
    message: `${directory} holds an ensemble of 1 node on port 7301`,
    hint: `leave ${options} out to resume it, or start another one with --data`,
    exitCode: EXIT_CODES.usage,
  });
});
