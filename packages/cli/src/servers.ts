import { usageError } from "./cli-error.ts";

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
 * is no `host:port`, `ws://…` or `wss://…`.
 */
export function resolveServers(
  option: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const written = option ?? env[SERVERS_VARIABLE];
  if (written === undefined || written.trim() === "") return DEFAULT_SERVERS;
  const servers = written.split(/[\s,]+/).filter((part) => part !== "");
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
    throw usageError(
      `${JSON.stringify(server)} is no server address`,
      "write host:port, for example --servers 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003",
    );
  }
}
