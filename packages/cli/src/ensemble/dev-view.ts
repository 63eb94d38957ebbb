import { styleText } from "node:util";
import { formatTable } from "../format/table.ts";
import { describeExit } from "./node-process.ts";
import type { NodeReading } from "./local-ensemble.ts";
import { findLeader } from "./node-status.ts";

/** All nodes at one moment; `atMs` is monotonic. */
export interface Snapshot {
  readonly atMs: number;
  readonly readings: readonly NodeReading[];
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
  for (const { name, process: node } of now.readings) {
    const wasRunning = before?.readings.find((other) => other.name === name)?.status !== null;
    if (node.exit !== null && (before === null || wasRunning)) {
      lines.push(`node ${name} ended: ${describeExit(node.exit)}; it is not started again`);
    }
  }
  const leader = leaderOf(now);
  const leaderBefore = before === null ? null : leaderOf(before);
  if (leader !== leaderBefore) lines.push(leader === null ? "no leader" : leader);
  return lines;
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
  if (status === null) return [name, clientAddress, "-", "-", "-", "-", "-", absenceOf(reading)];
  const role = status.role === "leader" ? styleText("green", "leader") : status.role;
  const state = status.notReady.length === 0 ? "ready" : status.notReady.join("; ");
  const rate = rateOf(reading, now, before);
  return [name, clientAddress, role, status.term, status.zxid, status.sessions, rate, state];
}

function absenceOf({ process: node }: NodeReading): string {
  return node.exit === null ? "starting" : styleText("red", `ended: ${describeExit(node.exit)}`);
}

function rateOf(reading: NodeReading, now: Snapshot, before: Snapshot | null): string {
  const earlier = before?.readings.find((other) => other.name === reading.name)?.status;
  if (before === null || !earlier || reading.status === null) return "-";
  const seconds = (now.atMs - before.atMs) / 1000;
  const applied = reading.status.appliedIndex - earlier.appliedIndex;
  return seconds <= 0 || applied < 0 ? "-" : Math.round(applied / seconds).toString();
}
