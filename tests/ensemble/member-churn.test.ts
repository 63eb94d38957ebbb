import { connect } from "@quorate/client";
import { expect, it } from "vitest";
import { Servers, until } from "./servers.ts";

const SPARE = 3;
const PIECE = new Uint8Array(60_000).fill(7);

/** Far more than the log keeps: whoever comes new gets a snapshot. */
async function fill(servers: Servers): Promise<void> {
  await using client = await connect({ servers: servers.clients });
  await client.create("/bulk");
  for (let round = 0; round < 12; round += 1) {
    const paths = Array.from({ length: 40 }, (_, at) => `/bulk/${round}-${at}`);
    await Promise.all(paths.map((path) => client.create(path, PIECE)));
  }
  await until(() => servers.running.every((node) => node.status().checkpointZxid > 300));
}

/** How far the leader is with the spare node. */
function progressOfSpare(servers: Servers): string | undefined {
  const { leader } = servers;
  if (leader < 0) return undefined;
  return servers
    .node(leader)
    .status()
    .peers.find(({ name }) => name === "4")?.state;
}

it("a newcomer that is gone in the middle of its snapshot holds up no other change", async () => {
  await using servers = await Servers.start({
    checkpointBytes: 1_048_576,
    logSegmentBytes: 1_048_576,
    memoryLogBytesMax: 16_777_216,
  });
  await fill(servers);
  await servers.startNode(SPARE);
  await servers.changeMembers({ kind: "add", name: "4", staysLearner: false });
  await until(() => progressOfSpare(servers) === "snapshot");
  expect(servers.node(SPARE).status().znodes).toBeLessThan(300);
  await servers.stopNode(SPARE);
  await servers.changeMembers({ kind: "remove", name: "4" });
  await servers.haveVoters("1", "2", "3");
  expect(progressOfSpare(servers)).toBeUndefined();

  await servers.moveNode(SPARE);
  await servers.startNode(SPARE);
  await servers.changeMembers({ kind: "replace", name: "3", by: "4" });
  const replaced = servers.node(2);
  await until(() => servers.node(SPARE).status().membership?.voters.length === 3);
  expect(await replaced.stopped).toMatchObject({ code: "REMOVED" });
});

it("members that were added and removed many times are not there again after restarts, and who votes goes on voting", async () => {
  await using servers = await Servers.start({ checkpointBytes: 4_096, logSegmentBytes: 8_192 });
  await using client = await connect({ servers: servers.clients });
  await client.create("/a", "0");
  for (let round = 1; round <= 4; round += 1) {
    const spare = await servers.startNode(SPARE);
    await servers.changeMembers({ kind: "add", name: "4", staysLearner: true });
    await until(() => spare.status().membership?.learners.length === 1);
    await servers.changeMembers({ kind: "promote", name: "4" });
    await servers.haveVoters("1", "2", "3", "4");
    await client.set("/a", new Uint8Array(6_000).fill(round));
    await servers.stopNode(SPARE);
    if (round === 4) break;
    await servers.changeMembers({ kind: "remove", name: "4" });
    await servers.haveVoters("1", "2", "3");
    await servers.moveNode(SPARE);
  }
  for (let restart = 0; restart < 2; restart += 1) {
    await Promise.all([0, 1, 2].map((at) => servers.stopNode(at)));
    await Promise.all([0, 1, 2, SPARE].map((at) => servers.startNode(at)));
    await servers.ready();
    await servers.haveVoters("1", "2", "3", "4");
    await servers.agree();
    if (restart === 0) await servers.stopNode(SPARE);
  }
});
