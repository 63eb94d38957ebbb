import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BUILT_BENCH, REPOSITORY } from "../repository.ts";
import { etcdServer, etcdVersion, probeEtcd } from "./etcd-server.ts";
import { goPauses } from "./gc-pauses.ts";
import type { System } from "./system.ts";

const DRIVER_MAIN = join(BUILT_BENCH, "drivers/etcd3/main.js");
const MANIFEST = join(REPOSITORY, "node_modules/etcd3/package.json");

/**
 * Debian's etcd, driven by npm's `etcd3` in one process, as a user of Node would: this client, not etcd, is what limits
 * it, so it stands beside the others in a few workloads only and gets no company where it is bound by CPU.
 */
export const etcd3: System = {
  name: "etcd3",
  settings: "etcd3: servers as etcd; driver: npm etcd3 on Node, one process",
  workloads: new Set(["set-1x1", "set-64x4", "set-64x16", "get-lin-64x4", "get-local-64x4"]),
  driverProcessesMax: 1,
  missing,
  version: () => `${clientVersion()} on Node ${process.version}, etcd ${etcdVersion()}`,
  build: () => Promise.resolve(),
  driver: () => ({ command: process.execPath, args: [DRIVER_MAIN] }),
  server: etcdServer,
  probe: probeEtcd,
  gcPauses: goPauses,
};

function missing(): string | null {
  if (!existsSync("/usr/bin/etcd")) return "etcd3 needs /usr/bin/etcd: apt-get install etcd-server";
  return existsSync(MANIFEST) ? null : "etcd3 needs the package of that name: npm ci";
}

function clientVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(MANIFEST, "utf8"));
  return typeof parsed === "object" && parsed !== null && "version" in parsed
    ? String(parsed.version)
    : "?";
}
