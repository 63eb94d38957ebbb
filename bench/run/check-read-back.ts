import type { DriverProcess } from "../driver-process.ts";
import type { ValueMark } from "../protocol.ts";
import { compareReadBack, filledMarks, newestOf } from "../read-back.ts";
import { connectDrivers } from "./load-drivers.ts";
import type { Stage } from "./run-context.ts";

/** Paths asked for in one order: what a driver answers in one line stays within bounds. */
const READ_AT_ONCE = 50_000;

/** What one driver filled in before a run. */
export interface Filled {
  readonly from: number;
  readonly to: number;
  readonly crcs: readonly number[];
}

/** Last acknowledged value of every path that was filled in or written. */
export async function acknowledgedValues(
  drivers: readonly DriverProcess[],
  filled: readonly Filled[],
): Promise<readonly ValueMark[]> {
  const lists = await Promise.all(drivers.map((driver) => driver.ask({ command: "acknowledged" })));
  return newestOf([
    ...filled.map((range) => filledMarks(range, range.crcs)),
    ...lists.map(({ values }) => values),
  ]);
}

/** Kills drivers and servers with SIGKILL, starts the servers again and returns a driver that can ask them. */
export async function restartAll(
  { ensemble, startDriver }: Stage,
  drivers: readonly DriverProcess[],
): Promise<DriverProcess> {
  await ensemble.kill();
  await Promise.all(drivers.map((driver) => driver.kill()));
  await ensemble.restartKilled();
  const reader = startDriver();
  await connectDrivers([reader], ensemble.servers, ensemble.servers.length);
  return reader;
}

/** What is wrong with the values of a directory, or null: each has to be as it was acknowledged. */
export async function checkValues(
  reader: DriverProcess,
  directory: string,
  acknowledged: readonly ValueMark[],
): Promise<string | null> {
  const found: ValueMark[] = [];
  for (let at = 0; at < acknowledged.length; at += READ_AT_ONCE) {
    const indexes = acknowledged.slice(at, at + READ_AT_ONCE).map(([index]) => index);
    const { values } = await reader.ask({ command: "read", directory, indexes });
    for (const mark of values) found.push(mark);
  }
  return compareReadBack(acknowledged, found);
}
