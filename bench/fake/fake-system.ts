import { connect } from "node:net";
import { join } from "node:path";
import { BUILT_BENCH } from "../repository.ts";
import { nodePauses } from "../systems/gc-pauses.ts";
import {
  DRIVER_PROCESSES_MAX,
  type NodeProbe,
  type NodeSite,
  type System,
} from "../systems/system.ts";
import type { Plant } from "./fake-wire.ts";

/**
 * A service that needs nothing installed, with a fault planted; to test the harness with. Its first node does everything,
 * the others pass on what they are asked.
 */
export function fakeSystem(name: string, plant: Plant = "none"): System {
  const main = (file: string): string => join(BUILT_BENCH, "fake", file);
  return {
    name,
    settings: `${name}: ${plant}`,
    workloads: null,
    driverProcessesMax: DRIVER_PROCESSES_MAX,
    missing: () => null,
    version: () => plant,
    build: () => Promise.resolve(),
    driver: () => ({ command: process.execPath, args: [main("fake-driver-main.js"), plant] }),
    server: (site, node) => {
      const { directory } = node;
      const leader = site.nodes.find(({ number }) => number === LEADER) ?? node;
      const ports = { port: portOf(node), leaderPort: portOf(leader) };
      const args = [main("fake-server-main.js"), JSON.stringify({ ...ports, directory, plant })];
      const flags = ["--expose-gc", ...(site.isGcLogged ? ["--trace-gc"] : [])];
      return { command: process.execPath, args: [...flags, ...args] };
    },
    probe,
    gcPauses: nodePauses,
  };
}

const LEADER = 1;

function portOf(node: NodeSite): number {
  return Number(node.clientAddress.slice(node.clientAddress.lastIndexOf(":") + 1));
}

function probe(node: NodeSite): Promise<NodeProbe | null> {
  return new Promise((resolve) => {
    const socket = connect(portOf(node), "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve({ isReady: true, isLeader: node.number === LEADER });
    });
    socket.once("error", () => resolve(null));
  });
}
