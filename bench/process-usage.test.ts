import { expect, test } from "vitest";
import { cpuSeconds, machineCpuSeconds, residentBytes } from "./process-usage.ts";

const BUSY_MICROSECONDS = 200_000;
/** The kernel counts in ticks of 10 ms, and a process may be in the middle of one at both ends. */
const TICK_SECONDS = 0.01;
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

test("resident memory is that of the process", () => {
  expect(residentBytes(process.pid)).toBeGreaterThan(1 << 20);
});

test("a process that is gone has used nothing", () => {
  expect(cpuSeconds(NO_PROCESS)).toBe(0);
  expect(residentBytes(NO_PROCESS)).toBe(0);
});

test("the machine has used at least what its processes have", () => {
  const machineBefore = machineCpuSeconds();
  const ownBefore = cpuSeconds(process.pid);
  const start = process.cpuUsage();
  while (process.cpuUsage(start).user < BUSY_MICROSECONDS);
  const own = cpuSeconds(process.pid) - ownBefore;
  expect(machineCpuSeconds() - machineBefore).toBeGreaterThanOrEqual(own - 2 * TICK_SECONDS);
});
