import { describe, expect, test } from "vitest";
import { ManualClock } from "../memory/manual-clock.ts";
import type { Connection } from "../ports.ts";
import { MemoryNetwork } from "./memory-transport.ts";

const LIMITS = { frameBytesMax: 1_000, timeoutMs: 1_000 };

/** One end of a connection, and what its user heard. */
class End {
  readonly heard: string[] = [];
  connection: Connection | null = null;
  readonly handlers = {
    onFrame: (frame: Uint8Array): void => void this.heard.push(`frame ${frame.join()}`),
    onClose: (reason: string): void => void this.heard.push(reason),
  };

  send(byte: number): void {
    this.connection?.send(Uint8Array.of(byte));
  }
}

async function connected() {
  const clock = new ManualClock();
  const network = new MemoryNetwork({ clock });
  const [near, far] = [new End(), new End()];
  await network.transport("b").listen({
    ...LIMITS,
    host: "b",
    port: 1,
    connectionsMax: 10,
    allowedOrigins: [],
    http: null,
    accept: (connection) => {
      far.connection = connection;
      connection.setHandlers(far.handlers);
    },
  });
  const dialled = network
    .transport("a")
    .dial({ ...LIMITS, host: "b", port: 1, handlers: near.handlers });
  clock.advance(0);
  near.connection = await dialled;
  return { clock, network, near, far };
}

describe("a network in memory", () => {
  test("a half-open connection is gone for one side, and the other one believes in it", async () => {
    const { clock, network, near, far } = await connected();
    near.send(1);
    far.send(2);
    clock.advance(0);
    expect([near.heard, far.heard]).toEqual([["frame 2"], ["frame 1"]]);
    far.send(3);
    network.halfOpen("a", "b");
    near.send(4);
    clock.advance(0);
    far.send(5);
    clock.advance(10_000);
    expect([near.heard, far.heard]).toEqual([["frame 2"], ["frame 1", "reset"]]);
    near.connection?.destroy();
    clock.advance(0);
    expect(near.heard).toEqual(["frame 2", "destroyed"]);
    expect(far.heard).toEqual(["frame 1", "reset"]);
  });
});
