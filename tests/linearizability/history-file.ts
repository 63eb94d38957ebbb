import { readFileSync, writeFileSync } from "node:fs";
import type { HistoryRecord } from "./history.ts";

/** One JSON object per line; an unknown operation's missing return time stands as null. */
export function formatHistory(history: readonly HistoryRecord[]): string {
  return history.map((record) => `${JSON.stringify(record)}\n`).join("");
}

/** Reads what {@link formatHistory} wrote. Throws with the line number on anything else. */
export function parseHistory(text: string): readonly HistoryRecord[] {
  const history: HistoryRecord[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "") continue;
    history.push(parseRecord(line, index + 1));
  }
  return history;
}

/** Stores a history, so that a failed run can be checked again later. */
export function writeHistoryFile(file: string, history: readonly HistoryRecord[]): void {
  writeFileSync(file, formatHistory(history));
}

/** Loads a stored history. */
export function readHistoryFile(file: string): readonly HistoryRecord[] {
  return parseHistory(readFileSync(file, "utf8"));
}

function parseRecord(line: string, lineNumber: number): HistoryRecord {
  const value = parseJson(line, lineNumber);
  if (!isHistoryRecord(value)) throw new Error(`history line ${lineNumber} is of no known kind`);
  if (value.kind !== "operation" || value.returnedMs !== null) return value;
  return { ...value, returnedMs: Infinity };
}

function parseJson(line: string, lineNumber: number): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new Error(`history line ${lineNumber} is not JSON`, { cause });
  }
}

/** The writer is this file's own; only the kind is looked at, so that a newer kind is not taken for an old one. */
function isHistoryRecord(value: unknown): value is HistoryRecord {
  if (typeof value !== "object" || value === null || !("kind" in value)) return false;
  return value.kind === "operation" || value.kind === "fault" || value.kind === "leader";
}
