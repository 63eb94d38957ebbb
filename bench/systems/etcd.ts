import { existsSync } from "node:fs";
import { join } from "node:path";
import { BENCH_SOURCES } from "../repository.ts";
import { etcdServer, etcdVersion, probeEtcd } from "./etcd-server.ts";
import { goPauses } from "./gc-pauses.ts";
import { runTool } from "./run-tool.ts";
import {
  DRIVER_PROCESSES_MAX,
  type Command,
  type EnsembleSite,
  type GcPause,
  type NodeProbe,
  type NodeSite,
  type System,
} from "./system.ts";

const GO_PATH = "/usr/share/gocode";
const CLIENT_SOURCES = join(GO_PATH, "src/go.etcd.io/etcd/clientv3");
const SOURCES = join(BENCH_SOURCES, "drivers/etcd");
const INSTALL = "apt-get install etcd-server etcd-client golang-go golang-etcd-server-dev";

/** Debian's etcd, driven by its Go client. */
export class Etcd implements System {
  readonly name = "etcd";
  readonly settings: string = "etcd: defaults, log level warn; driver: Go client v3";
  readonly workloads = null;
  readonly driverProcessesMax: number = DRIVER_PROCESSES_MAX;
  #driver = "";

  missing(): string | null {
    const needed = ["/usr/bin/etcd", "/usr/bin/go", CLIENT_SOURCES];
    const absent = needed.filter((file) => !existsSync(file));
    return absent.length === 0 ? null : `etcd needs ${absent.join(", ")}: ${INSTALL}`;
  }

  version(): string {
    return etcdVersion();
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
    return etcdServer(site, node);
  }

  probe(node: NodeSite): Promise<NodeProbe | null> {
    return probeEtcd(node);
  }

  gcPauses(log: string): readonly GcPause[] {
    return goPauses(log);
  }
}

const GO_FILES = [
  "acknowledged.go",
  "fanout.go",
  "histogram.go",
  "load.go",
  "main.go",
  "patience.go",
  "session.go",
  "writers.go",
];
