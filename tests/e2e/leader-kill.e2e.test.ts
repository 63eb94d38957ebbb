import { connect } from "@quorate/client";
import { expect, test } from "vitest";
import { startEnsemble } from "./ensemble.ts";
import { RegisterWorkload } from "./register-workload.ts";
import { verifyHistory } from "./verify-history.ts";

const CLIENTS = 50;
const PATHS = ["/a", "/b", "/c", "/d", "/e"];
const KILLS = 3;
const OPERATIONS_BETWEEN = 1_000;
/** Writes that must be under way while nobody leads. */
const IN_DOUBT = 10;

test("kill -9 of the leader under load loses nothing, doubles nothing and leaves nothing in doubt", async () => {
  const ensemble = await startEnsemble();
  await using workload = await RegisterWorkload.start({
    servers: ensemble.servers,
    clients: CLIENTS,
    paths: PATHS,
    sessionTimeoutMs: 15_000,
    seed: 1,
  });
  const first = await ensemble.leader();
  workload.noteLeader(first.name, first.term);
  for (let kill = 0; kill < KILLS; kill += 1) {
    await workload.progress(OPERATIONS_BETWEEN);
    const leader = await ensemble.leader();
    workload.noteFault(`kill ${leader.name}`);
    const killedMs = performance.now();
    await ensemble.kill(leader.name);
    await workload.noteFaultInDoubt(`${leader.name} is gone`, IN_DOUBT);
    const next = await ensemble.leader(leader.term);
    console.log(
      `node ${next.name} leads ${Math.round(performance.now() - killedMs)} ms after the kill`,
    );
    workload.noteLeader(next.name, next.term);
    await workload.progress(OPERATIONS_BETWEEN);
    ensemble.start(leader.name);
    await ensemble.waitUntilReady([leader.name]);
  }
  const history = await workload.stop();

  const alive = workload.clients.filter((client) => client.state.kind === "connected");
  expect(alive).toHaveLength(CLIENTS);
  await using reader = await connect({ servers: ensemble.servers });
  await verifyHistory(
    "leader-kill",
    history,
    {
      operations: KILLS * 2 * OPERATIONS_BETWEEN,
      paths: PATHS.length,
      concurrencyMin: 8,
      inDoubtResolved: KILLS * IN_DOUBT,
      leaderChanges: KILLS,
    },
    reader,
  );
  expect(history.filter((record) => isUnknown(record))).toEqual([]);
  await ensemble.waitForEqualDigests();
});

function isUnknown(record: {
  readonly kind: string;
  readonly outcome?: { readonly kind: string };
}): boolean {
  return record.outcome?.kind === "unknown";
}
