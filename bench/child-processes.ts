import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { Socket } from "node:net";
import { join } from "node:path";
import { BUILT_BENCH } from "./repository.ts";
import type { Command } from "./systems/system.ts";

const SWEEPER_MAIN = join(BUILT_BENCH, "sweeper/main.js");

const running = new Set<ChildProcess>();
let tellSweeper: (line: number) => void = () => undefined;

process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a process that ends with this one at the latest. */
export function startChild({ command, args, env }: Command, stdio: StdioOptions): ChildProcess {
  const child = spawn(command, args, { stdio, env: { ...process.env, ...env } });
  const { pid } = child;
  running.add(child);
  if (pid !== undefined) tellSweeper(pid);
  const forget = (): void => {
    if (running.delete(child) && pid !== undefined) tellSweeper(-pid);
  };
  child.once("exit", forget);
  child.once("error", forget);
  return child;
}

/**
 * From now on children end, and the folder goes, with this process even if it is killed with SIGKILL: servers left behind
 * would take part in whatever is measured next.
 */
export function sweepAfterDeath(directory: string): void {
  const sweeper = spawn(process.execPath, [SWEEPER_MAIN, directory], {
    // In a group of its own: what kills the harness's group shall not kill it.
    detached: true,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const { stdin } = sweeper;
  // Without a sweeper a benchmark is as good as with one, unless it is killed.
  sweeper.on("error", () => undefined);
  stdin.on("error", () => undefined);
  sweeper.unref();
  if (stdin instanceof Socket) stdin.unref();
  tellSweeper = (line) => void stdin.write(`${line}\n`);
}
