import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { BENCH_SOURCES } from "../repository.ts";
import { javaPauses } from "./gc-pauses.ts";
import { runTool } from "./run-tool.ts";
import {
  DRIVER_PROCESSES_MAX,
  type Command,
  type EnsembleSite,
  type GcPause,
  type NodeProbe,
  type NodeSite,
  type System,
  type Tuning,
} from "./system.ts";

const JARS = "/usr/share/java";
const SERVER_JARS = ["zookeeper.jar", "slf4j-simple.jar"];
const DRIVER_JARS = [
  ...SERVER_JARS,
  "jackson-core.jar",
  "jackson-databind.jar",
  "curator-recipes.jar",
  "curator-framework.jar",
  "curator-client.jar",
  "guava.jar",
];
const SOURCES = join(BENCH_SOURCES, "drivers/zookeeper");
const QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error";
/** What ZooKeeper's own start script gives a server. */
const SERVER_HEAP = "-Xmx1000m";
const DRIVER_HEAP = "-Xmx2g";
const PROBE_MS = 1_000;
const INSTALL = "apt-get install zookeeper libzookeeper-java libcurator-recipes-java default-jdk";

/** A follower gives the leader up after `syncLimit` ticks of silence, and it likewise. */
const TIMING: Readonly<Record<Tuning, readonly string[]>> = {
  default: ["tickTime=2000", "initLimit=10", "syncLimit=5"],
  "equal-elections": ["tickTime=200", "initLimit=100", "syncLimit=5", "maxSessionTimeout=40000"],
};

/** Debian's ZooKeeper as its example configuration has it; driven by its asynchronous Java client. */
export class ZooKeeper implements System {
  readonly name = "zookeeper";
  readonly settings: string =
    `zookeeper: ${SERVER_HEAP}, tickTime=2000 initLimit=10 syncLimit=5 (example configuration), ` +
    `forceSync on (default), maxClientCnxns=0 (all clients come from one address), admin server off; ` +
    `driver: Java client, ${DRIVER_HEAP}`;
  readonly workloads = null;
  readonly driverProcessesMax: number = DRIVER_PROCESSES_MAX;
  #classes = "";

  missing(): string | null {
    const needed = [
      ...DRIVER_JARS.map((jar) => join(JARS, jar)),
      "/usr/bin/javac",
      "/usr/bin/java",
    ];
    const absent = needed.filter((file) => !existsSync(file));
    return absent.length === 0 ? null : `zookeeper needs ${absent.join(", ")}: ${INSTALL}`;
  }

  version(): string {
    const jar = readdirSync(JARS).find((name) => /^zookeeper-\d.*\.jar$/.test(name));
    const java = execFileSync("java", ["--version"], { encoding: "utf8" }).split("\n")[0] ?? "?";
    return `${jar?.replace(/^zookeeper-|\.jar$/g, "") ?? "?"} on ${java}`;
  }

  async build(directory: string): Promise<void> {
    this.#classes = join(directory, "zookeeper-driver");
    mkdirSync(this.#classes, { recursive: true });
    const sources = readdirSync(SOURCES).filter((name) => name.endsWith(".java"));
    const files = sources.map((name) => join(SOURCES, name));
    await runTool({
      command: "javac",
      args: ["-d", this.#classes, "-cp", classPath(DRIVER_JARS), ...files],
    });
  }

  driver(): Command {
    const path = `${classPath(DRIVER_JARS)}:${this.#classes}`;
    return { command: "java", args: [DRIVER_HEAP, "-Xss256k", QUIET, "-cp", path, "Driver"] };
  }

  server(site: EnsembleSite, node: NodeSite): Command {
    const data = join(node.directory, "data");
    const file = join(node.directory, "zoo.cfg");
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, "myid"), `${node.number}\n`);
    writeFileSync(file, configuration(site, node, data));
    const main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
    return {
      command: "java",
      args: [
        ...[SERVER_HEAP, QUIET, ...(site.isGcLogged ? ["-Xlog:gc"] : [])],
        ...["-cp", classPath(SERVER_JARS), main, file],
      ],
    };
  }

  async probe(node: NodeSite): Promise<NodeProbe | null> {
    const answer = await fourLetters(node.clientAddress, "srvr");
    const mode = /^Mode: (.+)$/m.exec(answer ?? "")?.[1];
    return mode === undefined ? null : { isReady: true, isLeader: mode === "leader" };
  }

  gcPauses(log: string): readonly GcPause[] {
    return javaPauses(log);
  }
}

function classPath(jars: readonly string[]): string {
  return jars.map((jar) => join(JARS, jar)).join(":");
}

function configuration(site: EnsembleSite, node: NodeSite, data: string): string {
  const lines = [
    ...TIMING[site.tuning],
    `dataDir=${data}`,
    `clientPort=${portOf(node.clientAddress)}`,
    "clientPortAddress=127.0.0.1",
    "maxClientCnxns=0",
    "admin.enableServer=false",
    "4lw.commands.whitelist=srvr",
    ...site.nodes.map(
      ({ number, peerAddress, electionAddress }) =>
        `server.${number}=${peerAddress}:${portOf(electionAddress)}`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}

/** One of ZooKeeper's four-letter commands; null when there is no answer in time. */
function fourLetters(address: string, letters: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(Number(portOf(address)), "127.0.0.1", () => socket.write(letters));
    let answer = "";
    socket.setTimeout(PROBE_MS, () => socket.destroy());
    socket.on("data", (data) => {
      answer += data.toString("latin1");
    });
    socket.on("error", () => resolve(null));
    socket.on("close", () => resolve(answer === "" ? null : answer));
  });
}
