import { connect, type QuorateClient } from "@quorate/client";
import { expect, onTestFinished, test } from "vitest";
import { startEnsemble } from "./ensemble.ts";
import { poll } from "./poll.ts";
import { RawConnection } from "./raw-connection.ts";
import { RegisterWorkload } from "./register-workload.ts";
import { verifyHistory } from "./verify-history.ts";

const SESSION_TIMEOUT_MS = 4_000;
const CLIENTS_PER_NODE = 5;
const READS = 20;
/** Writes that must be under way while nobody leads. */
const IN_DOUBT = 4;

test("a leader that stands still for longer than the session timeout costs no live client its session", async () => {
  const ensemble = await startEnsemble();
  const clients = await Promise.all(
    ensemble.servers.flatMap((server) =>
      Array.from({ length: CLIENTS_PER_NODE }, () =>
        connect({ servers: [server], sessionTimeoutMs: SESSION_TIMEOUT_MS }),
      ),
    ),
  );
  onTestFinished(async () => {
    await Promise.all(clients.map((client) => client.close()));
  });
  const [observer] = clients;
  if (observer === undefined) throw new Error("there are clients");
  await observer.create("/alive");
  await Promise.all(
    clients.map((client, index) => client.create(`/alive/${index}`, "", { mode: "ephemeral" })),
  );
  const expiries = clients.map(expiryOf);
  await using workload = await RegisterWorkload.start({
    servers: ensemble.servers,
    clients: 6,
    paths: ["/a", "/b"],
    sessionTimeoutMs: 60_000,
    thinkMs: 60,
    seed: 6,
  });
  const leader = await ensemble.leader();
  workload.noteLeader(leader.name, leader.term);
  await workload.progress(200);

  const pausedMs = performance.now();
  ensemble.pause(leader.name);
  await workload.noteFaultInDoubt(`pause ${leader.name}`, IN_DOUBT);
  const next = await ensemble.leader(leader.term);
  workload.noteLeader(next.name, next.term);
  await poll("the pause to be long", 30_000, () =>
    performance.now() - pausedMs > 2 * SESSION_TIMEOUT_MS ? true : null,
  );
  expect(next.name).not.toBe(leader.name);
  expect((await observer.children("/alive")).names).toHaveLength(clients.length);
  workload.noteFault(`resume ${leader.name}`);
  ensemble.resume(leader.name);
  await ensemble.waitUntilReady();

  // The woken leader's own idea of who lives is as old as its sleep; nothing may come of it.
  await poll("a while after the wake", 30_000, () =>
    performance.now() - pausedMs > 4 * SESSION_TIMEOUT_MS ? true : null,
  );
  expect((await observer.children("/alive")).names).toHaveLength(clients.length);
  expect(clients.map((client) => client.state.kind)).toEqual(clients.map(() => "connected"));
  expect(expiries.filter((expiry) => expiry.happened)).toEqual([]);

  const history = await workload.stop();
  const minimums = {
    operations: 400,
    paths: 2,
    concurrencyMin: 3,
    inDoubtResolved: IN_DOUBT,
    leaderChanges: 1,
  };
  const strength = await verifyHistory("leader-pause", history, minimums, observer);
  expect(strength.unknown).toBe(0);
  await ensemble.waitForEqualDigests();
});

test.each([
  ["that asks for every read", []],
  ["with leases", ["--lease-reads"]],
])(
  "a leader %s that was stopped serves no stale linearizable read when it wakes",
  async (_which, flags) => {
    const ensemble = await startEnsemble({ flags });
    const leader = await ensemble.leader();
    const others = ensemble.servers.filter(
      (server) => server !== ensemble.directServer(leader.name),
    );
    await using client = await connect({ servers: others, sessionTimeoutMs: 20_000 });
    await client.create("/value", "old");
    const raw = await RawConnection.openSession(ensemble.directServer(leader.name), 60_000);
    onTestFinished(() => raw.close());
    raw.send({ kind: "read", cxid: 1, consistency: "linearizable", query: VALUE });
    expect(valueOf(await raw.next("readReply"))).toBe("old");

    ensemble.pause(leader.name);
    await ensemble.leader(leader.term);
    await client.set("/value", "new");
    for (let cxid = 2; cxid < 2 + READS; cxid += 1) {
      raw.send({ kind: "read", cxid, consistency: "linearizable", query: VALUE });
    }
    // The requests must lie in the sleeping leader's socket before it wakes.
    await raw.flushed();
    ensemble.resume(leader.name);
    await poll("all answers or the end of the connection", 20_000, () => {
      const answers = raw.received.filter((message) => message.kind === "readReply");
      return answers.length === 1 + READS || raw.closed !== null ? true : null;
    });
    const values = raw.received.flatMap((message) =>
      message.kind === "readReply" && message.cxid > 1 && message.reply.ok
        ? [valueOf(message)]
        : [],
    );
    console.log(
      `leader-pause: ${values.length} of ${READS} reads were answered by the woken leader`,
    );
    expect(values.filter((value) => value !== "new")).toEqual([]);
  },
);

const VALUE = { kind: "get", path: "/value" } as const;

function valueOf(reply: {
  readonly reply: { readonly ok: boolean; readonly value?: { readonly kind: string } };
}): string {
  const value = reply.reply.value;
  return value !== undefined && "data" in value && value.data instanceof Uint8Array
    ? new TextDecoder().decode(value.data)
    : "";
}

function expiryOf(client: QuorateClient): { happened: boolean } {
  const expiry = { happened: false };
  void (async () => {
    for await (const state of client.states()) {
      if (state.kind === "expired") expiry.happened = true;
    }
  })();
  return expiry;
}
