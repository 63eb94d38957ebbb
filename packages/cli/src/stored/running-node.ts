import { IMAGE_PREFIX } from "@quorate/server";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** Of LevelDB; whoever has the image open holds a lock on it. */
const LOCK_FILE = "LOCK";

/**
 * True while a process has the image of a data directory open, as a node that runs does. It is read from /proc, because
 * to open the image would change it: where there is none (no Linux), or the process is hidden in another container, the
 * answer is false.
 */
export async function isNodeRunning(dataDirectory: string): Promise<boolean> {
  const locks = await readFile("/proc/locks", "utf8").catch(() => "");
  if (locks === "") return false;
  const names = await readdir(dataDirectory).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(IMAGE_PREFIX))) {
    const file = await stat(join(dataDirectory, name, LOCK_FILE)).catch(() => null);
    if (file !== null && isLocked(locks, file)) return true;
  }
  return false;
}

/** Whether somebody holds a lock on a file, out of what /proc/locks says. */
export function isLocked(
  locks: string,
  { dev, ino }: { readonly dev: number; readonly ino: number },
): boolean {
  const [major, minor] = [(dev >>> 8) & 0xfff, (dev & 0xff) | ((dev >>> 12) & 0xfff00)];
  const device = [major, minor].map((number) => number.toString(16).padStart(2, "0")).join(":");
  return locks.split(/\s+/).includes(`${device}:${ino}`);
}
