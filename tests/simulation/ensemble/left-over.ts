import type { SimClient } from "./sim-client.ts";
import type { World } from "./world.ts";

/**
 * What is still there although nobody asks for anything any more: queues that are not empty, connections, watches, images,
 * segments of logs, timers of clients. Each with its count; empty once everything has drained and nothing has leaked.
 */
export function findLeftOver(world: World, clients: readonly SimClient[]): readonly string[] {
  const found: string[] = [];
  const note = (who: string, counts: object): void => {
    for (const [what, count] of Object.entries(counts)) {
      if (count !== 0) found.push(`${who} ${what} ${count}`);
    }
  };
  for (const { name, server, spareImages, spareSegments } of world.members() ?? []) {
    if (server === null) continue;
    const { sessions, connections, watches, underWay } = server.status();
    note(name, { sessions, connections, watches, spareImages, spareSegments, ...underWay });
  }
  for (const { name, clock } of clients) {
    note(name, { timers: clock.timers, connections: world.network.connectionsOf(name) });
  }
  return found;
}
