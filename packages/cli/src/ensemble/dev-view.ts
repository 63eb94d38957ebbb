import { stripVTControlCharacters, styleText } from "node:util";
import { formatTable } from "../format/table.ts";
import type { NodeReading } from "./local-ensemble.ts";
import { findLeader } from "./node-status.ts";
import { describeServerExit } from "./server-exit.ts";

/** All nodes at one moment; `atMs` is monotonic. */
export interface Snapshot {
  readonly atMs: number;
  readonly readings: readonly NodeReading[];
  /** Names of the nodes that have ever answered. */
  readonly answered: ReadonlySet<string>;
}

const HEAD = ["node", "address", "role", "term", "zxid", "sessions", "writes/s", "state"];

/** The table of the live view. `before` gives the rates; null at the beginning. */
export function viewText(now: Snapshot, before: Snapshot | null): string {
  const rows = now.readings.map((reading) => rowOf(reading, now, before));
  return formatTable(HEAD, rows);
}

/** What happened between two moments, one line each: for logs, where nobody watches a table. */
export function changeLines(now: Snapshot, before: Snapshot | null): readonly string[] {
  const lines: string[] = [];
  for (const reading of now.readings) {
    const { name, exit, status } = reading;
    const earlier = before?.readings.find((other) => other.name === name);
    if (exit !== null) {
      if (earlier === undefined || earlier.exit === null) {
        lines.push(`node ${name} ended: ${describeServerExit(exit)}; it is not started again`);
      }
    } else if (earlier !== undefined && before?.answered.has(name) === true) {
      if (status === null && earlier.status !== null) lines.push(`node ${name} does not answer`);
      if (status !== null && earlier.status === null) lines.push(`node ${name} answers`);
    }
  }
  const leader = leaderOf(now);
  const leaderBefore = before === null ? null : leaderOf(before);
  if (leader !== leaderBefore) lines.push(leader === null ? "no leader" : leader);
  return lines;
}

/** How many rows of a terminal a text takes, each of its lines ended and long ones wrapped. */
export function rowsOf(text: string, columns: number): number {
  let rows = 0;
  for (const line of text.split("\n").slice(0, -1)) {
    rows += Math.max(1, Math.ceil(stripVTControlCharacters(line).length / columns));
  }
  return rows;
}

function leaderOf({ readings }: Snapshot): string | null {
  const leader = findLeader(readings.flatMap(({ status }) => (status === null ? [] : [status])));
  return leader === null ? null : `node ${leader.name} leads in term ${leader.term}`;
}

function rowOf(
  reading: NodeReading,
  now: Snapshot,
  before: Snapshot | null,
): readonly (string | number)[] {
  const { name, clientAddress, status } = reading;
  if (status === null)
    return [name, clientAddress, "-", "-", "-", "-", "-", absenceOf(reading, now)];
  const role = status.role === "leader" ? styleText("green", "leader") : status.role;
  const state = status.notReady.length === 0 ? "ready" : status.notReady.join("; ");
  const rate = rateOf(reading, now, before);
  return [name, clientAddress, role, status.term, status.zxid, status.sessions, rate, state];
}

function absenceOf({ name, exit }: NodeReading, { answered }: Snapshot): string {
  if (exit !== null) return styleText("red", `ended: ${describeServerExit(exit)}`);
  return answered.has(name) ? styleText("red", "does not answer") : "starting";
}

function rateOf(reading: NodeReading, now: Snapshot, before: Snapshot | null): string {
  const earlier = before?.readings.find((other) => other.name === reading.name)?.status;
  if (before === null || !earlier || reading.status === null) return "-";
  // What it had yet to catch up with, after a start or a pause, was written before.
  if (earlier.notReady.length > 0) return "-";
  const seconds = (now.atMs - before.atMs) / 1000;
  const applied = reading.status.appliedIndex - earlier.appliedIndex;
  return seconds <= 0 || applied < 0 ? "-" : Math.round(applied / seconds).toString();
}
