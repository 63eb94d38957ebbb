import { expect, test } from "vitest";
import { counted } from "./counted.ts";
import { drawProfile } from "./ensemble/profile.ts";
import { Totals } from "./ensemble/totals.ts";
import { Totals as CoreTotals } from "./raft-core/totals.ts";

const CPU = { user: 1_500_000, system: 500_000 };

test("the last line of both simulators is the same, however many runs there were", () => {
  const totals = new Totals();
  totals.add(drawProfile(1), {
    seed: 1,
    simulatedMs: 36_000,
    loadedMs: 30_000,
    events: 5_000,
    operations: 1_200,
    increments: 0,
    watched: 0,
    backups: 0,
    coreEvents: 0,
    faults: new Map(),
    happened: [],
    sectorsLost: 0,
    strikes: { together: 0, whileDown: 0 },
    traceHash: "",
  });
  expect(totals.lines(CPU).slice(-2)).toEqual([
    "speed: 18 simulated seconds and 2500 events per CPU second",
    "sim: 1 runs, 0.01 simulated hours, 5000 events, 1200 client ops checked, 0 violations",
  ]);
  const cores = new CoreTotals();
  cores.addViolation();
  cores.addViolation();
  expect(cores.lines(CPU).slice(-2)).toEqual([
    "speed: 0 simulated seconds per CPU second",
    "sim: 2 runs, 0.00 simulated hours, 0 events, 0 client ops checked, 2 violations",
  ]);
});

test("one is one", () => {
  expect([0, 1, 2].map((count) => counted(count, "run"))).toEqual(["0 runs", "1 run", "2 runs"]);
});
