import { connect, type QuorateClient } from "@quorate/client";
import { expect, test } from "vitest";
import { startEnsemble } from "./ensemble.ts";
import { RegisterWorkload } from "./register-workload.ts";
import { verifyHistory } from "./verify-history.ts";

const ZNODES = 300;
/** `SERVER_EXIT_CODES.refused` */
const EXIT_REFUSED = 6;

test("a follower that lost its data is refused under its old identity and comes back with --rejoin", async () => {
  const ensemble = await startEnsemble();
  await using client = await connect({ servers: ensemble.servers, sessionTimeoutMs: 30_000 });
  await createMany(client, "/before");
  await using workload = await RegisterWorkload.start({
    servers: ensemble.servers,
    clients: 6,
    paths: ["/a", "/b"],
    sessionTimeoutMs: 60_000,
    thinkMs: 40,
    seed: 5,
  });
  const leader = await ensemble.leader();
  workload.noteLeader(leader.name, leader.term);
  const follower = ensemble.names.find((name) => name !== leader.name) ?? "";
  const idBefore = (await ensemble.status(follower))?.name;
  await workload.progress(200);
  workload.noteFault("wipe");
  await ensemble.kill(follower);
  ensemble.wipe(follower);

  ensemble.start(follower);
  expect(await ensemble.exitOf(follower, 20_000)).toEqual({ code: EXIT_REFUSED, signal: null });
  expect(ensemble.log(follower)).toContain("IDENTITY_REFUSED");
  expect(ensemble.log(follower)).toContain("--rejoin");

  await createMany(client, "/while-away");
  ensemble.start(follower, ["--rejoin"]);
  await ensemble.waitUntilReady([follower]);
  await ensemble.waitForEqualDigests();
  expect((await ensemble.status(follower))?.name).toBe(idBefore);

  // Restarted once more it needs no flag, and it counts: with one of the other two gone it makes the quorum.
  await ensemble.kill(follower);
  ensemble.start(follower);
  await ensemble.waitUntilReady([follower]);
  const now = await ensemble.leader();
  workload.noteLeader(now.name, now.term);
  const third = ensemble.names.find((name) => name !== follower && name !== now.name) ?? "";
  const victim = now.name === follower ? third : now.name;
  workload.noteFault(`kill ${victim}`);
  await ensemble.kill(victim);
  await workload.noteFaultInDoubt(`${victim} is gone`, 1);
  await client.create("/with-the-rejoined", "", { timeoutMs: 60_000 });
  const last = await ensemble.leader();
  workload.noteLeader(last.name, last.term);
  const { names } = await client.children("/while-away");
  expect(names).toHaveLength(ZNODES);

  await workload.progress(200);
  const history = await workload.stop();
  const minimums = {
    operations: 400,
    paths: 2,
    concurrencyMin: 3,
    inDoubtResolved: 1,
    leaderChanges: victim === now.name ? 1 : 0,
  };
  const strength = await verifyHistory("wiped-follower", history, minimums, client);
  expect(strength.unknown).toBe(0);
});

async function createMany(client: QuorateClient, parent: string): Promise<void> {
  await client.create(parent);
  const data = new Uint8Array(512).fill(7);
  await Promise.all(
    Array.from({ length: ZNODES }, (_, index) => client.create(`${parent}/${index}`, data)),
  );
}
