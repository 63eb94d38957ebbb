import { expect, test } from "vitest";
import { missingRatiosOf, ratiosOf } from "../report/ratios.ts";
import { summarize, type Report, type Run } from "../report/report.ts";
import { NOTHING, type Outcome } from "../run/outcome.ts";
import { WORKLOADS } from "../workloads.ts";
import { drawChart } from "./chart.ts";

function run(
  [workload, system]: readonly [string, string],
  metrics: Outcome["metrics"],
  problems: readonly string[] = [],
): Run {
  return { workload, system, outcome: { ...NOTHING, metrics, problems, serverCpuSeconds: 10 } };
}

function reportOf(runs: readonly Run[]): Report {
  const results = summarize(runs, { workloads: WORKLOADS, measureMs: 20_000 });
  const comparison = { results, subject: "quorate" };
  return {
    machine: {
      cpu: 'A <b> & "c"',
      cores: 2,
      memoryBytes: 2 ** 33,
      kernel: "6",
      fileSystemType: "0x1",
      loadAverage: 0,
    },
    commit: "c0ffee",
    versions: { quorate: "1 & 2" },
    settings: {
      warmUpMs: 1,
      measureMs: 2,
      repetitionsMax: 1,
      rounds: 3,
      sessionTimeoutMs: 1,
      systems: [],
    },
    results,
    ratios: ratiosOf(comparison),
    missingRatios: missingRatiosOf(comparison),
    runs: [],
  };
}

const RUNS = [
  run(["set-1x1", "quorate"], { throughput: 3000, p50: 1 }),
  run(["set-1x1", "zookeeper"], { throughput: 1500, p50: 2 }),
  run(["set-1x1", "etcd"], { throughput: 750, p50: 2 }, ["errors"]),
  run(["open-500", "quorate"], { throughput: 500, p50: 1, p99: 2, "p99.9": 3 }),
  run(["open-500", "zookeeper"], { throughput: 500, p50: 1, p99: 8, "p99.9": 9 }),
  run(["open-500", "etcd"], {}, ["gone"]),
];

const VOID = /^<(\w+)((?: [\w-]+="[^"<]*")*)\/>/;
const OPEN = /^<(\w+)((?: [\w-]+="[^"<]*")*)>/;
const CLOSE = /^<\/(\w+)>/;
const CONTENT = /^(?:[^<&]|&(?:amp|lt|gt|quot);)+/;

/** The part of XML that is written here: elements that nest, quoted attributes, escaped text. */
function expectWellFormed(xml: string): void {
  const open: string[] = [];
  for (let rest = xml.trim(); rest !== "";) {
    const [found, name] =
      VOID.exec(rest) ?? OPEN.exec(rest) ?? CLOSE.exec(rest) ?? CONTENT.exec(rest) ?? [];
    if (found === undefined) throw new Error(`not well formed at ${rest.slice(0, 80)}`);
    if (CLOSE.test(found)) expect(open.pop()).toBe(name);
    else if (!VOID.test(found) && name !== undefined) open.push(name);
    rest = rest.slice(found.length);
    if (open.length === 0) expect(rest).toBe("");
  }
  expect(open).toEqual([]);
}

function widths(svg: string, system: string): readonly number[] {
  const bars = svg.matchAll(/<rect x="240" [^>]*width="([\d.]+)"[^>]*fill="var\(--(\w+)\)"/g);
  return [...bars].flatMap(([, width, name]) => (name === system ? [Number(width)] : []));
}

test("a chart is well-formed XML, whatever the machine is called", () => {
  const svg = drawChart(reportOf(RUNS));
  expectWellFormed(svg);
  expect(svg).toContain("A &lt;b&gt; &amp; &quot;c&quot;");
  expect(() => expectWellFormed("<a><b></a></b>")).toThrow();
  expect(() => expectWellFormed("<a>1 & 2</a>")).toThrow("not well formed");
});

test("bars of a group are as long as their figures are large, and the largest fills the space", () => {
  const svg = drawChart(reportOf(RUNS));
  expect(widths(svg, "quorate")).toEqual([400, 100]);
  expect(widths(svg, "zookeeper")).toEqual([200, 400]);
  expect(widths(svg, "etcd")).toEqual([100]);
});

test("an open loop is shown by its latency, which had better be short, and ratios stand beside", () => {
  const svg = drawChart(reportOf(RUNS.filter(({ system }) => system !== "etcd")));
  expect(svg).toContain(">p99, ms<");
  expect(svg.match(/shorter is better/g)).toHaveLength(1);
  expect(svg.match(/longer is better/g)).toHaveLength(1);
  expect(svg).toContain(">2.00 ×<");
  expect(svg).toContain(">4.00 ×<");
  expect(drawChart(reportOf(RUNS))).not.toContain("0 ×<");
});

test("throughput stands for a closed loop, whatever else is told of it", () => {
  const report = reportOf(RUNS);
  expect(report.results.map(({ metric }) => metric)).toContain("per server CPU second");
  const svg = drawChart(report);
  expect(svg).toContain(">throughput, ops/s<");
  expect(svg).not.toContain("CPU second");
});

test("what is invalid is hollow and says so, and what has no figure has no bar", () => {
  const svg = drawChart(reportOf(RUNS));
  expect(svg).toMatch(/fill="var\(--etcd\)" class="invalid"/);
  expect(svg).toContain(">750 invalid<");
  expect(svg).toContain("invalid: no figure");
  expect(svg.match(/class="invalid"/g)).toHaveLength(1);
});

test("the range of the rounds is a line beside the bar's end", () => {
  const rounds = [1000, 2000, 4000].map((throughput) =>
    run(["set-1x1", "quorate"], { throughput, p50: 1 }),
  );
  const svg = drawChart(reportOf(rounds));
  expect(widths(svg, "quorate")).toEqual([200]);
  expect(svg).toMatch(/<line x1="340" x2="640" [^>]*class="range"/);
});

test("a report as it comes out of its file, where JSON knows no NaN, is drawn too", () => {
  const report = JSON.parse(JSON.stringify(reportOf(RUNS))) as Report;
  expect(drawChart(report)).toBe(drawChart(reportOf(RUNS)));
});
