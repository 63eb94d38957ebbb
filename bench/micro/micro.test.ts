import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { microMachine, readBaseline, writeBaseline, type Baseline } from "./baseline.ts";
import { codecCases } from "./codec-cases.ts";
import { logCases } from "./log-cases.ts";
import { formatMicroTable } from "./micro-table.ts";
import { raftCases } from "./raft-cases.ts";
import { runCases } from "./run-cases.ts";
import { loadServerInternals } from "./server-internals.ts";
import { treeCases } from "./tree-cases.ts";

const MACHINE = { cpu: "a", cores: 2, node: "v20" };
const BASELINE: Baseline = {
  machine: MACHINE,
  commit: "c0ffee",
  nanoseconds: { one: 200, two: 50 },
};

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "quorate-micro-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("every case does its work, again and again, under a name of its own", async () => {
  const internals = await loadServerInternals();
  const cases = [
    ...raftCases(internals),
    ...codecCases(internals),
    ...treeCases(),
    ...(await logCases(internals, directory())),
  ];
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  for (const { run, operations } of cases) {
    expect(operations).toBeGreaterThan(0);
    for (let time = 0; time < 100; time += 1) await run();
  }
  for (const { close } of cases) await close?.();
});

test("a figure is the median time of one operation", async () => {
  let calls = 0;
  const run = (): void => {
    calls += 1;
    const until = performance.now() + 2;
    while (performance.now() < until);
  };
  const times = { warmUpMs: 0, measureMs: 20 };
  const [result] = await runCases([{ name: "busy", operations: 4, run }], times);
  expect(calls).toBeGreaterThanOrEqual(10);
  expect(result?.nanoseconds).toBeGreaterThanOrEqual(500_000);
});

test("a case that fails is no figure", async () => {
  const run = (): void => {
    throw new Error("broken");
  };
  const times = { warmUpMs: 0, measureMs: 1 };
  await expect(runCases([{ name: "broken", operations: 1, run }], times)).rejects.toThrow("broken");
});

test("the table tells the difference to the baseline", () => {
  const results = [
    { name: "one", nanoseconds: 300 },
    { name: "two", nanoseconds: 40 },
    { name: "three", nanoseconds: 1_000 },
  ];
  const table = formatMicroTable(results, BASELINE, MACHINE);
  expect(table).toMatch(/\| one +\| +3,333,333 \| +300 \| +\+50 % \|/);
  expect(table).toMatch(/\| two +\| +25,000,000 \| +40\.0 \| +-20 % \|/);
  expect(table).toMatch(/\| three +\| +1,000,000 \| +1,000 \| +new \|/);
  expect(table).toContain("commit c0ffee");
  expect(formatMicroTable(results, BASELINE, { ...MACHINE, cores: 4 })).toContain(
    "differences mean nothing",
  );
  expect(formatMicroTable(results, null, MACHINE)).toContain("no baseline");
});

test("a baseline is read as it was written, with its machine", () => {
  const file = join(directory(), "baseline.json");
  expect(readBaseline(file)).toBeNull();
  writeBaseline({ one: 1.5 }, file);
  expect(readBaseline(file)).toMatchObject({ machine: microMachine(), nanoseconds: { one: 1.5 } });
});
