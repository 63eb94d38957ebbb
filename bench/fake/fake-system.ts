import { connect } from "node:net";
import { join } from "node:path";
import { BUILT_BENCH } from "../repository.ts";
import type { NodeProbe, NodeSite, System } from "../systems/system.ts";
import type { Plant } from "./fake-wire.ts";

/** A service of one small process, which needs nothing installed, with a fault planted; to test the harness with. */
export function fakeSystem(name: string, plant: Plant = "none"): System {
  const main = (file: string): string => join(BUILT_BENCH, "fake", file);
  return {
    name,
    settings: `${name}: ${plant}`,
    missing: () => null,
    version: () => plant,
    build: () => Promise.resolve(),
    driver: () => ({ command: process.execPath, args: [main("fake-driver-main.js"), plant] }),
    server: (_, node) => {
      const port = node.clientAddress.slice(node.clientAddress.lastIndexOf(":") + 1);
      const args = [main("fake-server-main.js"), port, node.directory, plant];
      return { command: process.execPath, args };
    },
    probe,
  };
}

function probe(node: NodeSite): Promise<NodeProbe | null> {
  const [host = "", port = "0"] = node.clientAddress.split(":");
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    socket.once("connect", () => {
      socket.destroy();
      resolve({ isReady: true, isLeader: true });
    });
    socket.once("error", () => resolve(null));
  });
}
