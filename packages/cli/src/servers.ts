import { usageError, type CliError } from "./cli-error.ts";

/** Where `quorate dev` listens, hence where everything else looks first. */
export const DEFAULT_SERVERS: readonly string[] = [
  "127.0.0.1:7001",
  "127.0.0.1:7002",
  "127.0.0.1:7003",
];

/** Names the servers for every command that is not told with `--servers`. */
export const SERVERS_VARIABLE = "QUORATE_SERVERS";

/**
 * The servers to talk to: the option, else the environment, else the defaults. Throws a usage error for anything that
 * is no `host:port`, `ws://…` or `wss://…`, an empty option among it.
 */
export function resolveServers(
  option: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const written = option ?? env[SERVERS_VARIABLE] ?? "";
  // An option without an address is a script's variable that was not set: no other ensemble takes its writes.
  if (option === undefined && written.trim() === "") return DEFAULT_SERVERS;
  const servers = written.split(/[\s,]+/).filter((part) => part !== "");
  if (servers.length === 0) throw noAddress(written);
  for (const server of servers) checkServer(server);
  return [...new Set(servers)];
}

/** The base address of a server's HTTP side. */
export function httpAddressOf(server: string): string {
  const plain = server.replace(/^ws/, "http");
  return plain.includes("://") ? plain.replace(/\/$/, "") : `http://${plain}`;
}

function checkServer(server: string): void {
  const address = server.replace(/^wss?:\/\//, "");
  const match = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})\/?$/.exec(address);
  const port = Number(match?.[1]);
  if (match === null || port < 1 || port > 65_535) {
    throw noAddress(server);
  }
}

function noAddress(written: string): CliError {
  return usageError(
    `${JSON.stringify(written)} is no server address`,
    "write host:port, for example --servers 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003",
  );
}
