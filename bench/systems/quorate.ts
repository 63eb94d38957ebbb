import { fetchNodeStatus } from "@quorate/cli";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BUILT_BENCH, REPOSITORY } from "../repository.ts";
import { nodePauses } from "./gc-pauses.ts";
import {
  DRIVER_PROCESSES_MAX,
  type Command,
  type EnsembleSite,
  type NodeProbe,
  type NodeSite,
  type System,
} from "./system.ts";

const DRIVER_MAIN = join(BUILT_BENCH, "drivers/quorate/main.js");
const EQUAL_ELECTIONS = ["--election-timeout-ms", "1000"];

/** This repository's server, with every setting at its default but the log level; driven by its SDK. */
export const quorate: System = {
  name: "quorate",
  settings: "quorate: --log-level warn; driver: SDK on Node",
  workloads: null,
  driverProcessesMax: DRIVER_PROCESSES_MAX,
  missing: () => null,
  version: () => readVersion(),
  build: () => Promise.resolve(),
  driver: () => ({ command: process.execPath, args: [DRIVER_MAIN] }),
  server,
  probe,
  gcPauses: nodePauses,
};

function readVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8"));
  const version =
    typeof parsed === "object" && parsed !== null && "version" in parsed ? parsed.version : "?";
  return `${String(version)} on Node ${process.version}`;
}

function server(site: EnsembleSite, node: NodeSite): Command {
  const members = site.nodes.flatMap((member) => [
    "--member",
    `${member.number}=${member.peerAddress},${member.clientAddress}`,
  ]);
  return {
    command: process.execPath,
    args: [
      ...(site.isGcLogged ? ["--trace-gc"] : []),
      join(REPOSITORY, "packages/server/bin/quorate-server.cjs"),
      ...["--name", String(node.number), "--data-directory", join(node.directory, "data")],
      ...["--log-level", "warn"],
      ...members,
      ...(site.tuning === "equal-elections" ? EQUAL_ELECTIONS : []),
    ],
  };
}

async function probe(node: NodeSite): Promise<NodeProbe | null> {
  const status = await fetchNodeStatus(node.clientAddress);
  if (status === null) return null;
  return { isReady: status.notReady.length === 0, isLeader: status.role === "leader" };
}
