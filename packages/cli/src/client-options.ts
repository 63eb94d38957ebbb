import type { QuorateClient } from "@quorate/client";
import { InvalidArgumentError, Option, type Command } from "commander";
import type { CliContext } from "./context.ts";
import { openClient } from "./open-client.ts";
import { SERVERS_VARIABLE, resolveServers } from "./servers.ts";

/** Options of every command that talks to an ensemble. */
export interface ClientFlags {
  readonly servers?: string;
  readonly timeout: number;
  readonly json?: boolean;
}

const DEFAULT_TIMEOUT_SECONDS = 10;

/** Adds `--servers`, `--timeout` and `--json`. */
export function addClientOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "-s, --servers <list>",
        `addresses host:port, comma separated (environment: ${SERVERS_VARIABLE}; default: 127.0.0.1:7001 to 7003)`,
      ),
    )
    .addOption(
      new Option("-t, --timeout <seconds>", "give up connecting or a call after this long")
        .argParser(parseSeconds)
        .default(DEFAULT_TIMEOUT_SECONDS),
    )
    .option("--json", "print JSON, one value a line");
}

/** A positive number of seconds. */
export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !Number.isFinite(seconds) || seconds <= 0 || seconds > 86_400) {
    throw new InvalidArgumentError("It is a number of seconds, above 0 and at most 86400.");
  }
  return seconds;
}

/** A whole number from 0. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count)) {
    throw new InvalidArgumentError("It is a whole number.");
  }
  return count;
}

/** A whole number from 1. */
export function parsePositive(text: string): number {
  const count = parseCount(text);
  if (count === 0) throw new InvalidArgumentError("It is a whole number above 0.");
  return count;
}

/** Connects, runs `use`, and closes the session again, whatever happened. */
export async function withClient<T>(
  context: CliContext,
  flags: ClientFlags,
  use: (client: QuorateClient, timeoutMs: number) => Promise<T>,
): Promise<T> {
  const timeoutMs = flags.timeout * 1000;
  const client = await openClient(context, {
    servers: resolveServers(flags.servers, context.env),
    connectTimeoutMs: timeoutMs,
    name: "quorate-cli",
  });
  try {
    return await use(client, timeoutMs);
  } finally {
    await client.close();
  }
}
