import { QuorateError, connect, type QuorateClient, type WatchNotice } from "@quorate/client";
import { expect, onTestFinished, test } from "vitest";
import { startEnsemble, type TestEnsemble } from "./ensemble.ts";
import { poll } from "./poll.ts";
import { RegisterWorkload, type WorkloadOptions } from "./register-workload.ts";
import { verifyHistory } from "./verify-history.ts";

/** Of a client that is to expire; and of one that is not, however slow the machine. */
const SHORT_MS = 4_000;
const LONG_MS = 60_000;
const REGISTERS = ["/a", "/b"];
const CHANGES = 50;

test("a client cut off for less than its timeout keeps session, ephemerals and locks, and its watch misses nothing", async () => {
  const { ensemble, victim, other } = await startWithVictim(LONG_MS);
  const workload = await startWorkload(ensemble, {
    servers: ensemble.servers,
    clients: 6,
    paths: REGISTERS,
    sessionTimeoutMs: LONG_MS,
    seed: 3,
  });
  await workload.progress(200);
  await victim.create("/mine", "", { mode: "ephemeral" });
  const lock = await victim.lock("/lock").acquire();
  await other.create("/changing", "0");
  // A watch begins at what its own server has applied: only a read makes that hold the znode.
  await victim.get("/changing");
  const watch = await victim.watch("/changing", { withData: true });
  const notices = collect(watch);
  const session = victim.session;

  workload.noteFault("cut");
  cutOff(ensemble);
  await workload.noteFaultInDoubt("all are cut off", 3);
  for (let change = 1; change <= CHANGES; change += 1) {
    await other.set("/changing", String(change));
  }
  const write = victim.set("/mine", "written while cut off");
  workload.noteFault("heal");
  heal(ensemble);

  await poll("all changes to arrive", 20_000, () => (notices.length >= CHANGES ? true : null));
  expect(notices.map(valueOf)).toEqual(
    Array.from({ length: CHANGES }, (_, index) => String(index + 1)),
  );
  expect((await write).version).toBe(1);
  expect(victim.session).toBe(session);
  lock.assertHeld();
  expect((await other.exists("/mine"))?.ephemeralOwner).toBe(session);
  await watch.close();

  await workload.progress(200);
  const history = await workload.stop();
  expect(workload.clients.map((client) => client.state.kind)).toEqual(
    workload.clients.map(() => "connected"),
  );
  const minimums = { operations: 400, paths: 2, concurrencyMin: 3, inDoubtResolved: 3 };
  const strength = await verifyHistory("client-cut", history, minimums, other);
  expect(strength).toMatchObject({ unknown: 0, leaderChanges: 0 });
});

test("a client cut off for longer loses its ephemerals everywhere and learns of its loss before anybody gets its lock", async () => {
  const { ensemble, victim, other } = await startWithVictim(SHORT_MS);
  const workload = await startWorkload(ensemble, {
    servers: ensemble.directServers,
    others: { clients: EXPIRING, servers: ensemble.servers, sessionTimeoutMs: SHORT_MS },
    clients: 2 * EXPIRING,
    paths: REGISTERS,
    sessionTimeoutMs: LONG_MS,
    seed: 4,
  });
  await workload.progress(200);
  await victim.create("/mine", "", { mode: "ephemeral" });
  const held = await victim.lock("/lock").acquire();
  const states: string[] = [];
  void (async () => {
    for await (const state of victim.states()) states.push(state.kind);
  })();
  let toldMs = Infinity;
  held.signal.addEventListener("abort", () => (toldMs = performance.now()));
  let grantedMs = Infinity;
  const waiting = other.lock("/lock").acquire({ timeoutMs: 60_000 });
  void waiting.then(() => (grantedMs = performance.now()));

  const cutMs = performance.now();
  workload.noteFault("cut");
  cutOff(ensemble);
  const next = await waiting;
  const graceMs = grantedMs - toldMs;
  console.log(
    `client-cut: told of the loss ${Math.round(toldMs - cutMs)} ms after the cut, lock passed on ${Math.round(graceMs)} ms later`,
  );
  expect(held.signal.aborted).toBe(true);
  expect(graceMs).toBeGreaterThan(0);
  expect(next.token).toBeGreaterThan(held.token);
  expect(() => held.assertHeld()).toThrow(QuorateError);

  await ensemble.waitForEqualDigests();
  for (const name of ensemble.names) {
    await using local = await connect({ servers: [ensemble.directServer(name)] });
    expect(await local.exists("/mine", { consistency: "local" })).toBeNull();
  }
  heal(ensemble);
  await poll("the client to be told", 20_000, () => (states.includes("expired") ? true : null));
  expect(states.at(-1)).toBe("expired");
  await expect(victim.get("/")).rejects.toMatchObject({ code: "SESSION_EXPIRED" });

  await workload.progress(200);
  const history = await workload.stop();
  const minimums = { operations: 400, paths: 2, concurrencyMin: 3, unknown: 1 };
  const strength = await verifyHistory("client-expired", history, minimums, other);
  expect(strength.leaderChanges).toBe(0);
  const isExpired = workload.clients.map((client) => client.state.kind === "expired");
  expect(isExpired).toEqual(workload.clients.map((_, index) => index < EXPIRING));
});

const EXPIRING = 4;

test("a half-open connection, with nothing arriving and nothing refused, is noticed and replaced", async () => {
  const { ensemble, victim, other } = await startWithVictim(SHORT_MS);
  await other.create("/there", "yes");
  const session = victim.session;
  for (const proxy of ensemble.proxies.values()) proxy.set({ toServer: "drop", toClient: "drop" });
  const answer = victim.get("/there");
  const cut = [...ensemble.proxies.values()].filter((proxy) => proxy.connections > 0);
  expect(cut).toHaveLength(1);
  // New connections work at once: the client must find out by itself that the old one is dead.
  for (const proxy of ensemble.proxies.values()) {
    if (!cut.includes(proxy)) proxy.set({ toServer: "pass", toClient: "pass" });
  }
  expect(new TextDecoder().decode((await answer).data)).toBe("yes");
  expect(victim.session).toBe(session);
});

async function startWithVictim(sessionTimeoutMs: number): Promise<{
  readonly ensemble: TestEnsemble;
  readonly victim: QuorateClient;
  readonly other: QuorateClient;
}> {
  const ensemble = await startEnsemble({ proxied: true });
  const victim = await connect({
    servers: ensemble.servers,
    sessionTimeoutMs,
    name: "victim",
  });
  const other = await connect({ servers: ensemble.directServers, name: "other" });
  onTestFinished(async () => {
    heal(ensemble);
    await Promise.all([victim.close(), other.close()]);
  });
  return { ensemble, victim, other };
}

/** Shared registers, read and written meanwhile. */
async function startWorkload(
  ensemble: TestEnsemble,
  options: WorkloadOptions,
): Promise<RegisterWorkload> {
  const workload = await RegisterWorkload.start(options);
  onTestFinished(async () => {
    heal(ensemble);
    await workload[Symbol.asyncDispose]();
  });
  const leader = await ensemble.leader();
  workload.noteLeader(leader.name, leader.term);
  return workload;
}

function cutOff(ensemble: TestEnsemble): void {
  for (const proxy of ensemble.proxies.values()) proxy.isolate();
}

function heal(ensemble: TestEnsemble): void {
  for (const proxy of ensemble.proxies.values()) proxy.heal();
}

function collect(watch: AsyncIterable<WatchNotice>): readonly WatchNotice[] {
  const notices: WatchNotice[] = [];
  void (async () => {
    for await (const notice of watch) notices.push(notice);
  })();
  return notices;
}

function valueOf(notice: WatchNotice): string {
  if (notice.type === "lost") return "lost";
  return notice.data === undefined ? notice.kind : new TextDecoder().decode(notice.data);
}
