import { expect, test } from "vitest";
import { findLeftOver } from "./ensemble/left-over.ts";
import { drawProfile } from "./ensemble/profile.ts";
import { SimClient } from "./ensemble/sim-client.ts";
import { World } from "./ensemble/world.ts";

test("what a client has not given back is told of its node and of its host", async () => {
  const world = new World({ ...drawProfile(1, "general"), nodes: 3, spares: 0 }, null);
  using _ = world.cores;
  const host = new SimClient(world, 1);
  const until = async (isDone: () => boolean): Promise<void> => {
    await world.time.runUntil(world.time.nowMs + 30_000, isDone);
    expect([world.failure, isDone()]).toEqual([null, true]);
  };
  for (const node of world.nodes) node.start();
  await until(() => world.members()?.every(({ server }) => server?.status().leader) ?? false);
  const opened = host.connect();
  const answered = opened.then((client) => client.get("/"));
  let isAnswered = false;
  answered.then(
    () => {
      isAnswered = true;
    },
    (error: unknown) => world.fail(error),
  );
  await until(() => isAnswered);
  const names = (): readonly string[] =>
    findLeftOver(world, [host]).map((each) => each.replace(/ \d+$/, ""));
  expect(names()).toEqual(expect.arrayContaining(["c1 connections", "c1 timers", "n1 sessions"]));
  expect(names().filter((each) => each.endsWith("sessionsAttached"))).toHaveLength(1);
  const client = await opened;
  client.close().catch((error: unknown) => world.fail(error));
  await until(() => names().length === 0);
});
