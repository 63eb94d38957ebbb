import { connect } from "@quorate/client";
import { expect, test } from "vitest";
import { startEnsemble } from "./ensemble.ts";
import { RegisterWorkload } from "./register-workload.ts";
import { verifyHistory } from "./verify-history.ts";

const CLIENTS = 10;
const ROUNDS = 2;
/** Writes that must be under way while no node runs. */
const IN_DOUBT = 4;

test("after kill -9 of all nodes at once everything acknowledged is there", async () => {
  const ensemble = await startEnsemble();
  await using workload = await RegisterWorkload.start({
    servers: ensemble.servers,
    clients: CLIENTS,
    paths: ["/a", "/b"],
    sessionTimeoutMs: 30_000,
    seed: 2,
  });
  const before = await ensemble.leader();
  workload.noteLeader(before.name, before.term);
  for (let round = 0; round < ROUNDS; round += 1) {
    await workload.progress(500);
    workload.noteFault("kill all");
    await ensemble.killAllAtOnce();
    await workload.noteFaultInDoubt("all are gone", IN_DOUBT);
    for (const name of ensemble.names) ensemble.start(name);
    await ensemble.waitUntilReady();
    const leader = await ensemble.leader();
    workload.noteLeader(leader.name, leader.term);
    await workload.progress(500);
  }
  const history = await workload.stop();

  await using reader = await connect({ servers: ensemble.servers });
  await verifyHistory(
    "restart-all",
    history,
    {
      operations: 2_000,
      concurrencyMin: 4,
      inDoubtResolved: ROUNDS * IN_DOUBT,
      leaderChanges: ROUNDS,
    },
    reader,
  );
  expect(workload.clients.every((client) => client.state.kind === "connected")).toBe(true);
  await ensemble.waitForEqualDigests();
});

test("a node that is stopped and started again serves what it had, without its peers' help", async () => {
  const ensemble = await startEnsemble({ nodes: 1 });
  const [name = ""] = ensemble.names;
  await using client = await connect({ servers: ensemble.servers, sessionTimeoutMs: 30_000 });
  await client.create("/kept", "by the log");
  expect(await ensemble.stop(name)).toEqual({ code: 0, signal: null });
  ensemble.start(name);
  await ensemble.waitUntilReady();
  const { data } = await client.get("/kept");
  expect(new TextDecoder().decode(data)).toBe("by the log");
});
