import { rmSync } from "node:fs";
import { createInterface } from "node:readline";

/**
 * Lives until its input ends, which it does with the harness whatever kills that, and then clears away what the harness
 * could not: processes that still run, and the folder given. A line is the id of a process that started, or, with a minus
 * before it, of one that ended.
 */
const directory = process.argv[2];
const running = new Set<number>();
for await (const line of createInterface({ input: process.stdin })) {
  const pid = Number(line);
  if (pid > 0) running.add(pid);
  else running.delete(-pid);
}
for (const pid of running) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}
// What was killed a moment ago may still have written into it.
if (directory !== undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
