import {
  IDENTITY_FILE,
  LOG_DIRECTORY,
  ServerError,
  readIdentity,
  scanLog,
  systemPorts,
  type LogScanItem,
} from "@quorate/server";
import { basename, dirname, join } from "node:path";
import { usageError, type CliError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { jsonLine } from "../format/json.ts";
import { isNodeRunning } from "./running-node.ts";
import {
  HINT_FOR_DAMAGED_NODE,
  damaged,
  givenDirectory,
  noNode,
  storedDataError,
} from "./stored-data.ts";

/** Options of `wal`. */
export interface WalFlags {
  readonly json?: boolean;
}

/** Prints every record of a log. */
export async function dumpLog(
  context: CliContext,
  directory: string,
  flags: WalFlags,
): Promise<void> {
  let damage: string | null = null;
  for await (const item of openScan(context, directory)) {
    context.out.write(flags.json === true ? jsonLine(item) : `${itemText(item)}\n`);
    if (item.status === "corrupt") damage ??= itemText(item);
  }
  if (damage !== null) throw damagedLog(damage);
}

/** What a whole log amounts to. */
export interface WalSummary {
  segments: number;
  records: number;
  entries: number;
  bytes: number;
  torn: number;
  corrupt: number;
  firstIndex: number | null;
  lastIndex: number | null;
}

/** Reads all of a log, and fails where it is damaged. */
export async function verifyLog(
  context: CliContext,
  directory: string,
  flags: WalFlags,
): Promise<void> {
  const findings: string[] = [];
  const summary = await summarize(openScan(context, directory), (item) =>
    findings.push(itemText(item)),
  );
  if (flags.json === true) context.out.write(jsonLine({ ...summary, findings }));
  else context.out.write(summaryText(summary, findings));
  if (summary.corrupt > 0)
    throw damagedLog(summary.corrupt === 1 ? "in one place" : `in ${summary.corrupt} places`);
}

/** Adds up a scan; `onFinding` gets everything that is not a whole record. */
export async function summarize(
  scan: AsyncIterable<LogScanItem>,
  onFinding: (item: LogScanItem) => void,
): Promise<WalSummary> {
  const segments = new Set<string>();
  const summary: WalSummary = {
    segments: 0,
    records: 0,
    entries: 0,
    bytes: 0,
    torn: 0,
    corrupt: 0,
    firstIndex: null,
    lastIndex: null,
  };
  for await (const item of scan) {
    segments.add(item.segment);
    summary.segments = segments.size;
    if (item.status !== "ok") {
      summary[item.status] += 1;
      onFinding(item);
      continue;
    }
    summary.records += 1;
    summary.bytes += item.bytes;
    if (item.entries === null) continue;
    summary.entries += item.entries.count;
    summary.firstIndex ??= item.entries.firstIndex;
    summary.lastIndex = item.entries.lastIndex;
  }
  return summary;
}

/** One record, or what stands in the place of one, on one line. */
export function itemText(item: LogScanItem): string {
  const place = `${item.segment} @${item.position}`;
  if (item.status !== "ok") return `${place} ${item.status.toUpperCase()}: ${item.message}`;
  const { term, votedFor } = item.hardState;
  const entries =
    item.entries === null
      ? "no entries"
      : `entries ${item.entries.firstIndex}-${item.entries.lastIndex} (term ${item.entries.firstTerm}-${item.entries.lastTerm})`;
  const snapshot = item.snapshot === null ? "" : `, stands on an image at ${item.snapshot.index}`;
  return `${place} record ${item.sequence}: ${item.bytes} bytes, term ${term}, vote ${votedFor ?? "-"}, ${entries}${snapshot}`;
}

function summaryText(summary: WalSummary, findings: readonly string[]): string {
  const range =
    summary.firstIndex === null ? "" : `, indices ${summary.firstIndex} to ${summary.lastIndex}`;
  const lines = [
    `segments: ${summary.segments}, records: ${summary.records}, entries: ${summary.entries}${range}, bytes: ${summary.bytes}`,
    ...findings,
  ];
  if (summary.torn > 0) {
    lines.push(
      "TORN: a write was under way when the node died; its next start cuts it off, nothing is lost",
    );
  }
  if (summary.corrupt === 0) lines.push("no damage");
  return `${lines.join("\n")}\n`;
}

async function* openScan(context: CliContext, directory: string): AsyncGenerator<LogScanItem> {
  const given = await givenDirectory(context, directory);
  const hasLogFolder = given.names.includes(LOG_DIRECTORY);
  const log = hasLogFolder ? await givenDirectory(context, join(given.path, LOG_DIRECTORY)) : given;
  if (!log.names.some((name) => name.endsWith(SEGMENT_EXTENSION))) {
    const isNode = hasLogFolder || given.names.includes(IDENTITY_FILE);
    const isLogFolder = !isNode && basename(given.path) === LOG_DIRECTORY;
    throw await noLog(isLogFolder ? dirname(given.path) : given.path);
  }
  // While it is written to, its end may look like damage.
  if (await isNodeRunning(dirname(log.path))) {
    throw usageError("the node is running", "stop it first: only a stopped node's log can be read");
  }
  try {
    yield* scanLog(systemPorts().files, log.path);
  } catch (error) {
    throw storedDataError(error, LOG_IS_DAMAGED, HINT_FOR_DAMAGED_NODE);
  }
}

/** What it means that there is none: its node had one, or has not run yet, or there is no node. */
async function noLog(directory: string): Promise<unknown> {
  try {
    const { logStarted } = await readIdentity(systemPorts().files, directory);
    if (!logStarted) {
      return usageError(
        `there is no log in ${directory} yet`,
        "its node has not run since the directory was made: there is nothing to look at",
      );
    }
  } catch (error) {
    const code = error instanceof ServerError ? error.code : null;
    if (code === "NOTHING_STORED") return noNode(`there is no log in ${directory}`);
    // One that is damaged cannot say whether there was a log, and without either nothing is left of the node's promises.
    if (code !== "IDENTITY_DAMAGED") {
      return storedDataError(error, "the node's data are damaged", HINT_FOR_DAMAGED_NODE);
    }
  }
  return damagedLog(`there is no segment in ${join(directory, LOG_DIRECTORY)}`);
}

const SEGMENT_EXTENSION = ".wal";
const LOG_IS_DAMAGED = "the log is damaged";

function damagedLog(what: string): CliError {
  return damaged(`${LOG_IS_DAMAGED}: ${what}`, HINT_FOR_DAMAGED_NODE);
}
