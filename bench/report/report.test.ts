import { expect, test } from "vitest";
import { NOTHING, type Outcome } from "../run/outcome.ts";
import type { Workload } from "../workloads.ts";
import { missingRatiosOf, ratiosOf, type MissingRatio, type Ratio } from "./ratios.ts";
import { summarize, type Result, type Run } from "./report.ts";
import { formatTable } from "./table.ts";

function run(system: string, metrics: Outcome["metrics"], problems: readonly string[] = []): Run {
  return { workload: "w", system, outcome: { ...NOTHING, metrics, problems } };
}

const CLOSED: Workload = {
  kind: "load",
  id: "w",
  operation: "set",
  sessions: 1,
  depth: 1,
  paths: 1,
  bytes: 1,
  ratePerSecond: 0,
  nodes: 3,
};
const OPEN: Workload = { ...CLOSED, ratePerSecond: 1000 };

function figures(runs: readonly Run[], workloads: readonly Workload[] = []): readonly Result[] {
  return summarize(runs, { workloads, measureMs: 20_000 });
}

function ratios(results: readonly Result[]): readonly Ratio[] {
  return ratiosOf({ results, subject: "quorate", standIns: STAND_INS });
}

function missing(results: readonly Result[]): readonly MissingRatio[] {
  return missingRatiosOf({ results, subject: "quorate", standIns: STAND_INS });
}

const STAND_INS: ReadonlySet<string> = new Set(["etcd3"]);

test("a figure is the median of its rounds, with their range", () => {
  const runs = [10, 30, 20].map((throughput) => run("quorate", { throughput }));
  expect(figures(runs)).toMatchObject([
    { metric: "throughput", median: 20, min: 10, max: 30, rounds: [10, 30, 20], valid: true },
  ]);
});

test("one invalid round makes a figure invalid and says why", () => {
  const runs = [run("quorate", { throughput: 1 }), run("quorate", { throughput: 2 }, ["why"])];
  expect(figures(runs)).toMatchObject([{ valid: false, note: "why", median: 1.5 }]);
});

test("a ratio is taken to the better peer, and more than 1 is better for the subject whatever the metric", () => {
  const results = figures([
    run("quorate", { throughput: 300, p50: 2 }),
    run("zookeeper", { throughput: 100, p50: 3 }),
    run("etcd", { throughput: 150, p50: 8 }),
  ]);
  expect(ratios(results)).toEqual([
    { workload: "w", metric: "throughput", quorate: 300, best: 150, bestPeer: "etcd", ratio: 2 },
    { workload: "w", metric: "p50", quorate: 2, best: 3, bestPeer: "zookeeper", ratio: 1.5 },
  ]);
});

test("there is no ratio where the subject's run or a peer's was invalid, and it says why", () => {
  const own = run("quorate", { throughput: 300, p50: 1 });
  const etcd = run("etcd", { throughput: 100, p50: 2 });
  const bad = run("zookeeper", { throughput: 900, p50: 3 }, ["errors"]);
  const spoilt = figures([own, etcd, bad]);
  expect(ratios(spoilt)).toEqual([]);
  expect(missing(spoilt)).toEqual([
    { workload: "w", metric: "throughput", reason: "invalid: zookeeper" },
    { workload: "w", metric: "p50", reason: "invalid: zookeeper" },
  ]);
  const invalid = run("quorate", { throughput: 300 }, ["errors"]);
  expect(ratios(figures([invalid, etcd]))).toEqual([]);
  expect(missing(figures([invalid, etcd]))[0]?.reason).toBe("invalid: quorate");
  expect(missing(figures([own, etcd]))).toEqual([]);
  const [alone] = missing(figures([own, run("etcd", { p50: 1 })]));
  expect(alone).toEqual({ workload: "w", metric: "throughput", reason: "no figure: etcd" });
});

test("one failed operation in one round of a peer leaves no ratio to the slower one", () => {
  const rounds = (system: string, throughput: number): readonly Run[] =>
    [1, 2, 3].map(() => run(system, { throughput }));
  const fast = [...rounds("etcd", 900), run("etcd", { throughput: 900 }, ["1 operations failed"])];
  const results = figures([...rounds("quorate", 300), ...rounds("zookeeper", 100), ...fast]);
  expect(ratios(results)).toEqual([]);
  expect(missing(results)).toMatchObject([{ reason: "invalid: etcd" }]);
});

test("a peer that took no part in a workload is not waited for", () => {
  const other: Run = { ...run("etcd", { throughput: 1 }, ["errors"]), workload: "other" };
  const runs = [run("quorate", { throughput: 300 }), run("zookeeper", { throughput: 100 }), other];
  expect(ratios(figures(runs))).toMatchObject([{ bestPeer: "zookeeper", ratio: 3 }]);
  expect(missing(figures(runs))).toEqual([]);
});

test("an open loop's latencies are set beside those of peers that sustained its rate", () => {
  const at = (system: string, throughput: number, p99: number): Run =>
    run(system, { throughput, p99, "p99.9": p99 });
  const p99 = (runs: readonly Run[]): readonly [Ratio | undefined, string | undefined] => {
    const results = figures(runs, [OPEN]);
    const isP99 = ({ metric }: { readonly metric: string }): boolean => metric === "p99";
    expect(ratios(results).map(({ metric }) => metric)).toContain("throughput");
    return [ratios(results).find(isP99), missing(results).find(isP99)?.reason];
  };
  const own = at("quorate", 991, 4);
  const [passedOver] = p99([own, at("zookeeper", 989, 1), at("etcd", 1000, 8)]);
  expect(passedOver).toMatchObject({ bestPeer: "etcd", ratio: 2 });
  const behind = at("etcd", 500, 4000);
  expect(p99([own, at("zookeeper", 989, 6000), behind])).toEqual([
    undefined,
    "rate not sustained by any peer",
  ]);
  const kept = at("etcd", 1000, 8);
  expect(p99([at("quorate", 989, 4000), kept])).toEqual([undefined, "rate not sustained: quorate"]);
  // One round in which it was not is enough.
  const [once, why] = p99([own, own, behind, kept]);
  expect([once, why]).toEqual([undefined, "rate not sustained by any peer"]);
});

test("a closed loop tells what its servers answered per CPU second, in all runs that there are", () => {
  const spent = (system: string, throughput: number, serverCpuSeconds: number): Run => {
    const { workload, outcome } = run(system, { throughput, p50: 1 });
    return { workload, system, outcome: { ...outcome, serverCpuSeconds } };
  };
  const runs = [
    spent("quorate", 1000, 10),
    spent("quorate", 1000, 40),
    spent("quorate", 1000, 20),
    spent("etcd", 3000, 30),
  ];
  const results = figures(runs, [CLOSED]);
  const metric = "per server CPU second";
  expect(results.filter((result) => result.metric === metric)).toMatchObject([
    { system: "quorate", rounds: [2000, 500, 1000], median: 1000, unit: "ops/CPU s" },
    { system: "etcd", rounds: [2000], median: 2000 },
  ]);
  expect(ratios(results).find((ratio) => ratio.metric === metric)?.ratio).toBe(0.5);
  expect(figures(runs, [OPEN]).some((result) => result.metric === metric)).toBe(false);
  const elsewhere: Workload = { kind: "gap", id: "w", znodes: 1, bytes: 1, measureMs: 1 };
  expect(figures(runs, [elsewhere]).some((result) => result.metric === metric)).toBe(false);
  const unknown = figures([run("quorate", { throughput: 1 })], [CLOSED]);
  expect(unknown.map((result) => result.metric)).toEqual(["throughput"]);
  const failed = figures([run("quorate", {}, ["gone"])], [CLOSED]);
  expect(failed.map((result) => result.metric)).toEqual(["throughput"]);
});

test("a peer's figure of 0 is the better one where less is better, and is not passed over", () => {
  const beside = (own: number, ...peers: readonly number[]): object | undefined => {
    const metrics = (value: number): Outcome["metrics"] => ({ "longest GC pause": value });
    const [first = Number.NaN, second = Number.NaN] = peers;
    const runs = [
      run("quorate", metrics(own)),
      run("zookeeper", metrics(first)),
      run("etcd", metrics(second)),
    ];
    return ratios(figures(runs))[0];
  };
  expect(beside(8, 4, 0)).toMatchObject({ bestPeer: "etcd", best: 0, ratio: 0 });
  expect(beside(0, 4, 0)).toMatchObject({ bestPeer: "etcd", ratio: 1 });
  // No number tells how many times better 0 is.
  expect(beside(0, 4, 2)).toBeUndefined();
});

test("a run without any figure is shown as invalid, and what has no ratio for it", () => {
  const own = run("quorate", { throughput: 5, p50: 1 });
  const results = figures([own, run("etcd", {}, ["gone"])]);
  const table = formatTable({
    systems: ["quorate", "etcd"],
    results,
    ratios: ratios(results),
    missingRatios: missing(results),
  });
  expect(table).toContain("invalid");
  expect(table).toContain("- w, etcd: gone");
  expect(table).toContain("- w, no ratio of throughput, p50: invalid: etcd\n");
});

test("a stand-in counts only where no other peer was asked for", () => {
  const own = run("quorate", { throughput: 300 });
  const etcd = run("etcd", { throughput: 100 });
  const failed = run("etcd", { throughput: 100 }, ["errors"]);
  const etcd3 = run("etcd3", { throughput: 150 });
  const badEtcd3 = run("etcd3", { throughput: 150 }, ["errors"]);
  const beside = (runs: readonly Run[]): string | undefined => ratios(figures(runs))[0]?.bestPeer;
  expect(beside([own, etcd, etcd3])).toBe("etcd");
  expect(beside([own, etcd, badEtcd3])).toBe("etcd");
  expect(beside([own, etcd3])).toBe("etcd3");
  expect(beside([own, failed, etcd3])).toBeUndefined();
  // It was asked for one that took part elsewhere.
  expect(beside([own, { ...etcd, workload: "other" }, etcd3])).toBeUndefined();
});
