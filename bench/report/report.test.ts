import { expect, test } from "vitest";
import { NOTHING, type Outcome } from "../run/outcome.ts";
import { ratiosOf, summarize, type Run } from "./report.ts";
import { formatTable } from "./table.ts";

function run(system: string, metrics: Outcome["metrics"], problems: readonly string[] = []): Run {
  return { workload: "w", system, outcome: { ...NOTHING, metrics, problems } };
}

test("a figure is the median of its rounds, with their range", () => {
  const runs = [10, 30, 20].map((throughput) => run("quorate", { throughput }));
  expect(summarize(runs)).toMatchObject([
    { metric: "throughput", median: 20, min: 10, max: 30, rounds: [10, 30, 20], valid: true },
  ]);
});

test("one invalid round makes a figure invalid and says why", () => {
  const runs = [run("quorate", { throughput: 1 }), run("quorate", { throughput: 2 }, ["why"])];
  expect(summarize(runs)).toMatchObject([{ valid: false, note: "why", median: 1.5 }]);
});

test("a ratio is taken to the better peer, and more than 1 is better for the subject whatever the metric", () => {
  const results = summarize([
    run("quorate", { throughput: 300, p50: 2 }),
    run("zookeeper", { throughput: 100, p50: 3 }),
    run("etcd", { throughput: 150, p50: 8 }),
  ]);
  expect(ratiosOf(results, "quorate")).toEqual([
    { workload: "w", metric: "throughput", quorate: 300, best: 150, bestPeer: "etcd", ratio: 2 },
    { workload: "w", metric: "p50", quorate: 2, best: 3, bestPeer: "zookeeper", ratio: 1.5 },
  ]);
});

test("the ratio passes over a peer whose run was invalid, and is none when the subject's was", () => {
  const own = run("quorate", { throughput: 300 });
  const etcd = run("etcd", { throughput: 100 });
  const bad = run("zookeeper", { throughput: 900 }, ["errors"]);
  expect(ratiosOf(summarize([own, etcd, bad]), "quorate")).toMatchObject([{ bestPeer: "etcd" }]);
  const invalid = run("quorate", { throughput: 300 }, ["errors"]);
  expect(ratiosOf(summarize([invalid, etcd]), "quorate")).toEqual([]);
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
    return ratiosOf(summarize(runs), "quorate")[0];
  };
  expect(beside(8, 4, 0)).toMatchObject({ bestPeer: "etcd", best: 0, ratio: 0 });
  expect(beside(0, 4, 0)).toMatchObject({ bestPeer: "etcd", ratio: 1 });
  // No number tells how many times better 0 is.
  expect(beside(0, 4, 2)).toBeUndefined();
});

test("a run without any figure is shown as invalid", () => {
  const results = summarize([run("quorate", { throughput: 5 }), run("etcd", {}, ["gone"])]);
  const table = formatTable(["quorate", "etcd"], results, ratiosOf(results, "quorate"));
  expect(table).toContain("invalid");
  expect(table).toContain("- w, etcd: gone");
});

test("a stand-in counts only where the system it stands in for does not", () => {
  const own = run("quorate", { throughput: 300 });
  const etcd = run("etcd", { throughput: 100 });
  const failed = run("etcd", { throughput: 100 }, ["errors"]);
  const etcd3 = run("etcd3", { throughput: 150 });
  const standIns = { etcd3: "etcd" };
  const beside = (runs: readonly Run[]): string | undefined =>
    ratiosOf(summarize(runs), "quorate", standIns)[0]?.bestPeer;
  expect(beside([own, etcd, etcd3])).toBe("etcd");
  expect(beside([own, etcd3])).toBe("etcd3");
  expect(beside([own, failed, etcd3])).toBe("etcd3");
});
