import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../packages/server/src/memory/seeded-random.ts";
import type { Delivery } from "../../packages/server/src/transport/memory-transport.ts";
import { drawLinks } from "./ensemble/link-draw.ts";
import { LinkMoods } from "./ensemble/link-moods.ts";
import { drawProfile, type Fault, type Profile } from "./ensemble/profile.ts";
import { simulate, type RunResult } from "./ensemble/simulation.ts";
import { Totals } from "./ensemble/totals.ts";

const FIVE = ["n1", "n2", "n3", "n4", "n5"];
const THREE = FIVE.slice(0, 3);

/** Whom each of the nodes still hears from, itself included, in every draw of 20. */
function heard(fault: Fault, peers: readonly string[]): readonly (readonly string[])[] {
  const random = new SeededRandom(1);
  return Array.from({ length: 20 }, () => {
    const links = drawLinks(fault, { node: "n2", peers, clients: ["c1", "c2"] }, random);
    return peers.map((to) =>
      peers.filter((from) => !links.some(([a, b]) => a === from && b === to)).join(" "),
    );
  });
}

describe("faults of links", () => {
  test("a ring leaves everybody a majority, and no two the same", () => {
    for (const sets of heard("ring", FIVE)) {
      expect(sets.map((set) => set.split(" ").length)).toEqual([3, 3, 3, 3, 3]);
      expect(new Set(sets).size).toBe(5);
    }
    for (const sets of heard("ring", THREE)) {
      expect(sets.map((set) => set.split(" ").length)).toEqual([2, 2, 2]);
    }
  });

  test("a bridge reaches everybody from between two halves", () => {
    for (const sets of heard("bridge", FIVE)) {
      expect(sets[1]).toBe(FIVE.join(" "));
      expect(sets.map((set) => set.split(" ").length)).toEqual([3, 5, 3, 3, 3]);
    }
    for (const sets of heard("bridge", THREE)) {
      expect(sets).toEqual(["n1 n2", "n1 n2 n3", "n2 n3"]);
    }
  });

  test("one who is isolated hears itself only, and the others each other", () => {
    for (const sets of heard("isolate", THREE)) expect(sets).toEqual(["n1 n3", "n2", "n1 n3"]);
  });

  test("a frame torn in the middle is torn once", () => {
    const moods = new LinkMoods();
    moods.tear([["a", "b"]]);
    expect(moods.takeTorn(delivery("a", "b", { kind: "close" }))).toBe(false);
    expect(moods.takeTorn(delivery("b", "a"))).toBe(false);
    expect(moods.takeTorn(delivery("a", "b"))).toBe(true);
    expect(moods.takeTorn(delivery("a", "b"))).toBe(false);
  });

  test("slowness adds up, a spike lets every other connection pass, and a congested link takes one at a time", () => {
    const moods = new LinkMoods();
    const [slow, spike, narrow] = [{}, {}, {}];
    moods.slow(slow, [["a", "b"]], 10);
    moods.spike(spike, [["a", "b"]], 100);
    expect(moods.delayMs(delivery("a", "b", { connection: 1 }), 0)).toBe(10);
    expect(moods.delayMs(delivery("a", "b", { connection: 2 }), 0)).toBe(110);
    expect(moods.delayMs(delivery("b", "a", { connection: 2 }), 0)).toBe(0);
    moods.heal(slow);
    moods.heal(spike);
    moods.congest(narrow, [["a", "b"]], 1_000);
    const frame = delivery("a", "b", { bytes: 50 });
    expect([0, 0, 200].map((nowMs) => moods.delayMs(frame, nowMs))).toEqual([50, 100, 50]);
    moods.heal(narrow);
    expect(moods.delayMs(frame, 200)).toBe(0);
  });
});

describe("faults of disks", () => {
  test("a blackout takes back what no disk had, and nothing that was answered", async () => {
    const works = ["sequence"] as const;
    const profile = { ...drawProfile(1), nodes: 3, spares: 0, clients: 5, ...restless(50), works };
    const downtimes = ["n1", "n2", "n3"].map((node) => ({ node, downMs: 500 }));
    const blackout = { fault: "blackout", forMs: 200, downtimes } as const;
    const times = [2_000, 4_000, 6_000, 8_000];
    const { faults, sectorsLost } = await simulate(
      { ...profile, durationMs: 10_000 },
      null,
      times.map((atMs) => ({ ...blackout, atMs })),
    );
    expect(faults.get("blackout")).toBe(4);
    expect(sectorsLost).toBeGreaterThan(2);
  });

  test("full disks refuse what would grow, and everything goes on once they have room", async () => {
    const drawn = drawProfile(1, "corruption");
    const works = ["sequence"] as const;
    const profile = {
      ...drawn,
      spares: 0,
      clients: 3,
      ...restless(100),
      durationMs: 10_000,
      works,
    };
    const full = ["n1", "n2", "n3"].map(
      (node) => ({ atMs: 1_000, fault: "fullDisk", node, spareBytes: 0, forMs: 8_000 }) as const,
    );
    const [free, refused] = [
      await simulate(profile, null, []),
      await simulate(profile, null, full),
    ];
    expect(refused.faults.get("fullDisk")).toBe(3);
    expect(refused.operations).toBeGreaterThan(10);
    expect(refused.operations / free.operations).toBeLessThan(0.6);
  });
});

describe("what rots while a node runs", () => {
  test("is found, and made good: a log by the peers, an image by the node itself", async () => {
    const drawn = drawProfile(1, "corruption");
    const works = ["sequence"] as const;
    const profile = { ...drawn, nodes: 3, spares: 0, clients: 3, works, durationMs: 20_000 };
    const quick = { ...profile, ...restless(100), scrubMs: 1_000, checkpointBytes: 2_000 };
    const rot = { fault: "rot", place: { record: 0.5, offset: 0.1, bit: 3 } } as const;
    const told: string[] = [];
    const { faults } = await simulate(quick, (line) => told.push(line), [
      { ...rot, atMs: 5_000, node: "n1", isImage: false },
      { ...rot, atMs: 15_000, node: "n2", isImage: true },
    ]);
    const lines = untilHealed(told);
    expect(faults.get("rot")).toBe(2);
    expect(lines.filter((line) => / n1 +ends: ServerError: LOG_CORRUPT/.test(line))).toHaveLength(
      1,
    );
    expect(lines.filter((line) => / n2 .*the image is whole again/.test(line))).toHaveLength(1);
    expect(lines.filter((line) => / n2 +ends/.test(line))).toEqual([]);
  });
});

describe("a sector that a disk does not give back", () => {
  test("costs a node its log, and nothing where it is in one copy of the identity", async () => {
    const drawn = drawProfile(1, "corruption");
    const works = ["sequence"] as const;
    const profile = { ...drawn, nodes: 3, spares: 0, clients: 3, works, durationMs: 20_000 };
    const quick = { ...profile, ...restless(100), scrubMs: 0 };
    const bad = { fault: "badSector", downMs: 100 } as const;
    const lines: string[] = [];
    const { faults } = await simulate(quick, (line) => lines.push(line), [
      { ...bad, atMs: 5_000, node: "n1", place: { record: 0.99, offset: 0.9, bit: 0 } },
      { ...bad, atMs: 15_000, node: "n2", place: { record: 0, offset: 0.2, bit: 0 } },
    ]);
    expect(faults.get("badSector")).toBe(2);
    const told = (node: string, text: string): number =>
      untilHealed(lines).filter((line) => line.includes(` ${node} `) && line.includes(text)).length;
    expect(told("n1", "its disk does not give /data/log/")).toBe(1);
    expect(told("n1", "EIO")).toBeGreaterThan(0);
    expect(told("n1", "set aside")).toBe(1);
    expect(told("n2", "its disk does not give /data/identity back at 6")).toBe(1);
    expect(told("n2", "EIO")).toBe(0);
    expect(told("n2", "set aside")).toBe(0);
  });
});

describe("a step of the files of a node", () => {
  test("is its last one, as it runs or as it starts, and counts where it came", async () => {
    const drawn = drawProfile(1, "corruption");
    const works = ["sequence"] as const;
    const profile = { ...drawn, nodes: 3, spares: 0, clients: 3, works, durationMs: 20_000 };
    const quick = { ...profile, ...restless(100), readMs: 0.1, scrubMs: 0, segmentBytes: 8_192 };
    const place = { record: 0.5, offset: 0.5, bit: 3 };
    const crash = {
      fault: "stepCrash",
      downMs: 100,
      withMachine: true,
      withinMs: 2_000,
      place,
    } as const;
    const step = { operation: "write", nth: 3, isBefore: false } as const;
    const lines: string[] = [];
    const { faults } = await simulate(quick, (line) => lines.push(line), [
      { ...crash, atMs: 3_000, node: "n1", from: "now", step },
      {
        ...crash,
        atMs: 6_000,
        node: "n1",
        from: "now",
        step: { ...step, operation: "space", nth: 99 },
      },
      { ...crash, atMs: 9_000, node: "n2", from: "kill", step: { ...step, operation: "any" } },
      {
        ...crash,
        atMs: 12_000,
        node: "n3",
        from: "damage",
        step: { ...step, operation: "rename", nth: 1 },
      },
    ]);
    expect(faults.get("stepCrash")).toBe(3);
    const told = lines.map((line) => line.trim().split(/ +/).slice(1).join(" "));
    const deaths = told.filter((text) => text.endsWith("of its files"));
    expect(deaths).toEqual([
      "n1 comes from write 3 of its files",
      "n2 comes from any 3 of its files",
      "n3 comes from rename 1 of its files",
    ]);
    expect(told.filter((text) => /^n3 .*set aside/.test(text))).toHaveLength(1);
  });
});

describe("what many runs did", () => {
  test("counts hours under load only, and tells what happened too seldom", () => {
    const totals = new Totals();
    const profile = { ...drawProfile(1, "members"), faults: ["crash", "wipe"] as const };
    for (let run = 0; run < 10; run += 1) {
      totals.add(profile, result({ operations: run < 5 ? 30 * 3_600 : 29 * 3_600 }));
    }
    expect(totals.countedHours).toBe(5);
    expect(totals.missing).toEqual(["members wipe 0 (at least 2)"]);
    expect(totals.lines({ user: 1e6, system: 0 }).join("\n")).toContain(
      "5.00 of 10.00 hours count",
    );
  });
});

/** Clients that pause for so long whatever their pace is. */
function restless(thinkMs: number): Pick<Profile, "thinkMs" | "callsPerSecond"> {
  return { thinkMs, callsPerSecond: 0 };
}

function delivery(from: string, to: string, changes: Partial<Delivery> = {}): Delivery {
  return { from, to, connection: 1, kind: "frame", bytes: 1, deliver: () => {}, ...changes };
}

function result(changes: Partial<RunResult>): RunResult {
  return {
    seed: 1,
    simulatedMs: 3_700_000,
    loadedMs: 3_600_000,
    events: 1,
    operations: 1,
    increments: 1,
    watched: 1,
    backups: 3,
    coreEvents: 1,
    faults: new Map<Fault, number>([["crash", 1]]),
    happened: [],
    sectorsLost: 0,
    strikes: { together: 0, whileDown: 0 },
    traceHash: "",
    ...changes,
  };
}

/** Without what is asked of an ensemble once its faults are over. */
function untilHealed(lines: readonly string[]): readonly string[] {
  return lines.slice(
    0,
    lines.findIndex((line) => line.includes("everything is healed")),
  );
}
