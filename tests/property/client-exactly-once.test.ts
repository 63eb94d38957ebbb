import fc from "fast-check";
import { expect, test } from "vitest";
import type { QuorateClient } from "../../packages/client/src/api.ts";
import { connect } from "../../packages/client/src/connect.ts";
import { QuorateError } from "../../packages/client/src/errors.ts";
import { FakeNetwork } from "../support/client/fake-network.ts";
import { ModelService } from "../support/client/model-service.ts";

/** What may happen next; `pick` chooses among what there is. */
interface Step {
  readonly kind:
    | "write"
    | "read"
    | "abort"
    | "receive"
    | "deliver"
    | "apply"
    | "turn"
    | "time"
    | "cut"
    | "overload"
    | "refuse";
  readonly pick: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom("write" as const, "turn" as const) },
    { weight: 8, arbitrary: fc.constantFrom("receive" as const, "deliver" as const) },
    { weight: 4, arbitrary: fc.constant("apply" as const) },
    { weight: 2, arbitrary: fc.constantFrom("abort" as const, "cut" as const) },
    { weight: 2, arbitrary: fc.constantFrom("time" as const, "overload" as const) },
    { weight: 2, arbitrary: fc.constantFrom("read" as const, "refuse" as const) },
  ),
  pick: fc.nat(1_000),
});

interface WriteCallRecord {
  readonly path: string;
  readonly abort: AbortController;
  settled: number;
  result: string | QuorateError | null;
}

/** Drives one client through the steps, then lets everything arrive. */
class Run {
  readonly net = new FakeNetwork();
  readonly model = new ModelService([this.net]);
  readonly writes: WriteCallRecord[] = [];
  readonly reads: { readonly after: number; seen: number | null }[] = [];
  readonly events: number[] = [];

  async start(): Promise<QuorateClient> {
    const options = { servers: ["a:1", "b:1"], sessionTimeoutMs: 600_000 };
    const connecting = connect(options, this.net.ports);
    await this.net.clock.settle();
    this.model.drain();
    const client = await connecting;
    const watching = client.watch("/w", { mode: "recursive" });
    await this.rest();
    void this.#follow(await watching);
    return client;
  }

  async #follow(watch: AsyncIterable<{ readonly type: string; readonly zxid: number }>) {
    for await (const notice of watch) {
      if (notice.type === "event") this.events.push(notice.zxid);
    }
  }

  async take(client: QuorateClient, { kind, pick }: Step): Promise<void> {
    const links = this.model.openLinks;
    const link = links[pick % Math.max(1, links.length)];
    switch (kind) {
      case "write":
        this.#write(client);
        return;
      case "read":
        this.#read(client);
        return;
      case "abort":
        this.writes[pick % Math.max(1, this.writes.length)]?.abort.abort();
        return;
      case "receive":
        for (let i = 0; link !== undefined && i <= pick % 4; i += 1) this.model.receive(link);
        return;
      case "deliver":
        for (let i = 0; link !== undefined && i <= pick % 4; i += 1) this.model.deliver(link);
        await this.net.clock.settle();
        return;
      case "apply":
        for (let i = 0; i <= pick % 4; i += 1) this.model.apply();
        return;
      case "turn":
        await this.net.clock.settle();
        return;
      case "time":
        await this.net.clock.advance(pick % 200);
        return;
      case "cut":
        link?.connection.cut();
        await this.net.clock.settle();
        return;
      case "overload":
        this.model.isOverloaded = pick % 2 === 0;
        this.model.isLeaking = pick % 4 === 0;
        return;
      case "refuse":
        if (link !== undefined) this.model.refuseWaiting(link, pick);
        return;
    }
  }

  /** No more faults: everything settles. */
  async rest(): Promise<void> {
    this.model.isOverloaded = false;
    for (let round = 0; round < 60; round += 1) {
      await this.net.clock.settle();
      const moved = this.model.drain();
      await this.net.clock.settle();
      if (!moved) await this.net.clock.advance(500);
      if (this.writes.every(({ settled }) => settled > 0) && !this.model.drain() && round > 10)
        return;
    }
  }

  #write(client: QuorateClient): void {
    const path = `/w/${this.writes.length}`;
    const abort = new AbortController();
    const record: WriteCallRecord = { path, abort, settled: 0, result: null };
    this.writes.push(record);
    const settle = (result: string | QuorateError): void => {
      record.settled += 1;
      record.result = result;
    };
    client.create(path, path, { signal: abort.signal }).then(settle, (error: unknown) => {
      if (!(error instanceof QuorateError)) throw error;
      settle(error);
    });
  }

  #read(client: QuorateClient): void {
    const record: { after: number; seen: number | null } = {
      after: this.writes.length,
      seen: null,
    };
    this.reads.push(record);
    void client.exists("/any").then((stat) => {
      record.seen = stat?.version ?? -1;
    });
  }

  check(): void {
    const order = this.model.effects.map(({ path }) => path);
    const issued = this.writes.map(({ path }) => path).filter((path) => order.includes(path));
    // FIFO, and nothing twice.
    expect(order).toEqual(issued);
    for (const { path, settled, result } of this.writes) {
      expect(settled).toBe(1);
      if (typeof result === "string") {
        expect(result).toBe(path);
        expect(order).toContain(path);
      } else if (result?.outcomeUnknown === false) {
        expect(order).not.toContain(path);
      }
    }
    for (const { after, seen } of this.reads) {
      const before = new Set(this.writes.slice(0, after).map(({ path }) => path));
      expect(seen).toBeGreaterThanOrEqual(order.filter((path) => before.has(path)).length);
    }
    expect(this.events).toEqual(this.model.effects.map(({ zxid }) => zxid));
  }
}

test("whatever happens to connections, each write takes effect once and in order, each event arrives once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 120, size: "max" }), async (steps) => {
      const run = new Run();
      const client = await run.start();
      for (const one of steps) await run.take(client, one);
      await run.rest();
      run.check();
      expect(client.state.kind).toBe("connected");
      const closing = client.close();
      run.model.drain();
      await closing;
      expect(run.net.clock.timerCount).toBe(0);
    }),
    { numRuns: Number(process.env["QUORATE_PROPERTY_RUNS"] ?? 150) },
  );
});
