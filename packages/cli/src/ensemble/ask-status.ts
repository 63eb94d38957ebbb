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

/** Asks every server for its status; none that fails keeps the others from answering. */
export function askStatus(
  context: CliContext,
  servers: readonly string[],
  timeoutMs: number,
): Promise<readonly StatusAnswer[]> {
  return Promise.all(servers.map((server) => ask(context, server, timeoutMs)));
}

async function ask(context: CliContext, server: string, timeoutMs: number): Promise<StatusAnswer> {
  try {
    const { body } = await context.fetchText(`${httpAddressOf(server)}/status`, timeoutMs);
    const status = parseNodeStatus(body);
    return { server, status, body, error: status === null ? "this is no Quorate server" : "" };
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
