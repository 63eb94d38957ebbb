import { readFileSync } from "node:fs";

/** Ticks a second in which Linux counts CPU time for everybody to read, on all of its architectures. */
const TICKS_PER_SECOND = 100;
const USER_FIELD = 11;
const SYSTEM_FIELD = 12;

/** CPU seconds a process has used, all threads; 0 when it is gone. */
export function cpuSeconds(pid: number): number {
  const text = readOrEmpty(`/proc/${pid}/stat`);
  // The second field is the name, in parentheses, and may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[USER_FIELD] ?? 0) + Number(fields[SYSTEM_FIELD] ?? 0);
  return Number.isFinite(ticks) ? ticks / TICKS_PER_SECOND : 0;
}

/** CPU seconds that this machine's processes and its hypervisor have taken together; interrupts are nobody's. */
export function machineCpuSeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , , , steal = 0] = (
    readOrEmpty("/proc/stat").split("\n")[0] ?? ""
  )
    .split(/ +/)
    .map(Number);
  return (user + nice + system + steal) / TICKS_PER_SECOND;
}

/**
 * Resident memory of a process that is no file's, bytes; 0 when it is gone. Pages of mapped files are a cache, which the
 * kernel takes back when it needs them, and would count against those who map their files and not against those who read
 * them.
 */
export function anonymousBytes(pid: number): number {
  return parseAnonymousBytes(readOrEmpty(`/proc/${pid}/status`));
}

/** The same of a status as the kernel writes it. */
export function parseAnonymousBytes(status: string): number {
  const lines = status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm);
  return [...lines].reduce((total, [, kibibytes]) => total + Number(kibibytes) * 1024, 0);
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
