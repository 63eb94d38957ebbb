import { connect } from "@quorate/client";
import { expect, test } from "vitest";
import { quorate } from "./command.ts";
import { startEnsemble, type TestEnsemble } from "./ensemble.ts";
import { poll } from "./poll.ts";
import { RegisterWorkload } from "./register-workload.ts";
import { verifyHistory } from "./verify-history.ts";
import { Witness } from "./witness.ts";
import { longestWriteGap } from "./write-gap.ts";

/** `SERVER_EXIT_CODES.refused` */
const EXIT_REFUSED = 6;
const ENDS_MS = 20_000;
/** No write may wait longer than this for a change of the members, ms. */
const GAP_MS_MAX = 1_000;

/** Six clients that write all the time and know only the nodes that formed the ensemble. */
function startWorkload(ensemble: TestEnsemble, seed: number): Promise<RegisterWorkload> {
  return RegisterWorkload.start({
    servers: ensemble.founders.map((name) => ensemble.directServer(name)),
    clients: 6,
    paths: ["/a", "/b"],
    sessionTimeoutMs: 20_000,
    thinkMs: 20,
    seed,
  });
}

/** A command about the members that must succeed. */
async function change(ensemble: TestEnsemble, ...args: readonly string[]): Promise<string> {
  const servers = ensemble.founders.map((name) => ensemble.directServer(name)).join(",");
  const { exit, output } = await quorate(...args, "--servers", servers);
  expect([args.join(" "), exit, output]).toEqual([args.join(" "), 0, output]);
  return output;
}

async function namesOf(ensemble: TestEnsemble): Promise<readonly string[]> {
  const { members } = JSON.parse(await change(ensemble, "member", "ls", "--json"));
  return members.map(({ name }: { readonly name: string }) => name);
}

async function noteLeader(ensemble: TestEnsemble, workload: RegisterWorkload): Promise<string> {
  const { name, term } = await ensemble.leader();
  workload.noteLeader(name, term);
  return name;
}

test("three nodes become five and then three others, the leader among those that go", async () => {
  const ensemble = await startEnsemble({ nodes: 6, founders: 3 });
  await using client = await connect({
    servers: ensemble.founders.map((name) => ensemble.directServer(name)),
    sessionTimeoutMs: 20_000,
  });
  const witness = await Witness.on(client, 12);
  await using workload = await startWorkload(ensemble, 11);
  await noteLeader(ensemble, workload);

  for (const name of ["4", "5"]) {
    ensemble.start(name, ["--join"]);
    expect(await change(ensemble, "member", "add", name)).toContain(`${name} votes`);
    await witness.write();
    await workload.progress(100);
  }
  expect(await namesOf(ensemble)).toEqual(["1", "2", "3", "4", "5"]);

  const first = await noteLeader(ensemble, workload);
  await change(ensemble, "member", "remove", first);
  expect(await ensemble.exitOf(first, ENDS_MS)).toEqual({ code: EXIT_REFUSED, signal: null });
  expect(ensemble.log(first)).toContain("REMOVED");
  await noteLeader(ensemble, workload);
  await witness.write();
  await workload.progress(100);

  const [second = "", third = ""] = ensemble.founders.filter((name) => name !== first);
  await change(ensemble, "member", "remove", second);
  await witness.write();
  ensemble.start("6", ["--join"]);
  await change(ensemble, "leader", "transfer", third);
  await noteLeader(ensemble, workload);
  const output = await change(ensemble, "member", "replace", third, "6");
  expect(output).toContain(`6 votes in the place of ${third}; 3 voters, of which 1 may fail`);
  for (const name of [second, third]) await ensemble.exitOf(name, ENDS_MS);
  await noteLeader(ensemble, workload);
  await workload.progress(200);

  const history = await workload.stop();
  await using reader = await connect({
    servers: ["4", "5", "6"].map((name) => ensemble.directServer(name)),
  });
  await witness.check(reader);
  const minimums = { operations: 600, paths: 2, concurrencyMin: 3, leaderChanges: 2 };
  await verifyHistory("membership", history, minimums, reader);
  await ensemble.waitForEqualDigests(["4", "5", "6"]);
  expect(client.state.kind).toBe("connected");
  const gapMs = longestWriteGap(history);
  console.log(`longest time without an acknowledged write: ${Math.round(gapMs)} ms`);
  expect(gapMs).toBeLessThan(GAP_MS_MAX);

  // Who the members are is in the log, not yet in an image: they find each other by it.
  await Promise.all(["4", "5", "6"].map((name) => ensemble.kill(name)));
  for (const name of ["4", "5", "6"]) ensemble.start(name);
  await ensemble.waitUntilReady(["4", "5", "6"]);
  await client.create("/after-all", "", { timeoutMs: 60_000 });
});

test("a node that died for good is replaced, and ends when it comes back after all", async () => {
  const ensemble = await startEnsemble({ nodes: 4, founders: 3 });
  await using client = await connect({ servers: ensemble.servers, sessionTimeoutMs: 20_000 });
  await client.create("/before", "x");
  const leader = (await ensemble.leader()).name;
  const [victim = "", other = ""] = ensemble.founders.filter((name) => name !== leader);
  await ensemble.kill(victim);
  const servers = ensemble.directServer(leader);

  // Two of three are left: one more gone, and nothing could be decided.
  await poll("the leader to miss the victim", ENDS_MS, async () =>
    (await ensemble.member(victim))?.isActive === false ? true : null,
  );
  const refused = await quorate("member", "remove", other, "-s", servers);
  expect(refused.output).toContain(`${victim} does not`);
  const trial = await quorate("member", "replace", victim, "4", "--dry-run", "-s", servers);
  expect(trial.output).toContain("nothing was changed");

  ensemble.start("4", ["--join"]);
  await change(ensemble, "member", "replace", victim, "4");
  expect(await namesOf(ensemble)).toEqual([leader, other, "4"].sort());
  ensemble.start(victim);
  expect(await ensemble.exitOf(victim, ENDS_MS)).toEqual({ code: EXIT_REFUSED, signal: null });

  // The new node counts: with it and one of the others there is a quorum.
  await ensemble.kill(leader);
  await client.create("/after", "y", { timeoutMs: 60_000 });
});

test("a restart of one node after the other loses no write and keeps sessions and watches", async () => {
  const ensemble = await startEnsemble();
  await using client = await connect({ servers: ensemble.servers, sessionTimeoutMs: 20_000 });
  const witness = await Witness.on(client, 9);
  await using workload = await startWorkload(ensemble, 12);
  for (const name of ensemble.names) {
    await noteLeader(ensemble, workload);
    await witness.write();
    expect(await ensemble.stop(name)).toEqual({ code: 0, signal: null });
    await witness.write();
    ensemble.start(name);
    await ensemble.waitUntilReady([name]);
    await workload.progress(100);
  }
  await noteLeader(ensemble, workload);
  const history = await workload.stop();
  await using reader = await connect({ servers: ensemble.servers });
  await witness.check(reader);
  const minimums = { operations: 500, paths: 2, concurrencyMin: 3, leaderChanges: 1 };
  await verifyHistory("rolling-restart", history, minimums, reader);
  const gapMs = longestWriteGap(history);
  console.log(`longest time without an acknowledged write: ${Math.round(gapMs)} ms`);
  expect(gapMs).toBeLessThan(GAP_MS_MAX);
});

test("the node with the highest priority ends up leading, after its restart as well", async () => {
  const ensemble = await startEnsemble();
  const preferred = (await ensemble.leader()).name === "3" ? "2" : "3";
  const leads = (): Promise<true> =>
    poll(`node ${preferred} to lead`, ENDS_MS, async () =>
      (await ensemble.leader()).name === preferred ? true : null,
    );
  for (let round = 0; round < 2; round += 1) {
    await ensemble.stop(preferred);
    ensemble.start(preferred, ["--priority", "200"]);
    await ensemble.waitUntilReady([preferred]);
    await leads();
  }
});
