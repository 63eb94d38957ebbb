import { describe, expect, test } from "vitest";
import { ManualClock } from "../memory/manual-clock.ts";
import { Outflow, type Recipient } from "./outflow.ts";

/** A client to whom sending takes as long as the test says. */
class Client implements Recipient {
  readonly connection = { bufferedBytes: 0 };
  readonly outbox = { heapBytes: 0 };
  isClosed = false;
  flushes = 0;
  readonly #clock: ManualClock;
  readonly #flushMs: number;

  constructor(clock: ManualClock, flushMs = 0) {
    this.#clock = clock;
    this.#flushMs = flushMs;
  }
  flush(): void {
    this.flushes += 1;
    this.outbox.heapBytes = 0;
    this.#clock.stall(this.#flushMs);
  }
  dropAsSlow(): void {
    this.isClosed = true;
  }
}

function setUp(count: number, flushMs = 0) {
  const clock = new ManualClock();
  const outflow = new Outflow(clock, 1_000);
  const clients = Array.from({ length: count }, () => new Client(clock, flushMs));
  for (const client of clients) outflow.add(client);
  const flushes = (): readonly number[] => clients.map((client) => client.flushes);
  return { outflow, clients, flushes };
}

describe("what leaves to clients", () => {
  test("leaves within the turn where that is short, once for each", () => {
    const { outflow, clients, flushes } = setUp(3);
    outflow.add(clients[0]!);
    expect(outflow.flush()).toBe(true);
    expect(outflow.flush()).toBe(true);
    expect(flushes()).toEqual([1, 1, 1]);
  });

  test("leaves in slices where it would be long, and everybody gets a turn", () => {
    const { outflow, clients, flushes } = setUp(5, 2);
    expect(outflow.flush()).toBe(false);
    expect(flushes()).toEqual([1, 1, 1, 0, 0]);
    // Has something again, and stands behind those who still wait.
    outflow.add(clients[0]!);
    expect(outflow.flush()).toBe(true);
    expect(flushes()).toEqual([2, 1, 1, 1, 1]);
  });

  test("does not leave to who is gone", () => {
    const { outflow, clients, flushes } = setUp(2);
    outflow.forget(clients[0]!);
    outflow.flush();
    expect(flushes()).toEqual([0, 1]);
  });
});

describe("what all clients together leave unread", () => {
  test("costs those who left most their connection, no more of them than needed", () => {
    const { outflow, clients } = setUp(4);
    for (const [at, client] of clients.entries()) client.connection.bufferedBytes = 200 * (at + 1);
    outflow.flush();
    outflow.onTick();
    // 2,000 in all: without the 800 and the 600 it is within 1,000.
    expect(clients.map((client) => client.isClosed)).toEqual([false, false, true, true]);
  });

  test("is also what had no turn to leave yet", () => {
    const { outflow, clients } = setUp(5, 5);
    for (const [at, client] of clients.entries()) client.outbox.heapBytes = 100 * (at + 1);
    clients[3]!.connection.bufferedBytes = 300;
    expect(outflow.flush()).toBe(false);
    // The first one's has left; 200, 300, 400 and 500 are there.
    outflow.onTick();
    expect(clients.map((client) => client.isClosed)).toEqual([false, false, false, false, true]);
  });

  test("is looked at when the network had time to take it", () => {
    const { outflow, clients } = setUp(2);
    for (const client of clients) client.connection.bufferedBytes = 900;
    outflow.flush();
    for (const client of clients) client.connection.bufferedBytes = 0;
    outflow.onTick();
    for (const client of clients) client.connection.bufferedBytes = 900;
    // Took everything in the meantime: what comes later is only seen when it is sent.
    outflow.onTick();
    expect(clients.some((client) => client.isClosed)).toBe(false);
    for (const client of clients) outflow.add(client);
    outflow.flush();
    outflow.onTick();
    expect(clients.filter((client) => client.isClosed)).toHaveLength(1);
  });
});
