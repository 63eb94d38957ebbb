import { replayTrace } from "@quorate/server";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { drawProfile, type Kind } from "./ensemble/profile.ts";
import { simulate } from "./ensemble/simulation.ts";

const SHORT_MS = 6_000;

describe("the cores of a simulated run", () => {
  test("leave traces that other cores do again, and that changes nothing", async () => {
    const traces = mkdtempSync(join(tmpdir(), "quorate-"));
    onTestFinished(() => rmSync(traces, { recursive: true }));
    const faults = ["crash", "restart"] as const;
    const profile = { ...drawProfile(4), durationMs: SHORT_MS, faultEveryMs: 500, faults };
    const unheard = await simulate(profile);
    const heard = await simulate(profile, null, null, traces);
    expect(heard).toEqual(unheard);
    const files = readdirSync(traces);
    expect(files.length).toBeGreaterThan(profile.nodes);
    const ends = new Set<string>();
    let events = 0;
    for (const file of files) {
      const bytes = readFileSync(join(traces, file));
      const summary = await replayTrace([bytes]);
      expect([file, summary]).toMatchObject([file, { divergence: null, broken: null }]);
      ends.add(summary.end);
      events += summary.events;
      const torn = await replayTrace([bytes.subarray(0, bytes.length - 5)]);
      expect([file, torn]).toMatchObject([file, { divergence: null, broken: null, end: "torn" }]);
    }
    expect(events).toBe(heard.coreEvents);
    expect(ends).toContain("cut");
  }, 120_000);

  test.each<readonly [number, Kind | null]>([
    [11, null],
    [12, "members"],
    [13, "hunter"],
    [14, "network"],
  ])(
    "of seed %i, profile %s, do what the specification allows",
    async (seed, kind) => {
      const profile = { ...drawProfile(seed, kind), durationMs: SHORT_MS };
      const { coreEvents } = await simulate(profile);
      expect(coreEvents).toBeGreaterThan(1_000);
    },
    120_000,
  );
});
