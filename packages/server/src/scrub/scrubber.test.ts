import { describe, expect, test } from "vitest";
import { ServerError } from "../errors.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import { SeededRandom } from "../memory/seeded-random.ts";
import { createMemoryLogger } from "../observe/logger.ts";
import { Scrubber } from "./scrubber.ts";
import type { Consume } from "./throttle.ts";

const INTERVAL_MS = 1_000_000;

function setUp(scrub: (consume: Consume) => Promise<void>, intervalMs = INTERVAL_MS) {
  const clock = new ManualClock();
  const logger = createMemoryLogger();
  const counters = { scrubs: 0, scrubbedBytes: 0 };
  const damages: ServerError[] = [];
  const scrubber = new Scrubber({
    clock,
    random: new SeededRandom(1),
    intervalMs,
    scrub,
    metrics: { counters },
    logger,
    onDamage: (error) => damages.push(error),
  });
  scrubber.start();
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  return { clock, logger, counters, damages, scrubber, pass };
}

describe("looking for damage", () => {
  test("begins after half an interval at the earliest, and comes again and again", async () => {
    const { pass, counters, scrubber } = setUp((consume) => consume(10));
    await pass(INTERVAL_MS / 2 - 1);
    expect(counters.scrubs).toBe(0);
    await pass(INTERVAL_MS / 2 + 1);
    expect(counters).toEqual({ scrubs: 1, scrubbedBytes: 10 });
    await pass(INTERVAL_MS);
    expect(counters).toEqual({ scrubs: 2, scrubbedBytes: 20 });
    await scrubber.stop();
    await pass(5 * INTERVAL_MS);
    expect(counters.scrubs).toBe(2);
  });

  test("never, with an interval of 0", async () => {
    const { clock } = setUp(() => Promise.reject(new Error("looked")), 0);
    expect(clock.nextDueMs()).toBeNull();
  });

  test("at once when it is asked for, and then not again for a while", async () => {
    const { pass, counters, scrubber } = setUp((consume) => consume(10), 10 * INTERVAL_MS);
    scrubber.lookNow();
    scrubber.lookNow();
    await pass(0);
    expect(counters.scrubs).toBe(1);
    await pass(599_999);
    scrubber.lookNow();
    await pass(0);
    expect(counters.scrubs).toBe(1);
    await pass(1);
    scrubber.lookNow();
    await pass(0);
    expect(counters.scrubs).toBe(2);
    await pass(15 * INTERVAL_MS);
    expect(counters.scrubs).toBe(3);
  });

  test("takes its time: 8 MiB a second", async () => {
    const MIB = 1_048_576;
    const { pass, counters, scrubber, clock } = setUp(async (consume) => {
      for (let at = 0; at < 16; at += 1) await consume(MIB);
    });
    clock.advance(clock.nextDueMs() ?? 0);
    for (let tick = 0; tick < 199; tick += 1) await pass(10);
    expect(counters.scrubs).toBe(0);
    // Each of the sixteen pauses ends with the first step behind it.
    for (let tick = 0; tick < 16; tick += 1) await pass(10);
    expect(counters).toEqual({ scrubs: 1, scrubbedBytes: 16 * MIB });
    await scrubber.stop();
  });

  test("ends with the node, also in a pause", async () => {
    const { pass, clock, scrubber, logger, damages } = setUp((consume) => consume(1_000_000_000));
    await pass(INTERVAL_MS);
    await scrubber.stop();
    expect(clock.nextDueMs()).toBeNull();
    expect(damages).toEqual([]);
    expect(logger.lines).toEqual([]);
  });

  test.each(["LOG_CORRUPT", "IMAGE_CORRUPT"] as const)(
    "tells of %s and looks no further",
    async (code) => {
      const damage = new ServerError(code, "a flipped bit");
      const { pass, damages, counters, clock } = setUp(() => Promise.reject(damage));
      await pass(INTERVAL_MS);
      expect(damages).toEqual([damage]);
      expect(counters.scrubs).toBe(0);
      expect(clock.nextDueMs()).toBeNull();
    },
  );

  test("says so when it is kept from reading, and tries again", async () => {
    const failure = new ServerError("STORAGE_FAILED", "open log-1.wal: EMFILE");
    const { pass, logger, damages, clock } = setUp(() => Promise.reject(failure));
    await pass(INTERVAL_MS);
    expect(damages).toEqual([]);
    expect(logger.lines).toMatchObject([{ level: "warn" }]);
    expect(clock.nextDueMs()).not.toBeNull();
  });
});
