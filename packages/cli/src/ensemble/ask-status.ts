import type { CliContext } from "../context.ts";
import { httpAddressOf } from "../servers.ts";
import { parseNodeStatus, type NodeStatus } from "./node-status.ts";

/** What a server answered, or why it did not. */
export interface StatusAnswer {
  readonly server: string;
  readonly status: NodeStatus | null;
  /** All of it, for --json: this release may know less than the server tells. */
  readonly body: string;
  readonly error: string;
}

/** The error of whoever answers and is none. */
export const NO_QUORATE_SERVER = "this is no Quorate server";

/** How long an answer is waited for, ms, and what ends the waiting before. */
export interface AskOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Asks every server for its status; none that fails keeps the others from answering. */
export function askStatus(
  context: CliContext,
  servers: readonly string[],
  timeoutMs: number,
): Promise<readonly StatusAnswer[]> {
  return Promise.all(servers.map((server) => askOne(context, server, { timeoutMs })));
}

/** Asks one server for its status. */
export async function askOne(
  context: CliContext,
  server: string,
  { timeoutMs, signal }: AskOptions,
): Promise<StatusAnswer> {
  try {
    const { body } = await context.fetchText(`${httpAddressOf(server)}/status`, timeoutMs, signal);
    const status = parseNodeStatus(body);
    return { server, status, body, error: status === null ? NO_QUORATE_SERVER : "" };
  } catch (error) {
    return { server, status: null, body: "", error: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "no answer in time";
  const isRefused = "code" in error && error.code === "ECONNREFUSED";
  return isRefused ? "nobody listens" : error.message;
}
