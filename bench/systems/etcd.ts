import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { BENCH_SOURCES } from "../repository.ts";
import { runTool } from "./run-tool.ts";
import type { Command, EnsembleSite, NodeProbe, NodeSite, System } from "./system.ts";

const GO_PATH = "/usr/share/gocode";
const CLIENT_SOURCES = join(GO_PATH, "src/go.etcd.io/etcd/clientv3");
const SOURCES = join(BENCH_SOURCES, "drivers/etcd");
const PROBE_MS = 1_000;
const INSTALL = "apt-get install etcd-server etcd-client golang-go golang-etcd-server-dev";

/** Debian's etcd with every setting at its default; its election timeout is a second already. Driven by its Go client. */
export class Etcd implements System {
  readonly name = "etcd";
  readonly settings: string = "etcd: defaults, log level warn; driver: Go client v3";
  #driver = "";

  missing(): string | null {
    const needed = ["/usr/bin/etcd", "/usr/bin/go", CLIENT_SOURCES];
    const absent = needed.filter((file) => !existsSync(file));
    return absent.length === 0 ? null : `etcd needs ${absent.join(", ")}: ${INSTALL}`;
  }

  version(): string {
    const lines = execFileSync("etcd", ["--version"], { encoding: "utf8" }).split("\n");
    const valueOf = (label: string): string =>
      lines.find((line) => line.startsWith(label))?.slice(label.length) ?? "?";
    return `${valueOf("etcd Version: ")} on ${valueOf("Go Version: ")}`;
  }

  async build(directory: string): Promise<void> {
    this.#driver = join(directory, "etcd-driver");
    await runTool({
      command: "go",
      args: ["build", "-o", this.#driver, ...GO_FILES.map((name) => join(SOURCES, name))],
      env: { GO111MODULE: "off", GOPATH: GO_PATH, GOFLAGS: "" },
    });
  }

  driver(): Command {
    return { command: this.#driver, args: [] };
  }

  server(site: EnsembleSite, node: NodeSite): Command {
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
    };
  }

  async probe(node: NodeSite): Promise<NodeProbe | null> {
    const health = await ask(`http://${node.clientAddress}/health`, {});
    const status = await ask(`http://${node.clientAddress}/v3/maintenance/status`, EMPTY_POST);
    if (health === null || status === null) return null;
    const member = field(field(status, "header"), "member_id");
    return {
      isReady: field(health, "health") === "true",
      isLeader: member !== undefined && member === field(status, "leader"),
    };
  }
}

const GO_FILES = [
  "acknowledged.go",
  "fanout.go",
  "histogram.go",
  "load.go",
  "main.go",
  "session.go",
  "writers.go",
];

const EMPTY_POST = { method: "POST", body: "{}" };

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
