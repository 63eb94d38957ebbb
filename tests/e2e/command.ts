import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { poll } from "./poll.ts";

const CLI_MAIN = fileURLToPath(new URL("../../packages/cli/bin/quorate.cjs", import.meta.url));
const WAIT_MS = 40_000;

/** A `quorate` command that runs; killed at the latest when the test ends. */
export class RunningCommand {
  readonly #child: ChildProcess;
  output = "";
  exit: number | NodeJS.Signals | null = null;

  /** `unread`: an output whose reader goes away before anything is written to it. */
  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    unread?: "stdout" | "stderr",
  ) {
    this.#child = spawn(process.execPath, [CLI_MAIN, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8");
      stream?.on("data", (text: string) => (this.output += text));
    }
    if (unread !== undefined) this.#child[unread]?.destroy();
    this.#child.once("close", (code, signal) => {
      this.exit = code ?? signal;
    });
    onTestFinished(() => void this.#child.kill("SIGKILL"));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Returns once the output matches. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    return poll(`the command to say ${pattern}; it said:\n${this.output}`, WAIT_MS, () =>
      pattern.exec(this.output),
    );
  }

  /** The exit code, or the signal it died of. */
  async ended(): Promise<number | NodeJS.Signals> {
    return poll("the command to end", WAIT_MS, () => this.exit);
  }
}

/** Runs a command to its end. */
export async function quorate(
  ...args: readonly string[]
): Promise<{ readonly exit: number | NodeJS.Signals; readonly output: string }> {
  const command = new RunningCommand(args);
  const exit = await command.ended();
  return { exit, output: command.output };
}
