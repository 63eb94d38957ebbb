import type { ConnectOptions, QuorateClient } from "@quorate/client";
import type { ChildProcess, SpawnOptions } from "node:child_process";

/** Where text goes. */
export interface TextSink {
  write(text: string | Uint8Array): void;
  /** True: a person looks at it; colours and live views make sense. */
  readonly isTerminal: boolean;
  /** Characters per line; 80 where nobody knows. */
  readonly columns: number;
}

/** What asks a command to end: Ctrl-C, `kill`, a terminal that is closed. */
export const END_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** One of {@link END_SIGNALS}. */
export type EndSignal = (typeof END_SIGNALS)[number];

/** Everything the command line takes from outside, so that tests bring their own. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly out: TextSink;
  readonly err: TextSink;
  /** All of standard input. */
  readInput(): Promise<Uint8Array>;
  /** All of a file. */
  readFile(path: string): Promise<Uint8Array>;
  connect(options: ConnectOptions): Promise<QuorateClient>;
  /** GET, with the body as text. Rejects when no answer comes, and when `signal` ends the waiting. */
  fetchText(
    url: string,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: string }>;
  /** POST of JSON, with the answer's body as text. Rejects when no answer comes. */
  postJson(
    url: string,
    value: unknown,
    timeoutMs: number,
  ): Promise<{ readonly status: number; readonly body: string }>;
  /** POST, with the answer's body as it comes; `signal` gives it up. Rejects when no answer comes. */
  postStream(
    url: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: AsyncIterable<Uint8Array> }>;
  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess;
  /** Calls back for every {@link EndSignal} until disposed; meanwhile they do not end this process. */
  onSignal(callback: (signal: EndSignal) => void): Disposable;
  /**
   * Asks on standard error and returns the line that is typed; null without a terminal. Rejects with a `CliError` ABORTED when
   * it is interrupted, with `hint`: what to do instead.
   */
  ask(question: string, hint: string): Promise<string | null>;
  /** True: standard input is a terminal, so the shell sends Ctrl-C to children as well. */
  readonly isInputTerminal: boolean;
}
