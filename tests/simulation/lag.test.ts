import { describe, expect, test } from "vitest";
import { Lag } from "./ensemble/lag.ts";

describe("how long who follows may lag behind", () => {
  test("is counted from the first answer that says otherwise, however long that took", () => {
    const lag = new Lag(5_000);
    expect(lag.isTooLong(55_000, 885, null)).toBe(false);
    expect(lag.isTooLong(60_000, 885, null)).toBe(false);
    expect(lag.isTooLong(60_001, 885, null)).toBe(true);
  });

  test("begins anew where either is another one, or both have been the same", () => {
    const lag = new Lag(5_000);
    expect(lag.isTooLong(0, 885, 1118)).toBe(false);
    expect(lag.isTooLong(5_001, 885, null)).toBe(false);
    expect(lag.isTooLong(10_002, 1118, null)).toBe(false);
    expect(lag.isTooLong(15_003, null, null)).toBe(false);
    expect(lag.isTooLong(15_004, 1118, null)).toBe(false);
    expect(lag.isTooLong(20_005, 1118, null)).toBe(true);
  });
});
