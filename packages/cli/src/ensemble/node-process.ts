import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readSync, statSync } from "node:fs";
import { constants } from "node:os";
import { dirname } from "node:path";

/** How a process ended. */
export interface NodeExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a node's process is started with. */
export interface NodeProcessOptions {
  readonly name: string;
  /** The file that Node runs: `quorate-server`. */
  readonly serverMain: string;
  readonly args: readonly string[];
  /** Takes what the process prints; appended to. */
  readonly logFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const LOG_TAIL_BYTES = 8192;
const PREFIX_OF_SETTINGS = "QUORATE_";

/** One server process. It writes its log into a file, so that nothing of it waits for a reader. */
export class NodeProcess {
  readonly name: string;
  readonly #options: NodeProcessOptions;
  #child: ChildProcess | null = null;
  #exit: NodeExit | null = null;
  #exited: Promise<NodeExit> | null = null;

  constructor(options: NodeProcessOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Process id while it runs, else null. */
  get pid(): number | null {
    return this.#exit === null ? (this.#child?.pid ?? null) : null;
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#exit === null;
  }

  /** How the last run ended; null while it runs or before the first. */
  get exit(): NodeExit | null {
    return this.#exit;
  }

  /** Starts it, with other flags than at construction if given. */
  start(args: readonly string[] = this.#options.args): void {
    if (this.isRunning) throw new Error(`node ${this.name} runs already`);
    const { serverMain, logFile, env } = this.#options;
    mkdirSync(dirname(logFile), { recursive: true });
    const log = openSync(logFile, "a");
    // Nothing is ever written to the pipe: it ends with this process, however that ends, and the node with it.
    const child = spawn(process.execPath, [serverMain, ...args, "--stop-with-stdin"], {
      stdio: ["pipe", log, log],
      // Ctrl-C on a terminal goes to this process alone: a node that got it, too, would take SIGTERM for its second signal.
      detached: true,
      env: withoutSettings(env),
    });
    closeSync(log);
    this.#child = child;
    this.#exit = null;
    this.#exited = new Promise((resolve) => {
      const ended = (exit: NodeExit): void => {
        this.#exit = exit;
        resolve(exit);
      };
      child.once("exit", (code, signal) => ended({ code, signal }));
      child.once("error", () => ended({ code: null, signal: null }));
    });
  }

  /** Resolves when the current or last run ends. */
  async exited(): Promise<NodeExit> {
    if (this.#exited === null) throw new Error(`node ${this.name} was never started`);
    return this.#exited;
  }

  /** Sends a signal; false when it does not run. */
  kill(signal: NodeJS.Signals): boolean {
    return this.isRunning && this.#child?.kill(signal) === true;
  }

  /** Asks it to stop; kills it after `graceMs`. */
  async stop(graceMs: number): Promise<NodeExit | null> {
    if (!this.isRunning) return this.#exit;
    // A stopped process handles no signal but these two.
    this.kill("SIGCONT");
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill("SIGKILL"), graceMs);
    try {
      return await this.exited();
    } finally {
      clearTimeout(timer);
    }
  }

  /** The end of what it printed. */
  logTail(): string {
    return readTail(this.#options.logFile, LOG_TAIL_BYTES);
  }
}

/** An exit in words. */
export function describeExit(exit: NodeExit): string {
  if (exit.signal !== null) return `signal ${exit.signal} (${constants.signals[exit.signal]})`;
  return exit.code === null ? "could not be started" : `exit code ${exit.code}`;
}

/** The server takes every such variable as a setting of its own; what it is to use is in its flags. */
function withoutSettings(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith(PREFIX_OF_SETTINGS)),
  );
}

function readTail(file: string, bytesMax: number): string {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const length = Math.min(size, bytesMax);
  if (length === 0) return "";
  const buffer = Buffer.alloc(length);
  const descriptor = openSync(file, "r");
  try {
    const read = readSync(descriptor, buffer, 0, length, size - length);
    return buffer.toString("utf8", 0, read);
  } finally {
    closeSync(descriptor);
  }
}
