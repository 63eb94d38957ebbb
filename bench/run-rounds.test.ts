import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { fakeSystem } from "./fake/fake-system.ts";
import { SLOW_SET_MS } from "./fake/fake-wire.ts";
import { missingRatiosOf, ratiosOf, type Ratio } from "./report/ratios.ts";
import { summarize, type Result } from "./report/report.ts";
import { formatTable } from "./report/table.ts";
import { planRuns, runRounds } from "./run-rounds.ts";
import type { System } from "./systems/system.ts";
import type {
  BulkWorkload,
  FanoutWorkload,
  GapWorkload,
  LoadWorkload,
  Workload,
} from "./workloads.ts";

const SETS: LoadWorkload = {
  kind: "load",
  id: "sets",
  operation: "set",
  sessions: 2,
  depth: 2,
  paths: 200,
  bytes: 64,
  ratePerSecond: 0,
  nodes: 1,
};

const FANOUT: FanoutWorkload = {
  kind: "fanout",
  id: "fanout",
  sessions: 6,
  watchers: 12,
  writes: 3,
  bytes: 64,
};

const GAP: GapWorkload = { kind: "gap", id: "gap", znodes: 500, bytes: 64, measureMs: 400 };

const BULK: BulkWorkload = {
  kind: "bulk",
  id: "bulk",
  znodes: 500,
  bytes: 64,
  outstanding: 32,
  settleMs: 10,
};

const MEASURE_MS = 400;

/** Two systems beside one another; the figures, and what was told on the way. */
async function measure(
  systems: readonly System[],
  workload: Workload = SETS,
  { rounds = 1, driverCpuShareMax = Number.POSITIVE_INFINITY } = {},
): Promise<{ readonly results: readonly Result[]; readonly told: readonly string[] }> {
  const dataDirectory = mkdtempSync(join(tmpdir(), "quorate-bench-"));
  onTestFinished(() => rmSync(dataDirectory, { recursive: true, force: true }));
  const told: string[] = [];
  const runs = await runRounds({
    workloads: [workload],
    systems,
    rounds,
    settings: {
      dataDirectory,
      warmUpMs: 100,
      measureMs: MEASURE_MS,
      repetitionsMax: 1,
      driverCpuShareMax,
    },
    commit: () => "c0ffee",
    onProgress: (line) => told.push(line),
  });
  return { results: summarize(runs, { workloads: [workload], measureMs: MEASURE_MS }), told };
}

function ratios(results: readonly Result[]): readonly Ratio[] {
  return ratiosOf({ results, subject: "quorate" });
}

function figure(results: readonly Result[], system: string, metric: string): Result {
  const found = results.find((result) => result.system === system && result.metric === metric);
  if (found === undefined) throw new Error(`${system} has no ${metric}`);
  return found;
}

test("rounds take turns, and a run without faults is valid and gives ratios", async () => {
  const systems = [fakeSystem("quorate"), fakeSystem("peer")];
  const { results, told } = await measure(systems, SETS, { rounds: 2 });
  expect(told[0]).toMatch(/; 3 left, about \d+ s$/);
  expect(told[3]).not.toContain("left");
  expect(told.map((line) => line.split(":")[0])).toEqual([
    "1/4 round 1 sets quorate",
    "2/4 round 1 sets peer",
    "3/4 round 2 sets peer",
    "4/4 round 2 sets quorate",
  ]);
  const throughput = figure(results, "quorate", "throughput");
  expect(throughput).toMatchObject({ valid: true, unit: "ops/s" });
  expect(throughput.rounds).toHaveLength(2);
  expect(throughput.median).toBeGreaterThan(0);
  expect(throughput.serverCpuSeconds).toBeGreaterThan(0);
  expect(throughput.serverRssBytes).toBeGreaterThan(0);
  expect(ratios(results).map(({ metric }) => metric)).toEqual([
    "throughput",
    "p50",
    "p99",
    "per server CPU second",
  ]);
});

test("every round begins with another system, among those that take part", () => {
  const apart: System = { ...fakeSystem("d"), workloads: new Set(["fanout"]) };
  const systems = [...["a", "b", "c"].map((name) => fakeSystem(name)), apart];
  const order = (workload: Workload, rounds: number): string =>
    planRuns({ workloads: [workload], systems, rounds })
      .map(({ system, round }) => `${system.name}${round}`)
      .join(" ");
  expect(order(SETS, 4)).toBe("a1 b1 c1 b2 c2 a2 c3 a3 b3 a4 b4 c4");
  expect(order(FANOUT, 2)).toBe("a1 b1 c1 d1 b2 c2 d2 a2");
  expect(planRuns({ workloads: [SETS], systems: [apart], rounds: 2 })).toEqual([]);
});

test("a planted slow path shows in throughput, latency and ratio", async () => {
  const { results } = await measure([fakeSystem("quorate", "slow-set"), fakeSystem("peer")]);
  expect(figure(results, "quorate", "p50").median).toBeGreaterThan(SLOW_SET_MS * 0.95);
  const callers = SETS.sessions * SETS.depth;
  const most = (callers * 1000) / SLOW_SET_MS;
  expect(figure(results, "quorate", "throughput").median).toBeLessThan(most * 1.1);
  for (const { ratio } of ratios(results)) expect(ratio).toBeLessThan(0.8);
});

test("a planted slow path shows in an open loop, whose latency counts from when each was due", async () => {
  const workload = { ...SETS, ratePerSecond: 200 };
  const { results } = await measure([fakeSystem("quorate", "slow-set")], workload);
  expect(figure(results, "quorate", "p50").median).toBeGreaterThan(SLOW_SET_MS * 0.95);
  expect(figure(results, "quorate", "p99.9").valid).toBe(true);
});

test("an open loop that is not kept up with says so", async () => {
  const workload = { ...SETS, ratePerSecond: 400 };
  const systems = [fakeSystem("quorate"), fakeSystem("peer", "busy-driver")];
  const { results } = await measure(systems, workload);
  const late = figure(results, "peer", "throughput");
  expect(late).toMatchObject({ valid: true, sustained: false });
  expect(late.note).toContain("rate not sustained");
  const latencies = ["p50", "p99", "p99.9"];
  const missing = missingRatiosOf({ results, subject: "quorate" });
  expect(missing.map(({ metric }) => metric)).toEqual(latencies);
  expect(ratios(results).map(({ metric }) => metric)).toEqual(["throughput"]);
});

test("a driver that lies about acknowledgement is caught by the read-back", async () => {
  const { results } = await measure([fakeSystem("quorate", "lying-driver"), fakeSystem("peer")]);
  const lied = figure(results, "quorate", "throughput");
  expect(lied.valid).toBe(false);
  expect(lied.note).toMatch(/read-back: of \d+ acknowledged last values/);
  expect(figure(results, "peer", "throughput").valid).toBe(true);
  expect(ratios(results)).toEqual([]);
  const missingRatios = missingRatiosOf({ results, subject: "quorate" });
  const systems = ["quorate", "peer"];
  expect(formatTable({ systems, results, ratios: [], missingRatios })).toContain(
    "- sets, no ratio of throughput, p50, p99, per server CPU second: invalid: quorate",
  );
});

test("a server that keeps nothing is caught by the read-back", async () => {
  const { results } = await measure([fakeSystem("quorate"), fakeSystem("peer", "forgetful")]);
  expect(figure(results, "peer", "throughput").note).toMatch(/(\d+) are lost/);
  expect(ratios(results)).toEqual([]);
});

test("a deletion that was acknowledged and did not last is caught by the read-back", async () => {
  const workload: LoadWorkload = { ...SETS, operation: "create-sequential" };
  const systems = [fakeSystem("quorate", "undeleting"), fakeSystem("peer")];
  const { results } = await measure(systems, workload);
  expect(figure(results, "quorate", "throughput").note).toMatch(
    /read-back: \d+ znodes are there whose deletion was acknowledged/,
  );
  expect(figure(results, "peer", "throughput")).toMatchObject({ valid: true });
});

test("a server that keeps nothing has not passed because nothing is there to be found", async () => {
  const workload: LoadWorkload = { ...SETS, operation: "create-sequential" };
  const { results } = await measure([fakeSystem("quorate", "forgetful")], workload);
  expect(figure(results, "quorate", "throughput").note).toContain("200 are lost");
});

test("what every watcher heard of has to last like any other write", async () => {
  const systems = [fakeSystem("quorate"), fakeSystem("peer", "forgetful")];
  const { results } = await measure(systems, FANOUT);
  expect(figure(results, "quorate", "last delivery")).toMatchObject({ valid: true });
  expect(figure(results, "peer", "last delivery").note).toContain(
    "of 1 acknowledged last values 1 are lost",
  );
});

test("a run with errors gives no ratio", async () => {
  const { results } = await measure([fakeSystem("quorate", "failing"), fakeSystem("peer")]);
  expect(figure(results, "quorate", "p50")).toMatchObject({ valid: false });
  expect(figure(results, "quorate", "p50").note).toMatch(/operations failed: Error: no such znode/);
  expect(ratios(results)).toEqual([]);
});

test("a driver bound by CPU gets company, and where that does not help there is no ratio", async () => {
  const systems = [fakeSystem("quorate"), fakeSystem("peer")];
  // Whatever a driver used is too much: how much it gets depends on what else this machine does.
  const { results } = await measure(systems, SETS, { driverCpuShareMax: 0 });
  const bound = figure(results, "quorate", "throughput");
  expect(bound.valid).toBe(false);
  expect(bound.note).toContain("driver bound by CPU");
  expect(bound.note).toContain("2 driver processes");
  expect(ratios(results)).toEqual([]);
});

test("a system that does not start makes its run invalid and lets the others run", async () => {
  const broken: System = {
    ...fakeSystem("peer"),
    server: () => ({ command: process.execPath, args: ["-e", "process.exit(3)"] }),
    probe: () => Promise.resolve(null),
  };
  const { results } = await measure([broken, fakeSystem("quorate")]);
  expect(figure(results, "peer", "throughput").note).toContain("node 1 of peer ended");
  expect(figure(results, "quorate", "throughput").valid).toBe(true);
});

test("a node that ends under the load makes the run invalid", async () => {
  const workload = { ...SETS, sessions: 1, nodes: 3 };
  const { results } = await measure([fakeSystem("quorate", "dying")], workload);
  const { valid, note } = figure(results, "quorate", "throughput");
  expect(valid).toBe(false);
  expect(note).toContain("node 3 ended under the load");
});

test("a system takes part in its own workloads only", async () => {
  const apart: System = { ...fakeSystem("apart"), workloads: new Set(["others"]) };
  const { results, told } = await measure([fakeSystem("quorate"), apart]);
  expect(told.map((line) => line.split(":")[0])).toEqual(["1/1 round 1 sets quorate"]);
  expect(results.some(({ system }) => system === "apart")).toBe(false);
});

test("a driver bound by CPU gets no more company than the system allows", async () => {
  const alone: System = { ...fakeSystem("quorate"), driverProcessesMax: 1 };
  const { results } = await measure([alone], SETS, { driverCpuShareMax: 0 });
  expect(figure(results, "quorate", "throughput").note).toContain(
    "driver bound by CPU: 1 of 1 processes",
  );
});

test("garbage collections of the servers are counted while measuring", async () => {
  const systems = [fakeSystem("quorate", "collecting"), fakeSystem("peer")];
  const { results } = await measure(systems, GAP);
  const longest = figure(results, "quorate", "longest GC pause");
  expect(longest).toMatchObject({ valid: true, unit: "ms" });
  expect(longest.note).toContain("2 driver processes");
  expect(longest.median).toBeGreaterThan(0);
  const all = figure(results, "quorate", "GC pauses in all").median;
  expect(all).toBeGreaterThan(longest.median);
  expect(all).toBeGreaterThan(figure(results, "peer", "GC pauses in all").median);
  expect(figure(results, "peer", "longest gap").median).toBeGreaterThan(0);
});

test("what was set on a large tree is read back, and what was never set but filled in too", async () => {
  const { results } = await measure([fakeSystem("quorate", "forgetful")], GAP);
  expect(figure(results, "quorate", "longest gap").note).toContain(
    "of 500 acknowledged last values 500 are lost",
  );
});

test("a large tree is loaded, read back, and held against its cost", async () => {
  const { results } = await measure([fakeSystem("quorate")], BULK);
  for (const metric of ["load rate", "memory per server", "disk per server"]) {
    expect(figure(results, "quorate", metric)).toMatchObject({ valid: true });
    expect(figure(results, "quorate", metric).median).toBeGreaterThan(0);
  }
  expect(figure(results, "quorate", "restart to first read").median).toBeGreaterThan(0);
});

test("a large tree that is not on disk is caught by the read-back", async () => {
  const { results } = await measure([fakeSystem("quorate", "forgetful")], BULK);
  expect(figure(results, "quorate", "load rate").note).toContain("500 are lost");
});

test("a load is bound by its drivers' CPU like any other", async () => {
  const system: System = { ...fakeSystem("quorate"), driverProcessesMax: 2 };
  const { results } = await measure([system], BULK, { driverCpuShareMax: 0 });
  expect(figure(results, "quorate", "load rate").note).toContain(
    "driver bound by CPU: 2 of 2 processes",
  );
});
