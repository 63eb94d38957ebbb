import { DataTree, TREE_LIMITS } from "@quorate/kv-store";
import { zxid } from "@quorate/kv-store/protocol";
import { logIndex, term } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { newDisk, portsOf } from "../../../../tests/support/node-disk.ts";
import { ManualWallClock } from "../memory/manual-wall-clock.ts";
import { foundEnsemble } from "./found-ensemble.ts";

const NOW_MS = Date.UTC(2027, 5, 1);
const HOUR_MS = 3_600_000;

/** The first revision of an ensemble that is founded then on a state of that revision. */
async function foundedOn(before: number, nowMs: number): Promise<number> {
  const ports = { ...portsOf(newDisk()), wallClock: new ManualWallClock(nowMs) };
  const tree = new DataTree(TREE_LIMITS);
  tree.skipTo(zxid(before));
  const founded = await foundEnsemble(ports, {
    directory: "/new",
    member: { name: "solo", peerAddress: "solo:1", clientAddress: "solo:2" },
    fill: () => Promise.resolve({ tree, index: logIndex(before), term: term(3), clusterId: "c" }),
  });
  expect(Number.isSafeInteger(founded.zxid)).toBe(true);
  expect(founded.zxid).toBe(tree.lastZxid);
  return founded.zxid;
}

/** What an ensemble gives out in that time at most, at a million writes a second. */
function revisionsIn(ms: number): number {
  return ms * 1_000;
}

describe("a founded ensemble", () => {
  test("gives out nothing that another one on the same state did", async () => {
    let before = 0;
    for (const hours of [0, 1, 30, 10_000]) {
      const first = await foundedOn(20, NOW_MS + hours * HOUR_MS + 0.5);
      expect(first).toBeGreaterThanOrEqual(before + revisionsIn(HOUR_MS));
      before = first;
    }
  });

  test("gives out nothing that one on a later or an earlier state did", async () => {
    const first = await foundedOn(5_000_000, NOW_MS);
    const written = first + revisionsIn(HOUR_MS / 2);
    const onFirst = await foundedOn(written, NOW_MS + HOUR_MS);
    const onFirstAgain = await foundedOn(written, NOW_MS + 2 * HOUR_MS);
    const onSibling = await foundedOn(20, NOW_MS + 3 * HOUR_MS);
    expect(onFirst).toBeGreaterThanOrEqual(first + revisionsIn(HOUR_MS));
    expect(onFirstAgain).toBeGreaterThanOrEqual(onFirst + revisionsIn(HOUR_MS));
    expect(onSibling).toBeGreaterThanOrEqual(onFirstAgain + revisionsIn(HOUR_MS));
  });

  test.each([
    ["of a machine that lost the time", Date.UTC(1970, 0, 2)],
    ["that is centuries ahead", Date.UTC(2300, 0, 1)],
    ["that is none", Number.NaN],
  ])("does not go by a clock %s", async (_, nowMs) => {
    expect(await foundedOn(20, nowMs)).toBe(1e12 + 20);
  });

  test("is later than its state also where the clock has gone back", async () => {
    const first = await foundedOn(20, NOW_MS);
    expect(await foundedOn(first, NOW_MS - HOUR_MS)).toBe(1e12 + first);
  });

  test("leaves the core room to count for years at the latest clock that it goes by", async () => {
    const last = await foundedOn(20, Date.UTC(2100, 0, 1) - 1);
    expect(2 ** 52 - last).toBeGreaterThan(revisionsIn(10 * 365 * 24 * HOUR_MS));
  });
});
