import { connect } from "@quorate/client";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { WriteStream } from "node:tty";
import { END_SIGNALS, type CliContext, type EndSignal, type TextSink } from "./context.ts";

/** The real one. */
export function systemContext(): CliContext {
  return {
    env: process.env,
    workingDirectory: process.cwd(),
    out: streamSink(process.stdout),
    err: streamSink(process.stderr),
    readInput,
    readFile: (path) => readFile(path),
    connect,
    fetchText,
    postStream,
    spawn: (command, args, options) => spawn(command, args, options),
    onSignal,
    isInputTerminal: process.stdin.isTTY,
  };
}

function streamSink(stream: WriteStream): TextSink {
  return {
    write: (text) => void stream.write(text),
    isTerminal: stream.isTTY,
    get columns() {
      return stream.columns > 0 ? stream.columns : 80;
    },
  };
}

async function readInput(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function fetchText(
  url: string,
  timeoutMs: number,
): Promise<{ readonly status: number; readonly body: string }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  return { status: response.status, body: await response.text() };
}

async function postStream(
  url: string,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: AsyncIterable<Uint8Array> }> {
  const response = await fetch(url, { method: "POST", signal });
  return { status: response.status, body: response.body ?? emptyBody() };
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}

function onSignal(callback: (signal: EndSignal) => void): Disposable {
  const listeners = END_SIGNALS.map((signal) => [signal, () => callback(signal)] as const);
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return {
    [Symbol.dispose]: () => {
      for (const [signal, listener] of listeners) process.off(signal, listener);
    },
  };
}
