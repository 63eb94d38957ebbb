import { describe, expect, test } from "vitest";
import { Histogram } from "./histogram.ts";
import { Metrics, type Gauges } from "./metrics.ts";
import { RuntimeMonitor } from "./runtime-monitor.ts";
import { NOTHING_UNDER_WAY } from "./under-way.ts";

const GAUGES: Gauges = {
  term: 3,
  role: "leader",
  hasLeader: true,
  hasLease: false,
  commitIndex: 10,
  appliedIndex: 9,
  zxid: 9,
  sessions: 2,
  znodes: 5,
  treeBytes: 500,
  watches: 1,
  connections: 2,
  ...NOTHING_UNDER_WAY,
  walBytes: 4096,
  diskFreeBytes: 1e9,
  peersConnected: 2,
  logLinesDropped: 0,
};

function valueOf(text: string, name: string, labels = ""): number | undefined {
  for (const line of text.split("\n")) {
    if (line.startsWith(`${name}{`) && line.includes(labels)) return Number(line.split(" ").at(-1));
  }
  return undefined;
}

describe("Metrics", () => {
  test("tells counters and gauges as they are at each scrape, asking the source once", async () => {
    let gauges = GAUGES;
    let asked = 0;
    const metrics = new Metrics({
      node: "a",
      version: "1.2.3",
      runtime: null,
      gauges: () => {
        asked += 1;
        return gauges;
      },
    });
    metrics.counters.proposals += 7;
    const first = await metrics.expose();
    expect(asked).toBe(1);
    expect(valueOf(first, "quorate_proposals_total", 'node="a"')).toBe(7);
    expect(valueOf(first, "quorate_term")).toBe(3);
    expect(valueOf(first, "quorate_role", 'role="leader"')).toBe(1);
    expect(valueOf(first, "quorate_role", 'role="follower"')).toBe(0);
    expect(valueOf(first, "quorate_has_leader")).toBe(1);
    expect(valueOf(first, "quorate_info", 'version="1.2.3"')).toBe(1);
    metrics.counters.proposals += 1;
    gauges = { ...GAUGES, term: 4, role: "follower", hasLeader: false };
    const second = await metrics.expose();
    expect(valueOf(second, "quorate_proposals_total")).toBe(8);
    expect(valueOf(second, "quorate_term")).toBe(4);
    expect(valueOf(second, "quorate_role", 'role="leader"')).toBe(0);
    expect(valueOf(second, "quorate_has_leader")).toBe(0);
  });

  test("servers of one process do not share anything", async () => {
    const options = { version: "1", runtime: null, gauges: () => GAUGES };
    const one = new Metrics({ ...options, node: "one" });
    const two = new Metrics({ ...options, node: "two" });
    one.counters.reads += 5;
    one.walWriteMs.observe(1);
    const text = await two.expose();
    expect(valueOf(text, "quorate_reads_total")).toBe(0);
    expect(valueOf(text, "quorate_wal_write_seconds_count")).toBe(0);
    expect(text).not.toContain('node="one"');
  });

  test("every line is of the exposition format and every series is told once", async () => {
    using monitor = new RuntimeMonitor();
    const metrics = new Metrics({
      node: 'we"ird\\\n',
      version: "1",
      gauges: () => GAUGES,
      runtime: () => monitor.sample(),
    });
    metrics.commitMs.observe(3);
    const text = await metrics.expose();
    const seen = new Set<string>();
    for (const line of text.trimEnd().split("\n")) {
      if (line.startsWith("#") || line === "") continue;
      const match = /^([a-z0-9_]+\{(?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*\}) (\S+)$/.exec(line);
      expect(match, line).not.toBeNull();
      expect(Number.isNaN(Number(match![2])), line).toBe(false);
      expect(seen.has(match![1]!), line).toBe(false);
      seen.add(match![1]!);
    }
    expect(seen.size).toBeGreaterThan(60);
    expect(valueOf(text, "quorate_resident_bytes")).toBeGreaterThan(1e6);
  });
});

describe("Histogram", () => {
  const create = (): Histogram =>
    new Histogram({ name: "h", help: "H", bounds: [1, 2.5, 10], scale: 0.001, labels: 'node="a"' });

  test("buckets are cumulative, bounds are inclusive, values are scaled", () => {
    const histogram = create();
    for (const value of [0, 1, 1.5, 2.5, 10, 11]) histogram.observe(value);
    expect(histogram.expose()).toBe(
      [
        "# HELP h H",
        "# TYPE h histogram",
        'h_bucket{le="0.001",node="a"} 2',
        'h_bucket{le="0.0025",node="a"} 4',
        'h_bucket{le="0.01",node="a"} 5',
        'h_bucket{le="+Inf",node="a"} 6',
        'h_sum{node="a"} 0.026',
        'h_count{node="a"} 6',
        "",
      ].join("\n"),
    );
  });

  test("tells quantiles by bucket", () => {
    const histogram = create();
    expect(histogram.quantile(0.5)).toBe(0);
    for (const value of [0.5, 2, 2, 20]) histogram.observe(value);
    expect(histogram.quantile(0.5)).toBe(2.5);
    expect(histogram.quantile(0.25)).toBe(1);
    expect(histogram.quantile(1)).toBe(Number.POSITIVE_INFINITY);
  });
});
