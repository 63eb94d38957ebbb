import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import type { Command } from "./systems/system.ts";

const running = new Set<ChildProcess>();

process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a process that ends with this one at the latest. */
export function startChild({ command, args, env }: Command, stdio: StdioOptions): ChildProcess {
  const child = spawn(command, args, { stdio, env: { ...process.env, ...env } });
  running.add(child);
  const forget = (): void => void running.delete(child);
  child.once("exit", forget);
  child.once("error", forget);
  return child;
}
