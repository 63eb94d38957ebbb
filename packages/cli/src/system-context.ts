import { connect } from "@quorate/client";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import type { WriteStream } from "node:tty";
import { askLine } from "./ask-line.ts";
import { END_SIGNALS, type CliContext, type EndSignal, type TextSink } from "./context.ts";
import { EXIT_CODES, exitCodeOfSignal } from "./exit-code.ts";
import { httpRequest, textOf, type HttpAnswer } from "./http-request.ts";

/** The real one. */
export function systemContext(): CliContext {
  return {
    env: process.env,
    workingDirectory: process.cwd(),
    out: streamSink(process.stdout, endWithoutOutput),
    // Whoever does not read what goes wrong still gets the work and its exit code.
    err: streamSink(process.stderr, () => undefined),
    readInput,
    readFile: (path) => readFile(path),
    connect,
    fetchText,
    postJson,
    postStream,
    spawn: (command, args, options) => spawn(command, args, options),
    onSignal,
    ask,
    isInputTerminal: process.stdin.isTTY,
  };
}

function streamSink(stream: WriteStream, onError: (error: Error) => void): TextSink {
  return {
    write: (text) => {
      // Not before: a node in this process writes to the same stream and is not to end with its readers.
      if (!stream.listeners("error").includes(onError)) stream.on("error", onError);
      stream.write(text);
    },
    isTerminal: stream.isTTY,
    get columns() {
      return stream.columns > 0 ? stream.columns : 80;
    },
  };
}

/** Ends as a program does that leaves SIGPIPE alone: quietly when its reader has gone, as in `quorate watch / | head`. */
function endWithoutOutput(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(exitCodeOfSignal(constants.signals.SIGPIPE));
  process.stderr.write(`error: cannot write to standard output: ${error.message}\n`);
  process.exit(EXIT_CODES.failed);
}

async function readInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function ask(question: string, hint: string): Promise<string | null> {
  if (!process.stdin.isTTY) return null;
  return askLine(question, hint, { input: process.stdin, output: process.stderr });
}

async function fetchText(
  url: string,
  timeoutMs: number,
  end?: AbortSignal,
): Promise<{ readonly status: number; readonly body: string }> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = end === undefined ? timeout : AbortSignal.any([timeout, end]);
  const answer = await httpRequest(url, { method: "GET", signal });
  return { status: answer.status, body: await textOf(answer) };
}

async function postJson(
  url: string,
  value: unknown,
  timeoutMs: number,
): Promise<{ readonly status: number; readonly body: string }> {
  const signal = AbortSignal.timeout(timeoutMs);
  const json = JSON.stringify(value);
  const answer = await httpRequest(url, { method: "POST", json, signal });
  return { status: answer.status, body: await textOf(answer) };
}

function postStream(url: string, signal: AbortSignal): Promise<HttpAnswer> {
  return httpRequest(url, { method: "POST", signal });
}

function onSignal(callback: (signal: EndSignal) => void): Disposable {
  const listeners = END_SIGNALS.map((signal) => [signal, () => callback(signal)] as const);
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return {
    [Symbol.dispose]: () => {
      for (const [signal, listener] of listeners) process.off(signal, listener);
    },
  };
}
