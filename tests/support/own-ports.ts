import { FREE_PORTS, freePorts } from "@quorate/cli";

type NodePorts = Awaited<ReturnType<typeof freePorts>>[number];

/** Test files that run side by side have a part of the range each, and one of these parts is left to everybody else. */
const PARTS = 3;
const PART = Math.floor((FREE_PORTS.max - FREE_PORTS.min) / PARTS);
/** Some commands take the ports that follow the one they are told as well. */
const FOLLOWING = 200;

/**
 * Free ports that no test file takes that runs at the same time: between the moment when a port is found free and the one when
 * its node listens on it a process has to start.
 */
export function ownPorts(nodeCount: number): Promise<readonly NodePorts[]> {
  const min = FREE_PORTS.min + PART * (Number(process.env["VITEST_POOL_ID"]) % PARTS);
  if (Number.isNaN(min)) throw new Error("ports are for tests that vitest runs");
  return freePorts(nodeCount, { min, max: min + PART - FOLLOWING });
}
