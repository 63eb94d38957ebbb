import { connect, type QuorateClient } from "@quorate/client";
import { expect, test } from "vitest";
import { startEnsemble } from "./ensemble.ts";

const ZNODES = 300;
/** `SERVER_EXIT_CODES.refused` */
const EXIT_REFUSED = 6;

test("a follower that lost its data is refused under its old identity and comes back with --rejoin", async () => {
  const ensemble = await startEnsemble();
  await using client = await connect({ servers: ensemble.servers, sessionTimeoutMs: 30_000 });
  await createMany(client, "/before");
  const leader = await ensemble.leader();
  const follower = ensemble.names.find((name) => name !== leader.name) ?? "";
  const idBefore = (await ensemble.status(follower))?.name;
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
  const third = ensemble.names.find((name) => name !== follower && name !== now.name) ?? "";
  await ensemble.kill(now.name === follower ? third : now.name);
  await client.create("/with-the-rejoined", "", { timeoutMs: 20_000 });
  const { names } = await client.children("/while-away");
  expect(names).toHaveLength(ZNODES);
});

async function createMany(client: QuorateClient, parent: string): Promise<void> {
  await client.create(parent);
  const data = new Uint8Array(512).fill(7);
  await Promise.all(
    Array.from({ length: ZNODES }, (_, index) => client.create(`${parent}/${index}`, data)),
  );
}
