import fc from "fast-check";
import { expect, test } from "vitest";
import type { Lock, QuorateClient } from "../../packages/client/src/api.ts";
import { connect } from "../../packages/client/src/connect.ts";
import { FakeNetwork } from "../support/client/fake-network.ts";
import { ModelService } from "../support/client/model-service.ts";

const CLIENTS = 3;

interface Step {
  readonly kind:
    | "acquire"
    | "release"
    | "abort"
    | "receive"
    | "deliver"
    | "apply"
    | "time"
    | "cut"
    | "overload";
  readonly client: number;
  readonly pick: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("acquire" as const, "release" as const) },
    { weight: 8, arbitrary: fc.constantFrom("receive" as const, "deliver" as const) },
    { weight: 4, arbitrary: fc.constant("apply" as const) },
    { weight: 1, arbitrary: fc.constantFrom("abort" as const, "cut" as const) },
    { weight: 1, arbitrary: fc.constantFrom("time" as const, "overload" as const) },
  ),
  client: fc.nat(CLIENTS - 1),
  pick: fc.nat(3),
});

interface Attempt {
  readonly abort: AbortController;
  lock: Lock | null;
  failure: unknown;
}

/** One client and what it has asked for. */
class Contestant {
  readonly net: FakeNetwork;
  readonly attempts: Attempt[] = [];
  client: QuorateClient | null = null;

  constructor(seed: number) {
    this.net = new FakeNetwork(seed);
  }

  async start(): Promise<void> {
    const options = { servers: ["a:1", "b:1"], sessionTimeoutMs: 600_000 };
    this.client = await connect(options, this.net.ports);
  }

  acquire(): void {
    const attempt: Attempt = { abort: new AbortController(), lock: null, failure: null };
    this.attempts.push(attempt);
    const options = { signal: attempt.abort.signal };
    this.client
      ?.lock("/locks/a")
      .acquire(options)
      .then(
        (lock) => {
          attempt.lock = lock;
        },
        (error: unknown) => {
          attempt.failure = error;
        },
      );
  }

  /** Locks this client believes to hold. */
  get held(): Lock[] {
    return this.attempts.flatMap(({ lock }) => (lock?.signal.aborted === false ? [lock] : []));
  }
}

test("a lock that a client believes to hold is held, whatever happens to connections", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 150, size: "max" }), async (steps) => {
      const contestants = Array.from({ length: CLIENTS }, (_, i) => new Contestant(i + 1));
      const model = new ModelService(contestants.map(({ net }) => net));
      const settle = async (): Promise<void> => {
        for (const { net } of contestants) await net.clock.settle();
      };
      const check = (): void => {
        const held = contestants.flatMap((one) => one.held);
        expect(held.length).toBeLessThanOrEqual(1);
        if (held[0] !== undefined) expect(held[0].token).toBe(model.holder?.token);
      };
      const rest = async (ms: number): Promise<void> => {
        for (let round = 0; round < 6; round += 1) {
          await settle();
          model.drain();
          for (const { net } of contestants) await net.clock.advance(ms / 6);
        }
      };
      const starting = contestants.map((one) => one.start());
      await rest(6);
      await Promise.all(starting);
      for (const { kind, client, pick } of steps) {
        const contestant = contestants[client]!;
        const links = model.openLinks.filter(({ connection }) => {
          return contestant.net.connections.includes(connection);
        });
        if (kind === "acquire") contestant.acquire();
        else if (kind === "release") contestant.held[0]?.release().catch(() => undefined);
        else if (kind === "abort") contestant.attempts.at(-1 - pick)?.abort.abort();
        else if (kind === "time") await contestant.net.clock.advance(pick * 50);
        else if (kind === "cut") links[0]?.connection.cut();
        else if (kind === "overload") {
          model.isOverloaded = pick % 2 === 0;
          model.isLeaking = pick === 0;
        }
        for (let i = 0; i <= pick; i += 1) {
          if (kind === "apply") model.apply();
          for (const link of links) {
            if (kind === "receive") model.receive(link);
            if (kind === "deliver") model.deliver(link);
          }
        }
        await settle();
        check();
      }
      model.isOverloaded = false;
      // Whoever waits gets the lock in the end, if the others give it back.
      for (let round = 0; round < contestants.length + steps.length; round += 1) {
        await rest(3_000);
        check();
        const held = contestants.flatMap((one) => one.held);
        if (held.length === 0) break;
        held[0]!.release().catch(() => undefined);
      }
      expect(model.holder).toBeNull();
      for (const { abort, lock, failure } of contestants.flatMap(({ attempts }) => attempts)) {
        expect(lock !== null || (abort.signal.aborted && failure !== null)).toBe(true);
      }
      for (const { client } of contestants) void client?.close();
      model.drain();
      await settle();
    }),
    { numRuns: Number(process.env["QUORATE_PROPERTY_RUNS"] ?? 60) },
  );
});
