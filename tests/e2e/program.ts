import { spawn } from "node:child_process";
import { onTestFinished } from "vitest";

/** How a program ended, and all it printed. */
export interface ProgramEnd {
  readonly exit: number | NodeJS.Signals | null;
  readonly output: string;
}

/** Runs a file with the Node of this process to its end; killed at the latest when the test ends. */
export function runProgram(file: string, args: readonly string[] = []): Promise<ProgramEnd> {
  const child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => (output += text));
  }
  return new Promise((resolve) => {
    child.once("close", (code, signal) => resolve({ exit: code ?? signal, output }));
  });
}
