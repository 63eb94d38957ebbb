import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Command, EnsembleSite, NodeProbe, NodeSite } from "./system.ts";

const PROBE_MS = 1_000;
const EMPTY_POST = { method: "POST", body: "{}" };

/** Debian's etcd with every setting at its default but the log level; its election timeout is a second already. */
export function etcdServer(site: EnsembleSite, node: NodeSite): Command {
  const cluster = site.nodes.map(({ number, peerAddress }) => `n${number}=http://${peerAddress}`);
  const client = `http://${node.clientAddress}`;
  const peer = `http://${node.peerAddress}`;
  return {
    command: "etcd",
    args: [
      ...["--name", `n${node.number}`, "--data-dir", join(node.directory, "data")],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ...["--initial-cluster", cluster.join(","), "--initial-cluster-state", "new"],
      ...["--log-level", "warn"],
    ],
    ...(site.isGcLogged ? { env: { GODEBUG: "gctrace=1" } } : {}),
  };
}

/** What etcd says of itself over its gateway for HTTP. */
export async function probeEtcd(node: NodeSite): Promise<NodeProbe | null> {
  const health = await ask(`http://${node.clientAddress}/health`, {});
  const status = await ask(`http://${node.clientAddress}/v3/maintenance/status`, EMPTY_POST);
  if (health === null || status === null) return null;
  const member = field(field(status, "header"), "member_id");
  return {
    isReady: field(health, "health") === "true",
    isLeader: member !== undefined && member === field(status, "leader"),
  };
}

/** Of the server. */
export function etcdVersion(): string {
  const lines = execFileSync("etcd", ["--version"], { encoding: "utf8" }).split("\n");
  const valueOf = (label: string): string =>
    lines.find((line) => line.startsWith(label))?.slice(label.length) ?? "?";
  return `${valueOf("etcd Version: ")} on ${valueOf("Go Version: ")}`;
}

async function ask(url: string, request: RequestInit): Promise<unknown> {
  try {
    const signal = AbortSignal.timeout(PROBE_MS);
    const response = await fetch(url, { ...request, signal });
    return await response.json();
  } catch {
    return null;
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
