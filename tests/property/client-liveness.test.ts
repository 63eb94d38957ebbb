import { fencingToken, sessionId, zxid, type ClientMessage } from "@quorate/kv-store/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Lock } from "../../packages/client/src/api.ts";
import { connect } from "../../packages/client/src/connect.ts";
import { FakeNetwork, type FakeConnection } from "../support/client/fake-network.ts";

const TIMEOUT_MS = 10_000;

interface Step {
  readonly kind: "time" | "cut" | "receive" | "append" | "apply" | "note" | "answer";
  readonly pick: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    { weight: 5, arbitrary: fc.constant("time" as const) },
    { weight: 1, arbitrary: fc.constant("cut" as const) },
    { weight: 4, arbitrary: fc.constantFrom("receive" as const, "append" as const) },
    { weight: 4, arbitrary: fc.constantFrom("apply" as const, "note" as const) },
    { weight: 2, arbitrary: fc.constant("answer" as const) },
  ),
  pick: fc.nat(99),
});

/**
 * What a leader and one node behind it know of one session. Every message and every entry moves when the test says so: an
 * attach may have counted at the leader long before the node hears of it, and by then another connection waits for it.
 */
class Service {
  readonly net = new FakeNetwork();
  /** When the leader last learned that the client lives. */
  aliveMs = 0;
  readonly #inbound: { readonly from: FakeConnection; readonly message: ClientMessage }[] = [];
  #waiting: FakeConnection | null = null;
  /** Attaches on their way to the leader's log, and from there to the node. */
  #proposed = 0;
  #appended = 0;
  #pings: { readonly from: FakeConnection; readonly pingId: number }[] = [];
  #noted: { readonly from: FakeConnection; readonly pingId: number }[] = [];

  constructor() {
    this.net.onConnection = (connection) => {
      connection.onMessage = (message) => void this.#inbound.push({ from: connection, message });
    };
  }

  receive(): void {
    const next = this.#inbound.shift();
    if (next === undefined || !next.from.isOpen) return;
    const { from, message } = next;
    if (message.kind === "hello") {
      this.#waiting = from;
      this.#proposed += 1;
    } else if (message.kind === "ping") {
      this.#pings.push({ from, pingId: message.pingId });
    } else if (message.kind === "write") {
      const contender = "/l/c-0000000001";
      const token = fencingToken(101);
      from.reply(message.writeSeq, 101, { kind: "acquire", contender, token, held: true });
    }
  }

  /** An attach reaches the leader's log: it counts there from now. */
  append(): void {
    if (this.#proposed === 0) return;
    this.#proposed -= 1;
    this.#appended += 1;
    this.aliveMs = this.net.clock.nowMs();
  }

  /** It reaches the node, which welcomes whoever waits for the session. */
  apply(): void {
    if (this.#appended === 0) return;
    this.#appended -= 1;
    this.#waiting?.welcome({ timeoutMs: TIMEOUT_MS, session: sessionId(7) });
    this.#waiting = null;
  }

  /** Pings reach the leader; its word is on its way back. */
  note(): void {
    if (this.#pings.length === 0) return;
    this.aliveMs = this.net.clock.nowMs();
    this.#noted.push(...this.#pings);
    this.#pings = [];
  }

  answer(): void {
    for (const { from, pingId } of this.#noted.splice(0)) {
      from.send({ kind: "pong", pingId, zxid: zxid(101) });
    }
  }

  /** Everything that is under way arrives. */
  async drain(): Promise<void> {
    for (let round = 0; round < 4; round += 1) {
      await this.net.clock.settle();
      for (let i = 0; i < 10; i += 1) {
        this.receive();
        this.append();
        this.apply();
        this.note();
        this.answer();
      }
    }
    await this.net.clock.settle();
  }

  take({ kind, pick }: Step): void {
    if (kind === "cut") this.net.last.cut();
    else if (kind !== "time") for (let i = 0; i <= pick % 3; i += 1) this[kind]();
  }
}

async function holding(service: Service): Promise<Lock> {
  const options = { servers: ["a:1"], sessionTimeoutMs: TIMEOUT_MS };
  const connecting = connect(options, service.net.ports);
  await service.drain();
  const acquiring = (await connecting).lock("/l").acquire();
  await service.drain();
  return acquiring;
}

/** Time passes; false once the client knows that it may not rely on its lock any more. */
async function wait(ms: number, service: Service, lock: Lock): Promise<boolean> {
  const { clock } = service.net;
  for (let left = ms; left > 0 && !lock.signal.aborted; left -= 20) {
    await clock.advance(20);
    if (!lock.signal.aborted) expect(clock.nowMs()).toBeLessThan(service.aliveMs + TIMEOUT_MS);
  }
  return !lock.signal.aborted;
}

test("a lock's signal aborts before the leader could end the session, however late what says so travels", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
      const service = new Service();
      const lock = await holding(service);
      for (const one of steps) {
        service.take(one);
        await service.net.clock.settle();
        if (!(await wait(one.kind === "time" ? one.pick * 20 : 0, service, lock))) return;
      }
      // From here on the leader hears nothing; what it has said before, and the node says by itself, still arrives.
      for (let ms = 0; ms <= TIMEOUT_MS; ms += 200) {
        service.receive();
        service.apply();
        service.answer();
        if (!(await wait(200, service, lock))) return;
      }
      throw new Error("the lock outlived its session");
    }),
    { numRuns: Number(process.env["QUORATE_PROPERTY_RUNS"] ?? 60) },
  );
});

test("with nothing lost the lock is held for as long as one likes", async () => {
  const service = new Service();
  const lock = await holding(service);
  for (let ms = 0; ms < 10 * TIMEOUT_MS; ms += 100) {
    await service.net.clock.advance(100);
    await service.drain();
  }
  lock.assertHeld();
});
