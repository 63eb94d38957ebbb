import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import type { Link } from "./fault-event.ts";
import type { Fault } from "./profile.ts";

/** Who may be hit by a fault of links. */
export interface LinkEnds {
  /** Whom it is about. */
  readonly node: string;
  readonly peers: readonly string[];
  readonly clients: readonly string[];
}

/** Faults of a single direction hit one between a node and a client with this chance, otherwise one between nodes. */
const CLIENT_PART = 0.3;

/** The directions that a fault of links hits. */
export function drawLinks(fault: Fault, ends: LinkEnds, random: SeededRandom): readonly Link[] {
  const { node, peers, clients } = ends;
  const others = peers.filter((peer) => peer !== node);
  switch (fault) {
    case "isolate":
      return bothWays(node, others);
    case "cutPeers":
      return others.map((other) => [node, other]);
    case "oneWay":
      return random.nextFraction() < 0.5
        ? others.map((other) => [other, node])
        : others.map((other) => [node, other]);
    case "split":
      return bothWays(
        node,
        others.filter(() => random.nextFraction() < 0.5),
      );
    case "bridge":
      return bridge(others, random);
    case "ring":
      return ring(shuffled(peers, random));
    case "cutClients":
      return clients.map((client) => [node, client]);
    case "blockClient": {
      const client = clients[random.nextBelow(clients.length)] ?? node;
      return bothWays(client, [node]);
    }
    case "cutOffClient": {
      const client = clients[random.nextBelow(clients.length)] ?? node;
      const dice = random.nextFraction();
      if (dice < 0.6) return bothWays(client, peers);
      return peers.map((peer) => (dice < 0.8 ? [client, peer] : [peer, client]));
    }
    default: {
      const isOfClient = random.nextFraction() < CLIENT_PART;
      const circle = isOfClient ? clients : others;
      const other = circle[random.nextBelow(circle.length)] ?? node;
      return random.nextFraction() < 0.5 ? [[node, other]] : [[other, node]];
    }
  }
}

function bothWays(node: string, others: readonly string[]): readonly Link[] {
  return others.flatMap((other): readonly Link[] => [
    [node, other],
    [other, node],
  ]);
}

/** Two halves that do not reach each other, and one node between them that reaches all. */
function bridge(others: readonly string[], random: SeededRandom): readonly Link[] {
  const order = shuffled(others, random);
  const half = Math.ceil(order.length / 2);
  return order.slice(0, half).flatMap((one) => bothWays(one, order.slice(half)));
}

/** Each reaches its neighbours only, which are a majority with it, and no two the same; of three, it hears from one. */
function ring(order: readonly string[]): readonly Link[] {
  const links: Link[] = [];
  for (const [at, from] of order.entries()) {
    for (const [there, to] of order.entries()) {
      const distance = (there - at + order.length) % order.length;
      const isNear = distance <= 1 || (order.length > 3 && distance === order.length - 1);
      if (!isNear) links.push([from, to]);
    }
  }
  return links;
}

function shuffled(names: readonly string[], random: SeededRandom): readonly string[] {
  const order = [...names];
  for (let at = order.length - 1; at > 0; at -= 1) {
    const other = random.nextBelow(at + 1);
    const [a = "", b = ""] = [order[at], order[other]];
    [order[at], order[other]] = [b, a];
  }
  return order;
}
