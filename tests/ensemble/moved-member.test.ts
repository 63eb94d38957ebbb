import { expect, it } from "vitest";
import { Servers, until } from "./servers.ts";

const MOVED = 2;
const NAME = "3";

it("a node that was removed and added again at another address catches up, and votes", async () => {
  await using servers = await Servers.start();
  await lead(servers);
  await servers.stopNode(MOVED);
  await servers.changeMembers({ kind: "remove", name: NAME });
  await until(() => votersOf(servers).length === 2);
  const address = await servers.moveNode(MOVED);
  await servers.startNode(MOVED, { join: true });
  await servers.changeMembers({ kind: "add", name: NAME, staysLearner: false });
  await caughtUp(servers, address);
});

it("a node that comes back without its data at another address catches up, and votes", async () => {
  await using servers = await Servers.start();
  await lead(servers);
  await servers.stopNode(MOVED);
  const address = await servers.moveNode(MOVED);
  await servers.startNode(MOVED, { rejoin: true });
  await caughtUp(servers, address);
});

/** One of the others leads. */
async function lead(servers: Servers): Promise<void> {
  await until(() => servers.leader >= 0);
  if (servers.leader === MOVED) await servers.node(MOVED).transferLeadership(null);
  await until(() => servers.leaderBeside(MOVED) >= 0);
}

function votersOf(servers: Servers): readonly number[] {
  const leader = servers.leader;
  return leader < 0 ? [] : (servers.node(leader).status().membership?.voters ?? []);
}

async function caughtUp(servers: Servers, address: string): Promise<void> {
  const { nodeId } = servers.node(MOVED).status();
  await until(() => votersOf(servers).includes(nodeId));
  await servers.ready();
  await servers.agree();
  // All say where it is, and it is in touch with each of them.
  for (const node of servers.running) {
    const { membership } = node.status();
    const shown = membership?.members.find(({ name }) => name === NAME);
    expect(shown).toMatchObject({ id: nodeId, peerAddress: address });
  }
  await until(() => servers.node(servers.leader).status().connectedPeers.length === 2);
}
