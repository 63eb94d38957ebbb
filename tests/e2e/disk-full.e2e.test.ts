import { connect } from "@quorate/client";
import { expect, test, type TestContext } from "vitest";
import type { HistoryRecord } from "../linearizability/history.ts";
import { quorate } from "./command.ts";
import { startEnsemble, type TestEnsemble } from "./ensemble.ts";
import { poll } from "./poll.ts";
import { RegisterWorkload } from "./register-workload.ts";
import { cannotMount } from "./small-disk.ts";
import { verifyHistory } from "./verify-history.ts";
import { Witness } from "./witness.ts";
import { longestWriteGap } from "./write-gap.ts";

const ENDS_MS = 30_000;
/** No write may wait longer than this for a full disk of one node, ms. */
const GAP_MS_MAX = 1_000;
const MIB = 1_048_576;
/** Segments so small that a full disk soon keeps the log from going on, and checkpoints that fall due meanwhile. */
const FLAGS = [
  ...["--disk-free-bytes-min", `${16 * MIB}`, "--disk-reserve-bytes", `${MIB}`],
  ...["--log-segment-bytes", "262144", "--checkpoint-bytes", "65536"],
];

async function startOnSmallDisks(context: TestContext): Promise<TestEnsemble> {
  const reason = cannotMount();
  if (reason !== null) context.skip(`no file system can be mounted here: ${reason}`);
  return startEnsemble({ flags: FLAGS, diskBytes: 64 * MIB });
}

/** Clients that write all the time, one with an ephemeral and a watch, and all they say of one another at the end. */
async function underLoad(
  ensemble: TestEnsemble,
  victim: string,
  run: (load: Load) => Promise<void>,
) {
  // It learns of the others, but first it is with the one whose disk will be full.
  const servers = [ensemble.directServer(victim)];
  await using client = await connect({ servers, sessionTimeoutMs: 20_000 });
  const witness = await Witness.on(client, 8);
  await using workload = await RegisterWorkload.start({
    ...{ servers: ensemble.servers, clients: 6, paths: ["/a", "/b"], thinkMs: 20, seed: 21 },
    sessionTimeoutMs: 20_000,
  });
  const noteLeader = async (): Promise<string> => {
    const { name, term } = await ensemble.leader();
    workload.noteLeader(name, term);
    return name;
  };
  await run({ witness, workload, noteLeader });
  await noteLeader();
  const history = await workload.stop();
  await using reader = await connect({ servers: ensemble.servers });
  await witness.check(reader);
  expect(client.state.kind).toBe("connected");
  const minimums = { operations: 600, paths: 2, concurrencyMin: 3 };
  await verifyHistory("full disk", history, minimums, reader);
  await ensemble.waitForEqualDigests();
  expect(refusals(history)).toEqual([]);
  const gapMs = longestWriteGap(history);
  console.log(`longest time without an acknowledged write: ${Math.round(gapMs)} ms`);
  expect(gapMs).toBeLessThan(GAP_MS_MAX);
}

interface Load {
  readonly witness: Witness;
  readonly workload: RegisterWorkload;
  noteLeader(): Promise<string>;
}

/** Operations that were refused or lost; writes whose version was old are none. */
function refusals(history: readonly HistoryRecord[]): readonly string[] {
  return history.flatMap((record) =>
    record.kind !== "operation" ||
    record.outcome.kind === "ok" ||
    record.outcome.code === "BAD_VERSION"
      ? []
      : [record.outcome.code],
  );
}

/** Right after a checkpoint, which a full disk would interrupt. */
async function fillDiskOf(ensemble: TestEnsemble, name: string): Promise<void> {
  const before = (await ensemble.status(name))?.checkpointZxid ?? 0;
  await poll(`a checkpoint of node ${name}`, ENDS_MS, async () => {
    const now = (await ensemble.status(name))?.checkpointZxid ?? 0;
    return now > before ? true : null;
  });
  ensemble.disk(name).fill();
}

/** Returns once the node says so in its status, where people look, and in its log. */
async function saysWhatIsWrong(ensemble: TestEnsemble, name: string): Promise<void> {
  for (const [reason, line] of [
    ["the disk is full", "the disk is full"],
    ["the log waits for room on the disk", "the log waits for room"],
  ] as const) {
    await poll(`node ${name} to say that ${reason}`, ENDS_MS, async () => {
      const said = (await ensemble.status(name))?.notReady ?? [];
      return said.includes(reason) ? true : null;
    });
    const { output } = await quorate("status", "-s", ensemble.directServer(name));
    expect(output).toContain(reason);
    expect(ensemble.log(name)).toContain(line);
  }
}

/** It is as good as any other: of the two that are left one is that node, and both are needed. */
async function countsAgain(ensemble: TestEnsemble, name: string): Promise<void> {
  await ensemble.waitUntilReady([name]);
  expect(ensemble.log(name)).toContain("the disk has room again");
  const other = ensemble.names.find((each) => each !== name) ?? "";
  await ensemble.kill(other);
  await using client = await connect({ servers: [ensemble.directServer(name)] });
  await client.create("/after-all", "", { timeoutMs: 60_000 });
}

test("a follower whose disk is full waits, and goes on by itself once it is not", async (context) => {
  const ensemble = await startOnSmallDisks(context);
  const leader = await ensemble.leader();
  const victim = ensemble.names.find((name) => name !== leader.name) ?? "";
  await underLoad(ensemble, victim, async ({ witness, workload, noteLeader }) => {
    await noteLeader();
    await fillDiskOf(ensemble, victim);
    await saysWhatIsWrong(ensemble, victim);
    await witness.write();
    await workload.progress(200);
    expect(await ensemble.leader()).toMatchObject({ name: leader.name, term: leader.term });
    const { zxid } = await ensemble.leader();
    expect((await ensemble.status(victim))?.zxid).toBeLessThan(zxid);
    ensemble.disk(victim).free();
    await ensemble.waitUntilReady([victim]);
    await witness.write();
    await workload.progress(200);
  });
  await countsAgain(ensemble, victim);
});

test("a leader whose disk is full lets another one lead, and leads again when asked once it is not", async (context) => {
  const ensemble = await startOnSmallDisks(context);
  const { name: victim, term } = await ensemble.leader();
  await underLoad(ensemble, victim, async ({ witness, workload, noteLeader }) => {
    await noteLeader();
    await fillDiskOf(ensemble, victim);
    const next = await ensemble.leader(term);
    expect(next.name).not.toBe(victim);
    await noteLeader();
    await saysWhatIsWrong(ensemble, victim);
    await witness.write();
    await workload.progress(200);
    const servers = ["-s", ensemble.servers.join(",")];
    const refused = await quorate("leader", "transfer", victim, ...servers);
    expect(refused.output).toContain(`the disk of ${victim} is full`);
    ensemble.disk(victim).free();
    await ensemble.waitUntilReady([victim]);
    await workload.progress(200);
    const asked = await quorate("leader", "transfer", victim, ...servers);
    expect([asked.exit, asked.output]).toEqual([0, asked.output]);
    expect(await noteLeader()).toBe(victim);
    await witness.write();
    await workload.progress(100);
  });
  await countsAgain(ensemble, victim);
});

test("whoever has no session yet can come and make room where all disks are full", async (context) => {
  const ensemble = await startOnSmallDisks(context);
  const servers = ["-s", ensemble.servers.join(",")];
  const made = await quorate("create", "/a", "1", ...servers);
  expect([made.exit, made.output]).toEqual([0, made.output]);
  // Below the watermark, above the middle between that and the reserve.
  for (const name of ensemble.names) ensemble.disk(name).fillTo(12 * MIB);
  await poll("growing writes to be refused", ENDS_MS, async () => {
    const { output } = await quorate("set", "/a", "2", "--timeout", "1", ...servers);
    return output.includes("DISK_FULL") ? true : null;
  });
  const read = await quorate("get", "/a", ...servers);
  expect([read.exit, read.output]).toEqual([0, read.output]);
  const deleted = await quorate("delete", "/a", ...servers);
  expect([deleted.exit, deleted.output]).toEqual([0, deleted.output]);
  // Too little even for sessions: the command says what is wrong.
  for (const name of ensemble.names) ensemble.disk(name).fillTo(4 * MIB);
  await poll("sessions to be refused", ENDS_MS, async () => {
    const { exit, output } = await quorate("ls", "--timeout", "1", ...servers);
    return exit === 5 && output.includes("free disk space on the servers") ? true : null;
  });
  for (const name of ensemble.names) ensemble.disk(name).free();
  await ensemble.waitUntilReady(ensemble.names);
  const again = await quorate("create", "/a", "3", ...servers);
  expect([again.exit, again.output]).toEqual([0, again.output]);
});
