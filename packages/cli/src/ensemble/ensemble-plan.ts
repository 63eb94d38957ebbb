import { join } from "node:path";

/** One node of an ensemble on this machine. */
export interface NodePlan {
  readonly name: string;
  readonly dataDirectory: string;
  readonly logFile: string;
  /** Where its core is recorded, if it is. */
  readonly traceFile: string;
  /** `host:port` */
  readonly peerAddress: string;
  /** Where clients are told to go. */
  readonly clientAddress: string;
  /** Where it listens for them; another address only if something stands in between. */
  readonly clientListen: string;
}

/** An ensemble on this machine: what is needed to start each of its nodes. */
export interface EnsemblePlan {
  readonly nodes: readonly NodePlan[];
}

/** Where the nodes of an ensemble listen; one entry per node. */
export interface NodePorts {
  readonly peer: number;
  readonly client: number;
}

/** Distance between a node's client port and its peer port in {@link portsFrom}. */
const PEER_PORT_DISTANCE = 100;

/** Client ports from `base` on, peer ports a hundred above: 7001, 7002, 7003 and 7101, 7102, 7103. */
export function portsFrom(base: number, count: number): readonly NodePorts[] {
  return Array.from({ length: count }, (_, index) => ({
    client: base + index,
    peer: base + PEER_PORT_DISTANCE + index,
  }));
}

/** Nodes named 1, 2, 3 …, each with its own folder and log file below `directory`. */
export function planEnsemble(directory: string, ports: readonly NodePorts[]): EnsemblePlan {
  const nodes = ports.map(({ peer, client }, index): NodePlan => {
    const name = String(index + 1);
    return {
      name,
      dataDirectory: join(directory, `node-${name}`),
      logFile: join(directory, `node-${name}.log`),
      traceFile: join(directory, `node-${name}.trace`),
      peerAddress: `127.0.0.1:${peer}`,
      clientAddress: `127.0.0.1:${client}`,
      clientListen: `127.0.0.1:${client}`,
    };
  });
  return { nodes };
}

/** The server's flags for one node of the plan. */
export function serverFlags(
  plan: EnsemblePlan,
  node: NodePlan,
  extra: readonly string[] = [],
): readonly string[] {
  return [
    "--name",
    node.name,
    "--data-directory",
    node.dataDirectory,
    "--peer-listen",
    node.peerAddress,
    "--client-listen",
    node.clientListen,
    ...plan.nodes.flatMap((member) => [
      "--member",
      `${member.name}=${member.peerAddress},${member.clientAddress}`,
    ]),
    ...extra,
  ];
}

/** Client addresses of all nodes. */
export function clientAddresses(plan: EnsemblePlan): readonly string[] {
  return plan.nodes.map((node) => node.clientAddress);
}
