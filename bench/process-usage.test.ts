import { expect, test } from "vitest";
import {
  anonymousBytes,
  cpuSeconds,
  machineCpuSeconds,
  parseAnonymousBytes,
} from "./process-usage.ts";

const BUSY_MICROSECONDS = 200_000;
/** The kernel counts in ticks of 10 ms, and a process may be in the middle of one at both ends. */
const TICK_SECONDS = 0.01;
const HELD_BYTES = 32 << 20;
/** Of the runtime's own program, of which far more is in use. */
const MAPPED_BYTES_MIN = 1 << 20;
const NO_PROCESS = 2 ** 22 + 1;

test("CPU seconds grow by what a process computed", () => {
  const before = cpuSeconds(process.pid);
  const start = process.cpuUsage();
  let used = 0;
  while (used < BUSY_MICROSECONDS) {
    const { user, system } = process.cpuUsage(start);
    used = user + system;
  }
  const grown = cpuSeconds(process.pid) - before;
  expect(grown).toBeGreaterThanOrEqual(BUSY_MICROSECONDS / 1e6 - 2 * TICK_SECONDS);
});

/** As the kernel writes it, of a process that has mapped a file of 400 MB. */
const STATUS = `Name:	RssAnon: 7 kB
VmHWM:	  520000 kB
VmRSS:	  510000 kB
RssAnon:	  100000 kB
RssFile:	  400000 kB
RssShmem:	   10000 kB
VmData:	  900000 kB
`;

test("memory is what is resident and no file's", () => {
  expect(parseAnonymousBytes(STATUS)).toBe(110_000 * 1024);
});

test("memory is that of the process, without the program that it maps", () => {
  const held = Buffer.alloc(HELD_BYTES, 1);
  const bytes = anonymousBytes(process.pid);
  expect(bytes).toBeGreaterThan(held.length);
  expect(bytes).toBeLessThan(process.memoryUsage.rss() - MAPPED_BYTES_MIN);
});

test("a process that is gone has used nothing", () => {
  expect(cpuSeconds(NO_PROCESS)).toBe(0);
  expect(anonymousBytes(NO_PROCESS)).toBe(0);
});

test("the machine has used at least what its processes have", () => {
  const machineBefore = machineCpuSeconds();
  const ownBefore = cpuSeconds(process.pid);
  const start = process.cpuUsage();
  while (process.cpuUsage(start).user < BUSY_MICROSECONDS);
  const own = cpuSeconds(process.pid) - ownBefore;
  expect(machineCpuSeconds() - machineBefore).toBeGreaterThanOrEqual(own - 2 * TICK_SECONDS);
});
