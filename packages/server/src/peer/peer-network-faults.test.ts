import {
  decodeServerFrame,
  encodeClientFrame,
  type ClientMessage,
} from "@quorate/kv-store/protocol";
import { nodeId } from "@quorate/raft";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  PeerLab,
  heartbeat,
  helloOf,
  target,
  welcomeOf,
} from "../../../../tests/support/peer/peer-lab.ts";
import { encodeEntries } from "../storage/entry-codec.ts";
import type { PeerHello } from "./envelope.ts";
import { encodePeerHello } from "./greeting-codec.ts";
import { encodePeerFrame } from "./peer-codec.ts";

const CLIENT_HELLO: ClientMessage = {
  ...{ kind: "hello", protocolVersion: 1, session: null, secret: new Uint8Array(16) },
  ...{ timeoutMs: 1_000, lastZxid: 0, historyId: "", clientName: "" },
};

let lab: PeerLab;

beforeEach(() => {
  lab = new PeerLab();
});

afterEach(() => lab.close());

describe("a replaced link", () => {
  test("is closed without a word of a link down, its frames are not heard, and the new one is up", async () => {
    const one = await lab.start(1);
    const older = lab.knock(1);
    older.end.send(encodePeerHello(helloOf(2, 5)));
    await lab.wire.settle();
    const newer = lab.knock(1);
    // Both are on the way at once: the hello of the newer link first, then a frame of the older.
    newer.end.send(encodePeerHello(helloOf(2, 6)));
    older.end.send(encodePeerFrame([heartbeat(2, 1, 1)], encodeEntries));
    newer.end.send(encodePeerFrame([heartbeat(2, 1, 2)], encodeEntries));
    await lab.wire.settle();
    expect(one.received.map(({ envelope }) => envelope)).toEqual([heartbeat(2, 1, 2)]);
    expect(older.closed()).toBe(true);
    // Twice: what was under way on the older link may be lost, and whoever waits for it has to know.
    expect(one.events).toEqual(["up incoming 2", "up incoming 2"]);
  });

  test("an older link that arrives late does not replace a newer one", async () => {
    const one = await lab.start(1);
    const newer = lab.knock(1);
    newer.end.send(encodePeerHello(helloOf(2, 6)));
    await lab.wire.settle();
    const older = lab.knock(1);
    older.end.send(encodePeerHello(helloOf(2, 5)));
    older.end.send(encodePeerFrame([heartbeat(2, 1, 1)], encodeEntries));
    await lab.wire.settle();
    expect(older.closed()).toBe(true);
    expect(older.frames).toEqual([]);
    expect(newer.closed()).toBe(false);
    expect(one.received).toEqual([]);
  });

  test("a restarted process replaces its former link whatever it drew as a number", async () => {
    const one = await lab.start(1);
    const before = lab.knock(1);
    before.end.send(encodePeerHello(helloOf(2, 2 ** 50)));
    await lab.wire.settle();
    const after = lab.knock(1);
    after.end.send(encodePeerHello(helloOf(2, 1)));
    await lab.wire.settle();
    expect(before.closed()).toBe(true);
    expect(after.closed()).toBe(false);
    expect(one.events).toEqual(["up incoming 2", "up incoming 2"]);
  });
});

describe("a client at the port for peers", () => {
  test("is told at once where clients connect, and nobody else is told anything", async () => {
    const clientAddress = "127.0.0.1:7001";
    const hello = (): PeerHello => helloOf(1, 0, { clientAddress });
    const one = await lab.start(1, { hooks: { hello } });
    const client = lab.knock(1);
    client.end.send(encodeClientFrame([CLIENT_HELLO]));
    const stranger = lab.knock(1);
    stranger.end.send(encodeClientFrame([{ kind: "ping", pingId: 1 }]));
    await lab.wire.settle();
    expect(client.frames.flatMap(decodeServerFrame)).toEqual([
      expect.objectContaining({
        ...{ kind: "goodbye", code: "WRONG_PORT", fatal: true },
        message: expect.stringContaining(clientAddress),
      }),
    ]);
    expect(stranger.frames).toEqual([]);
    expect([client.closed(), stranger.closed()]).toEqual([true, true]);
    expect(one.events).toEqual([]);
  });
});

describe("reconnection", () => {
  test("a process that dies is told at once, is dialled soon and linked again when it is back", async () => {
    const [one, two] = await lab.startPair();
    one.events.length = 0;
    await two.network[Symbol.asyncDispose]();
    await lab.wire.settle();
    expect(one.events.toSorted()).toEqual(["down incoming 2", "down outgoing 2"]);
    expect(one.network.send(two.id, heartbeat(1, 2))).toBe(false);
    await lab.pass(5_000);
    const attempts = lab.wire.attempts.filter((address) => address === "127.0.0.1:2").length;
    expect(attempts).toBeGreaterThan(10);
    expect(attempts).toBeLessThan(30);
    one.events.length = 0;
    const back = await lab.start(2);
    back.network.setMembers([target(1)]);
    // Its hello is answered by a dial at once, whatever pause was left.
    await lab.wire.settle();
    expect(one.events.toSorted()).toEqual(["up incoming 2", "up outgoing 2"]);
  });

  test("the first attempt after a link that lasted comes within 20 ms", async () => {
    const one = await lab.start(1);
    one.network.setMembers([target(2)]);
    await lab.pass(5_000);
    await lab.start(2);
    await lab.pass(2_000);
    lab.wire.last(2).destroy();
    await lab.wire.settle();
    const before = lab.wire.attempts.length;
    lab.clock.advance(20);
    await lab.wire.settle();
    expect(lab.wire.attempts.length).toBe(before + 1);
    expect(one.network.isUp(nodeId(2))).toBe(true);
  });

  test("nodes that understand each other's hello, but not the answer, are not in a frenzy either", async () => {
    const senseless = (id: number) => () => ({ ...welcomeOf(id), peerAddress: "nowhere" });
    const one = await lab.start(1, { hooks: { onHello: senseless(1) } });
    const two = await lab.start(2, { hooks: { onHello: senseless(2) } });
    one.network.setMembers([target(2)]);
    two.network.setMembers([target(1)]);
    await lab.pass(10_000);
    expect(lab.wire.attempts.length).toBeGreaterThan(15);
    expect(lab.wire.attempts.length).toBeLessThan(80);
  });

  test("a link that breaks as soon as it is up is not dialled in a frenzy", async () => {
    const one = await lab.start(1);
    await lab.start(2, { hooks: { onLinkUp: () => lab.wire.last(2).destroy() } });
    one.network.setMembers([target(2)]);
    await lab.pass(10_000);
    expect(lab.wire.attempts.length).toBeGreaterThan(15);
    expect(lab.wire.attempts.length).toBeLessThan(60);
  });

  test("all addresses of a member are tried in turn, a dead network costs one dial timeout", async () => {
    const one = await lab.start(1);
    await lab.start(2);
    lab.wire.blackHoles.add(8);
    one.network.setMembers([target(2, "10.0.0.2:8|10.1.0.2:2")]);
    await lab.pass(990);
    expect(one.events).toEqual([]);
    await lab.pass(30);
    expect(lab.wire.attempts).toEqual(["10.0.0.2:8", "10.1.0.2:2"]);
    expect(one.events).toEqual(["up outgoing 2"]);
  });
});

describe("half-open links", () => {
  test("are noticed within four seconds by who sends, later by who listens", async () => {
    const [one, two] = await lab.startPair();
    await lab.pass(1_500);
    one.events.length = 0;
    two.events.length = 0;
    const end = lab.wire.last(2);
    end.isDead = true;
    end.other!.isDead = true;
    await lab.pass(2_000);
    expect(one.events).toEqual([]);
    lab.wire.blackHoles.add(2);
    await lab.pass(2_000);
    expect(one.events).toEqual(["down outgoing 2"]);
    expect(two.events).toEqual([]);
    await lab.pass(7_500);
    expect(two.events).toEqual(["down incoming 1"]);
  });

  test("an idle link stays", async () => {
    const [one, two] = await lab.startPair();
    await lab.pass(20_000);
    expect(one.events).toHaveLength(2);
    expect(two.events).toHaveLength(2);
  });

  test("this process standing still makes no link look dead", async () => {
    const [one, two] = await lab.startPair();
    await lab.pass(1_500);
    lab.clock.stall(60_000);
    lab.clock.advance(0);
    await lab.wire.settle();
    await lab.pass(1_500);
    expect(one.events).toHaveLength(2);
    expect(two.events).toHaveLength(2);
  });

  test("a slow network that still takes bytes is alive", async () => {
    const [one] = await lab.startPair();
    const end = lab.wire.last(2);
    end.isStuck = true;
    end.bufferedBytes = 1_000_000;
    for (let second = 0; second < 8; second += 1) {
      end.bufferedBytes -= 50_000;
      await lab.pass(1_000);
    }
    expect(one.events).not.toContain("down outgoing 2");
    await lab.pass(4_500);
    expect(one.events).toContain("down outgoing 2");
  });
});
