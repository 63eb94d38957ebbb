import { connect, type QuorateClient } from "@quorate/client";
import {
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { quorate } from "./command.ts";
import { startEnsemble, type TestEnsemble } from "./ensemble.ts";
import { poll } from "./poll.ts";
import { RegisterWorkload } from "./register-workload.ts";
import { verifyHistory } from "./verify-history.ts";
import { longestWriteGap } from "./write-gap.ts";

/** `SERVER_EXIT_CODES.data` */
const EXIT_DATA = 4;
const REPAIR_MS = 60_000;
const ZNODES = 400;
/** So that there is an image soon, and several files of the log. */
const FLAGS = ["--checkpoint-bytes", "200000", "--log-segment-bytes", "262144"];

/** Returns once every node has an image. */
async function fill(ensemble: TestEnsemble, client: QuorateClient): Promise<void> {
  await client.create("/before");
  const data = new Uint8Array(2_048).fill(9);
  await Promise.all(
    Array.from({ length: ZNODES }, (_, at) => client.create(`/before/${at}`, data)),
  );
  await poll("images of all nodes", REPAIR_MS, async () => {
    const statuses = await ensemble.statuses();
    return statuses.every(({ checkpointZxid }) => checkpointZxid > 0) ? true : null;
  });
}

/** Changes one byte of a file. */
function flip(path: string, at: number): void {
  const file = openSync(path, "r+");
  try {
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ 0xff;
    writeSync(file, byte, 0, 1, at);
  } finally {
    closeSync(file);
  }
}

/** Files of a directory, the largest first. */
function filesIn(directory: string): readonly string[] {
  return readdirSync(directory)
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile())
    .sort((a, b) => statSync(b).size - statSync(a).size);
}

/** In the first record of the log's oldest file: others follow it, so it is no torn tail. */
function flipLog(directory: string): void {
  const [oldest = ""] = [...filesIn(join(directory, "log"))].sort();
  flip(oldest, 300);
}

/** The largest table of the image. */
function tableOf(directory: string): string {
  const image = readdirSync(directory).find((name) => name.startsWith("image-")) ?? "";
  return filesIn(join(directory, image)).find((path) => path.endsWith(".ldb")) ?? "";
}

function flipImage(directory: string): void {
  const table = tableOf(directory);
  flip(table, Math.floor(statSync(table).size / 3));
}

/** In the middle of the database's own log. */
function flipBatches(directory: string): void {
  const image = readdirSync(directory).find((name) => name.startsWith("image-")) ?? "";
  const log = filesIn(join(directory, image)).find((path) => path.endsWith(".log")) ?? "";
  flip(log, Math.floor(statSync(log).size / 2));
}

/** Of what the system has mapped into memory the rest is then no memory any more. */
function cutImage(directory: string): void {
  truncateSync(tableOf(directory), 8_192);
}

function startWorkload({ servers }: TestEnsemble): Promise<RegisterWorkload> {
  const sessions = { clients: 4, paths: ["/a", "/b"], sessionTimeoutMs: 60_000, seed: 6 };
  return RegisterWorkload.start({ servers, ...sessions });
}

/** With its next start the image goes from the database's own log into tables. */
async function restart(ensemble: TestEnsemble, name: string): Promise<void> {
  await ensemble.stop(name);
  ensemble.start(name);
  await ensemble.waitUntilReady([name]);
}

/** Returns once what was damaged has been set aside. */
async function setAside(ensemble: TestEnsemble, name: string): Promise<void> {
  await poll("what it has to be set aside", REPAIR_MS, () =>
    readdirSync(ensemble.plan(name).dataDirectory).includes("damaged-1") ? true : null,
  );
}

/** Returns once it votes as who it is by now: until then the leader may name who it was. */
async function toVote(ensemble: TestEnsemble, name: string): Promise<void> {
  await poll(`${name} to vote again`, REPAIR_MS, async () => {
    const [member, status] = await Promise.all([ensemble.member(name), ensemble.status(name)]);
    const votes = member?.role === "voter" || member?.role === "leader";
    return votes && member.id === status?.nodeId ? true : null;
  });
}

test.each([
  ["log", flipLog],
  ["image", flipImage],
  ["image, cut short,", cutImage],
])("a node with a damaged %s says so and is made good by its peers", async (_what, damage) => {
  const ensemble = await startEnsemble({ flags: FLAGS });
  await using client = await connect({ servers: ensemble.servers, sessionTimeoutMs: 30_000 });
  await fill(ensemble, client);
  await using workload = await startWorkload(ensemble);
  const leader = await ensemble.leader();
  workload.noteLeader(leader.name, leader.term);
  const victim = ensemble.names.find((name) => name !== leader.name) ?? "";
  await restart(ensemble, victim);
  await ensemble.stop(victim);
  damage(ensemble.plan(victim).dataDirectory);

  ensemble.start(victim);
  await ensemble.waitUntilReady([victim]);
  expect(ensemble.log(victim)).toContain("the data are damaged");
  expect(readdirSync(ensemble.plan(victim).dataDirectory)).toContain("damaged-1");
  await toVote(ensemble, victim);
  await workload.progress(200);
  const last = await ensemble.leader();
  workload.noteLeader(last.name, last.term);
  const history = await workload.stop();
  await verifyHistory("repair", history, { operations: 200, paths: 2, concurrencyMin: 2 }, client);
  await ensemble.waitForEqualDigests();
  expect((await client.children("/before")).names).toHaveLength(ZNODES);
});

test("a leader whose log is damaged while it serves finds out, and lets another lead before it is made good", async () => {
  const ensemble = await startEnsemble({ flags: [...FLAGS, "--scrub-interval-ms", "3000"] });
  await using client = await connect({ servers: ensemble.servers, sessionTimeoutMs: 30_000 });
  await fill(ensemble, client);
  const follower = await ensemble.leader();
  const victim = ensemble.names.find((name) => name !== follower.name) ?? "";
  await restart(ensemble, victim);
  await quorate("leader", "transfer", victim, "-s", ensemble.servers.join(","));
  await using workload = await startWorkload(ensemble);
  const before = await ensemble.leader();
  expect(before.name).toBe(victim);
  workload.noteLeader(before.name, before.term);
  flipLog(ensemble.plan(victim).dataDirectory);

  await poll("the damage to be found", REPAIR_MS, () =>
    ensemble.log(victim).includes("starts anew") ? true : null,
  );
  await setAside(ensemble, victim);
  await toVote(ensemble, victim);
  await workload.progress(200);
  const last = await ensemble.leader();
  workload.noteLeader(last.name, last.term);
  const history = await workload.stop();
  const gapMs = longestWriteGap(history);
  console.log(`longest time without an acknowledged write: ${Math.round(gapMs)} ms`);
  expect(gapMs).toBeLessThan(1_000);
  await verifyHistory("scrub", history, { operations: 200, paths: 2, concurrencyMin: 2 }, client);
  await ensemble.waitForEqualDigests();
});

test("a node whose log is damaged goes on as long as the leader cannot let it leave", async () => {
  const ensemble = await startEnsemble({ flags: [...FLAGS, "--scrub-interval-ms", "2000"] });
  await using client = await connect({ servers: ensemble.servers, sessionTimeoutMs: 30_000 });
  await fill(ensemble, client);
  const { name: leader } = await ensemble.leader();
  const [victim = "", away = ""] = ensemble.names.filter((name) => name !== leader);
  await ensemble.kill(away);
  flipLog(ensemble.plan(victim).dataDirectory);
  await poll("the damage to be found", REPAIR_MS, () =>
    ensemble.log(victim).includes("the leader does not let it leave yet") ? true : null,
  );
  await client.create("/without");
  expect(readdirSync(ensemble.plan(victim).dataDirectory)).not.toContain("damaged-1");
  ensemble.start(away);
  await setAside(ensemble, victim);
  await toVote(ensemble, victim);
  await ensemble.waitForEqualDigests();
  expect(await client.exists("/without")).not.toBeNull();
});

test.each([
  [3, "a table of its image", flipImage],
  [1, "a table of its image", flipImage],
  [1, "what is in no table yet", flipBatches],
] as const)(
  "of %i nodes the leader, where %s is damaged while it serves, writes its image anew and goes on leading",
  async (nodes, _what, damage) => {
    const ensemble = await startEnsemble({
      nodes,
      flags: [...FLAGS, "--scrub-interval-ms", "2000"],
    });
    await using client = await connect({ servers: ensemble.servers, sessionTimeoutMs: 30_000 });
    await fill(ensemble, client);
    const { name } = await ensemble.leader();
    const { dataDirectory } = ensemble.plan(name);
    if (damage === flipImage) await restart(ensemble, name);
    if (nodes > 1) await quorate("leader", "transfer", name, "-s", ensemble.servers.join(","));
    const before = await ensemble.leader();
    damage(dataDirectory);
    await poll("the image to be whole again", REPAIR_MS, () =>
      ensemble.log(name).includes("the image is whole again") ? true : null,
    );
    await client.create("/after");
    expect(await ensemble.leader()).toMatchObject({ name, term: before.term });
    expect(readdirSync(dataDirectory)).not.toContain("damaged-1");
    await ensemble.waitForEqualDigests();
    await restart(ensemble, name);
    expect(readdirSync(dataDirectory)).not.toContain("damaged-1");
    expect((await client.children("/before")).names).toHaveLength(ZNODES);
    expect(await client.exists("/after")).not.toBeNull();
  },
);

test("a lone node writes its image anew when a backup finds it damaged, and the next backup is whole", async () => {
  const ensemble = await startEnsemble({ nodes: 1, flags: FLAGS });
  await using client = await connect({ servers: ensemble.servers, sessionTimeoutMs: 30_000 });
  await fill(ensemble, client);
  const [name = ""] = ensemble.names;
  const { dataDirectory } = ensemble.plan(name);
  await restart(ensemble, name);
  flipImage(dataDirectory);
  const file = join(dataDirectory, "backup");
  const save = ["snapshot", "save", file, "-s", ensemble.servers.join(",")] as const;
  expect(await quorate(...save)).toMatchObject({ exit: 5 });
  await poll("the image to be whole again", REPAIR_MS, () =>
    ensemble.log(name).includes("the image is whole again") ? true : null,
  );
  expect(await quorate(...save)).toMatchObject({ exit: 0 });
  expect(await quorate("snapshot", "verify", file)).toMatchObject({ exit: 0 });
});

test("a node whose image is cut short while it serves is ended by no signal, and serves with all there was", async () => {
  const ensemble = await startEnsemble({ flags: [...FLAGS, "--scrub-interval-ms", "3000"] });
  await using client = await connect({ servers: ensemble.servers, sessionTimeoutMs: 30_000 });
  await fill(ensemble, client);
  const leader = await ensemble.leader();
  const victim = ensemble.names.find((name) => name !== leader.name) ?? "";
  // With its next start the image goes from the database's own log into tables, and the one after it reads them.
  for (let time = 0; time < 2; time += 1) {
    await restart(ensemble, victim);
  }
  await using workload = await startWorkload(ensemble);
  workload.noteLeader(leader.name, leader.term);
  const { dataDirectory } = ensemble.plan(victim);
  const table = tableOf(dataDirectory);
  cutImage(dataDirectory);
  const { ino } = statSync(table);

  await poll("the damaged image to be given up", REPAIR_MS, () => {
    expect(ensemble.local.node(victim).exit).toBeNull();
    return existsSync(table) && statSync(table).ino === ino ? null : true;
  });
  await toVote(ensemble, victim);
  await ensemble.waitUntilReady([victim]);
  await workload.progress(200);
  const last = await ensemble.leader();
  workload.noteLeader(last.name, last.term);
  const history = await workload.stop();
  await verifyHistory(
    "cut image",
    history,
    { operations: 200, paths: 2, concurrencyMin: 2 },
    client,
  );
  // What it has by now is what it starts from.
  expect(await ensemble.stop(victim)).toEqual({ code: 0, signal: null });
  ensemble.start(victim);
  await ensemble.waitUntilReady([victim]);
  await ensemble.waitForEqualDigests();
  expect((await client.children("/before")).names).toHaveLength(ZNODES);
});

test("with --repair false, and without peers, damage ends the node", async () => {
  for (const [nodes, extra] of [
    [3, ["--repair", "false"]],
    [1, []],
  ] as const) {
    const ensemble = await startEnsemble({ nodes, flags: FLAGS });
    const client = await connect({ servers: ensemble.servers });
    await fill(ensemble, client);
    await client.close();
    const victim = ensemble.names.at(-1) ?? "";
    await ensemble.stop(victim);
    flipLog(ensemble.plan(victim).dataDirectory);
    ensemble.start(victim, extra);
    expect(await ensemble.exitOf(victim, REPAIR_MS)).toEqual({ code: EXIT_DATA, signal: null });
    expect(ensemble.log(victim)).toContain("LOG_CORRUPT");
  }
});

test("a node whose files were put back from an older copy says what they lack, and is made good by its peers", async () => {
  const ensemble = await startEnsemble();
  await using client = await connect({ servers: ensemble.servers, sessionTimeoutMs: 30_000 });
  await client.create("/before");
  const leader = await ensemble.leader();
  const victim = ensemble.names.find((name) => name !== leader.name) ?? "";
  const { dataDirectory } = ensemble.plan(victim);
  await ensemble.waitForEqualDigests();
  await ensemble.stop(victim);
  cpSync(dataDirectory, `${dataDirectory}-copy`, { recursive: true });
  ensemble.start(victim);
  await ensemble.waitUntilReady([victim]);
  await client.create("/acknowledged");
  await ensemble.waitForEqualDigests();
  await ensemble.stop(victim);
  rmSync(dataDirectory, { recursive: true });
  cpSync(`${dataDirectory}-copy`, dataDirectory, { recursive: true });

  ensemble.start(victim);
  await poll("the loss to be found", REPAIR_MS, () =>
    ensemble.log(victim).includes("the leader knows that this node held more") ? true : null,
  );
  await setAside(ensemble, victim);
  await toVote(ensemble, victim);
  await ensemble.waitForEqualDigests();
  expect(await client.exists("/acknowledged")).not.toBeNull();
});
