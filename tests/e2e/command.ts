import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { poll } from "./poll.ts";

const CLI_MAIN = fileURLToPath(new URL("../../packages/cli/bin/quorate.cjs", import.meta.url));
const WAIT_MS = 40_000;

interface RunningCommandOptions {
  /** An output whose reader goes away before anything is written to it. */
  readonly unread?: "stdout" | "stderr";
  /** It leads a process group of its own, as a command on a terminal does. Default: false. */
  readonly leadsGroup?: boolean;
}

/** A `quorate` command that runs; killed at the latest when the test ends. */
export class RunningCommand {
  readonly #child: ChildProcess;
  output = "";
  exit: number | NodeJS.Signals | null = null;

  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    { unread, leadsGroup = false }: RunningCommandOptions = {},
  ) {
    this.#child = spawn(process.execPath, [CLI_MAIN, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: leadsGroup,
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

  /** Ctrl-C on a terminal: SIGINT for every process of the group that it leads. */
  interruptGroup(): void {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error("the command was not started");
    process.kill(-pid, "SIGINT");
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
