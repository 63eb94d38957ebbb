import { createServer, type Server } from "node:net";
import type { NodePorts } from "./ensemble-plan.ts";

/** Ports from `min` on, below `max`. */
export interface PortRange {
  readonly min: number;
  readonly max: number;
}

/** Outside of what the kernel hands to outgoing connections: Linux has 32768 to 60999 by default. */
export const FREE_PORTS: PortRange = { min: 20_000, max: 32_000 };

/**
 * Ports of the loopback that nobody listens on at this moment. Default: {@link FREE_PORTS}, so that no outgoing connection
 * takes one before the node does. Whoever starts nodes side by side gives each a range of its own.
 */
export async function freePorts(
  nodeCount: number,
  { min, max }: PortRange = FREE_PORTS,
): Promise<readonly NodePorts[]> {
  const held: Server[] = [];
  try {
    while (held.length < nodeCount * 2) {
      const port = min + Math.floor(Math.random() * (max - min));
      const server = await listen(port);
      if (server !== null) held.push(server);
    }
    const ports = held.map(portOf);
    return Array.from({ length: nodeCount }, (_, index) => ({
      client: ports[index * 2] ?? 0,
      peer: ports[index * 2 + 1] ?? 0,
    }));
  } finally {
    await Promise.all(held.map(close));
  }
}

/** Those of the addresses `127.0.0.1:port` that somebody listens on. */
export async function takenAddresses(addresses: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    addresses.map(async (address) => {
      const server = await listen(Number(address.slice(address.lastIndexOf(":") + 1)));
      if (server === null) return address;
      await close(server);
      return null;
    }),
  );
  return found.filter((address) => address !== null);
}

function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(null));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => resolve(server));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return address === null || typeof address === "string" ? 0 : address.port;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
