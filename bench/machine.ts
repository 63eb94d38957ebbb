import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { statfsSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { REPOSITORY } from "./repository.ts";

const TMPFS = 0x01021994;
const RAMFS = 0x858458f6;
const MEASURED = ["packages", "bench", "package.json", "package-lock.json"];
const DIFF_BYTES_MAX = 64 << 20;

/** What the figures were taken on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly fileSystemType: string;
  /** Over the minute before the first run; what else ran then. */
  readonly loadAverage: number;
}

export function describeMachine(dataDirectory: string): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? "?",
    cores: processors.length,
    memoryBytes: totalmem(),
    kernel: release(),
    fileSystemType: `0x${statfsSync(dataDirectory).type.toString(16)}`,
    loadAverage: loadavg()[0] ?? 0,
  };
}

/** Whether the folder is in memory, where a durable write costs nothing. */
export function isInMemory(directory: string): boolean {
  const { type } = statfsSync(directory);
  return type === TMPFS || type === RAMFS;
}

/** The part of a machine that does not change while it works. */
export function identifyMachine(machine: Machine): Readonly<Record<string, string | number>> {
  const { loadAverage: _, ...identity } = machine;
  return identity;
}

/** The commit that is checked out; where what is measured differs from it, "+" and what tells the difference. */
export function describeCommit(): string {
  try {
    const commit = git("rev-parse", "--short=12", "HEAD");
    const changes = git("diff", "HEAD", "--", ...MEASURED);
    if (changes === "") return commit;
    return `${commit}+${createHash("sha256").update(changes).digest("hex").slice(0, 8)}`;
  } catch {
    return "unknown";
  }
}

function git(...args: readonly string[]): string {
  return execFileSync("git", ["-C", REPOSITORY, ...args], {
    encoding: "utf8",
    maxBuffer: DIFF_BYTES_MAX,
  }).trim();
}
