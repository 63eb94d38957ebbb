import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Ensemble } from "./ensemble.ts";
import { fakeSystem } from "./fake/fake-system.ts";
import type { System } from "./systems/system.ts";

async function start(system: System): Promise<Ensemble> {
  const directory = mkdtempSync(join(tmpdir(), "quorate-ensemble-"));
  const ensemble = await Ensemble.start({ system, directory, nodes: 3 });
  onTestFinished(async () => {
    await ensemble.kill();
    rmSync(directory, { recursive: true, force: true });
  });
  return ensemble;
}

test("few sessions are attached to followers, whoever leads", async () => {
  const ensemble = await start(fakeSystem("fake"));
  const [first, second, third] = ensemble.servers;
  expect(await ensemble.serversLeaderLast()).toEqual([second, third, first]);
});

test("while two nodes claim to lead, neither is taken for the leader", async () => {
  const fake = fakeSystem("fake");
  // The second one was stopped while it led: it needs a moment to notice.
  let rounds = 3;
  const ensemble = await start({
    ...fake,
    probe: async (node) => {
      const probe = await fake.probe(node);
      if (node.number === 2) rounds -= 1;
      const isMistaken = node.number === 2 && rounds > 0;
      return probe === null ? null : { ...probe, isLeader: probe.isLeader || isMistaken };
    },
  });
  rounds = 3;
  expect((await ensemble.leader()).number).toBe(1);
  expect(rounds).toBeLessThanOrEqual(0);
});
