import { execFile } from "node:child_process";
import type { Command } from "./system.ts";

/** Runs a build tool to its end; throws with what it printed when it fails. */
export function runTool(tool: Command): Promise<void> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...tool.env };
    execFile(tool.command, tool.args, { env }, (error, stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(`${tool.command} failed:\n${stdout}${stderr}`));
    });
  });
}
