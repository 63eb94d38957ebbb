import { readFileSync } from "node:fs";

const LINE = /^Max open files\s+(\d+)\s/mu;

/**
 * How many files this process may have open, sockets among them; null: no end of them, or nobody knows. Node itself has asked
 * for as many as it may get.
 */
export function openFilesLimit(): number | null {
  try {
    return readOpenFilesLimit(readFileSync("/proc/self/limits", "utf8"));
  } catch {
    // No Linux, or no /proc.
    return null;
  }
}

/** Out of what /proc says. */
export function readOpenFilesLimit(limits: string): number | null {
  const [, soft] = LINE.exec(limits) ?? [];
  return soft === undefined ? null : Number(soft);
}
