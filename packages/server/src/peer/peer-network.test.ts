import { nodeId } from "@quorate/raft";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  PeerLab,
  heartbeat,
  helloOf,
  target,
  welcomeOf,
} from "../../../../tests/support/peer/peer-lab.ts";
import type { ConnectionHandlers } from "../ports.ts";
import { encodeEntries } from "../storage/entry-codec.ts";
import type { PeerWelcome } from "./envelope.ts";
import { decodePeerWelcome, encodePeerHello } from "./greeting-codec.ts";
import { encodePeerFrame } from "./peer-codec.ts";

let lab: PeerLab;

beforeEach(() => {
  lab = new PeerLab();
});

afterEach(() => lab.close());

describe("links", () => {
  test("each side dials the other, itself left out, and messages arrive in order as one frame", async () => {
    const [one, two] = await lab.startPair();
    expect(one.events.toSorted()).toEqual(["up incoming 2", "up outgoing 2"]);
    expect(one.network.connectedNames).toEqual(["2"]);
    expect(one.network.isUp(two.id)).toBe(true);
    for (let round = 1; round <= 5; round += 1) {
      expect(one.network.send(two.id, heartbeat(1, 2, round))).toBe(true);
    }
    await lab.wire.settle();
    expect(two.received).toEqual([]);
    one.network.flush();
    await lab.wire.settle();
    expect(two.received.map(({ envelope }) => envelope)).toEqual(
      [1, 2, 3, 4, 5].map((round) => heartbeat(1, 2, round)),
    );
    expect(two.received[0]?.from).toBe(one.id);
    expect(one.counters).toMatchObject({ peerFramesOut: 1, peerDrops: 0 });
    expect(two.counters.peerFramesIn).toBe(1);
    expect(lab.wire.attempts).toHaveLength(2);
  });

  test("a member is found by name while its id is not known, and keeps its link when it is", async () => {
    const one = await lab.start(1);
    await lab.start(2);
    one.network.setMembers([{ ...target(2), id: null }]);
    await lab.wire.settle();
    expect(one.network.isUp(nodeId(2))).toBe(true);
    one.network.setMembers([target(2)]);
    await lab.wire.settle();
    expect(one.events).toEqual(["up outgoing 2"]);
    expect(lab.wire.attempts).toHaveLength(1);
  });

  test("whoever answers under another id than the member's is not linked to", async () => {
    const one = await lab.start(1);
    await lab.start(2, { hooks: { onHello: () => welcomeOf(9) } });
    one.network.setMembers([target(2)]);
    await lab.wire.settle();
    expect(one.events).toEqual([]);
    expect(one.network.isUp(nodeId(9))).toBe(false);
  });

  test("nothing is queued for who is not linked", async () => {
    const one = await lab.start(1);
    expect(one.network.send(nodeId(7), heartbeat(1, 7))).toBe(false);
    expect(one.counters.peerDrops).toBe(1);
    expect(one.network.bufferedBytes(nodeId(7))).toBe(0);
  });

  test("members that leave are left, in both directions, and what was queued for them still goes", async () => {
    const [one, two] = await lab.startPair();
    one.events.length = 0;
    one.network.send(two.id, heartbeat(1, 2));
    one.network.setMembers([target(1)]);
    await lab.wire.settle();
    expect(one.events.toSorted()).toEqual(["down incoming 2", "down outgoing 2"]);
    expect(two.received).toHaveLength(1);
    expect(one.network.connectedNames).toEqual([]);
  });

  test("a member under a new address or identity is dialled anew", async () => {
    const [one] = await lab.startPair();
    await lab.start(3);
    one.events.length = 0;
    one.network.setMembers([{ ...target(3), name: "2", id: nodeId(3) }]);
    await lab.wire.settle();
    expect(one.events).toContain("down outgoing 2");
    expect(one.events).toContain("up outgoing 3");
    expect(one.network.isUp(nodeId(2))).toBe(false);
  });

  test("everybody is greeted anew, in both directions", async () => {
    const [one, two] = await lab.startPair();
    one.events.length = 0;
    const greetings = lab.wire.attempts.length;
    one.network.greetAnew();
    expect(one.network.isUp(two.id)).toBe(false);
    await lab.wire.settle();
    expect(one.events.slice(0, 2).toSorted()).toEqual(["down incoming 2", "down outgoing 2"]);
    expect(one.events.slice(2).toSorted()).toEqual(["up incoming 2", "up outgoing 2"]);
    expect(lab.wire.attempts.length).toBe(greetings + 2);
  });

  test("closing while a dial is under way leaves nothing behind", async () => {
    const one = await lab.start(1);
    await lab.start(2);
    one.network.setMembers([target(2)]);
    await one.network[Symbol.asyncDispose]();
    await lab.wire.settle();
    expect(one.events).toEqual([]);
  });

  test("an address in use fails the start", async () => {
    await lab.start(1);
    await expect(lab.start(2, { port: 1 })).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
  });
});

describe("greeting", () => {
  test("another protocol version is refused without asking, with the own version in the answer", async () => {
    let asked = 0;
    await lab.start(1, {
      hooks: {
        onHello: () => {
          asked += 1;
          return welcomeOf(1);
        },
      },
    });
    const stranger = lab.knock(1);
    stranger.end.send(encodePeerHello(helloOf(2, 5, { protocolVersion: 2 })));
    await lab.wire.settle();
    expect(decodePeerWelcome(stranger.frames[0]!)).toMatchObject({
      kind: "refused",
      code: "UNSUPPORTED_VERSION",
      protocolVersion: 1,
    });
    expect(stranger.closed()).toBe(true);
    expect(asked).toBe(0);
  });

  test("a refusal is told to the dialling side, which tries again slowly, and both log it once", async () => {
    const refusals: PeerWelcome[] = [];
    const refused: PeerWelcome = {
      kind: "refused",
      protocolVersion: 1,
      code: "OTHER_CLUSTER",
      message: "wrong ensemble",
    };
    const one = await lab.start(1, {
      hooks: {
        onWelcome: (_, welcome) => {
          refusals.push(welcome);
          return true;
        },
      },
    });
    const two = await lab.start(2, { hooks: { onHello: () => refused } });
    one.network.setMembers([target(2)]);
    await lab.pass(3_000);
    expect(two.logger.lines.filter(({ message }) => message === "peer refused")).toHaveLength(1);
    expect(refusals.length).toBeGreaterThanOrEqual(5);
    expect(refusals.length).toBeLessThanOrEqual(13);
    expect(refusals[0]).toEqual(refused);
    expect(one.events).toEqual([]);
    expect(one.logger.lines.filter((line) => line.level !== "debug")).toMatchObject([
      { level: "warn", message: "the peer refuses this node" },
    ]);
  });

  test("the dialling side may refuse, too", async () => {
    const one = await lab.start(1, { hooks: { onWelcome: () => false } });
    const two = await lab.start(2);
    one.network.setMembers([target(2)]);
    await lab.wire.settle();
    expect(one.events).toEqual([]);
    expect(two.events).toEqual(["up incoming 1", "down incoming 1"]);
  });

  test("the node itself, or a copy of it, is refused", async () => {
    const one = await lab.start(1);
    const copy = lab.knock(1);
    copy.end.send(encodePeerHello(helloOf(1, 5)));
    await lab.wire.settle();
    expect(decodePeerWelcome(copy.frames[0]!)).toMatchObject({ code: "IDENTITY_REFUSED" });
    expect(one.events).toEqual([]);
  });

  test("who does not introduce itself within three seconds goes", async () => {
    await lab.start(1);
    const silent = lab.knock(1);
    await lab.pass(2_990);
    expect(silent.closed()).toBe(false);
    await lab.pass(20);
    expect(silent.closed()).toBe(true);
  });

  test("a listener that never answers the hello is given up", async () => {
    const one = await lab.start(1);
    const listener = lab.wire.listeners.get(1)!;
    lab.wire.listeners.set(2, { ...listener, accept: (end) => end.setHandlers(MUTE) });
    one.network.setMembers([target(2)]);
    await lab.pass(3_200);
    expect(lab.wire.attempts.length).toBe(2);
    lab.wire.listeners.delete(2);
  });

  test("strangers are bounded: the oldest goes, a peer still gets in", async () => {
    const one = await lab.start(1, { limits: { greetingMax: 3 } });
    const strangers = Array.from({ length: 5 }, () => lab.knock(1));
    const peer = lab.knock(1);
    peer.end.send(encodePeerHello(helloOf(2, 5)));
    await lab.wire.settle();
    expect(strangers.map((each) => each.closed())).toEqual([true, true, true, false, false]);
    expect(one.events).toEqual(["up incoming 2"]);
  });

  test("introduced links are bounded", async () => {
    const one = await lab.start(1, { limits: { linksMax: 2 } });
    for (const id of [2, 3, 4]) {
      lab.knock(1).end.send(encodePeerHello(helloOf(id, 5)));
      await lab.wire.settle();
    }
    expect(one.events).toEqual(["up incoming 2", "up incoming 3"]);
  });
});

const MUTE: ConnectionHandlers = { onFrame: () => undefined, onClose: () => undefined };

describe("whoever breaks the protocol", () => {
  test.each<[string, () => Uint8Array]>([
    ["an unknown frame", () => Uint8Array.of(77)],
    ["an empty frame", () => new Uint8Array(0)],
    ["a second hello", () => encodePeerHello(helloOf(3, 9))],
    ["a broken envelope", () => Uint8Array.of(3, 1, 2, 3)],
    ["another's messages", () => encodePeerFrame([heartbeat(2, 1)], encodeEntries)],
    ["messages for another", () => encodePeerFrame([heartbeat(3, 2)], encodeEntries)],
    ["a pong", () => Uint8Array.of(5)],
  ])(
    "with %s loses its link; nothing of the frame is heard, others are undisturbed",
    async (_, frame) => {
      const [one, two] = await lab.startPair();
      one.events.length = 0;
      const bad = lab.knock(1);
      bad.end.send(encodePeerHello(helloOf(3, 5)));
      await lab.wire.settle();
      bad.end.send(frame());
      bad.end.send(encodePeerFrame([heartbeat(3, 1)], encodeEntries));
      await lab.wire.settle();
      expect(bad.closed()).toBe(true);
      expect(one.events).toEqual(["up incoming 3", "down incoming 3"]);
      expect(one.received).toEqual([]);
      two.network.send(one.id, heartbeat(2, 1));
      two.network.flush();
      await lab.wire.settle();
      expect(one.received).toHaveLength(1);
    },
  );

  test.each<[string, () => Uint8Array]>([
    ["an unknown frame", () => Uint8Array.of(77)],
    ["envelopes", () => encodePeerFrame([heartbeat(2, 1)], encodeEntries)],
    ["text", () => new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")],
    ["half a hello", () => encodePeerHello(helloOf(3, 9)).subarray(0, 30)],
  ])("and starts with %s is closed before it is heard", async (_, frame) => {
    const one = await lab.start(1);
    const bad = lab.knock(1);
    bad.end.send(frame());
    await lab.wire.settle();
    expect(bad.closed()).toBe(true);
    expect(bad.frames).toEqual([]);
    expect(one.events).toEqual([]);
  });

  test("on a link that was dialled loses it as well", async () => {
    const [one, two] = await lab.startPair();
    one.events.length = 0;
    lab.wire.last(2).other!.send(Uint8Array.of(77));
    await lab.wire.settle();
    expect(one.events).toEqual(["down outgoing 2"]);
    await lab.pass(1_000);
    expect(one.network.isUp(two.id)).toBe(true);
  });

  test("a fault of this node's own code is not swallowed", async () => {
    const one = await lab.start(1, {
      hooks: {
        onFrame: () => {
          throw new Error("a bug");
        },
      },
    });
    const peer = lab.knock(1);
    peer.end.send(encodePeerHello(helloOf(3, 5)));
    await lab.wire.settle();
    peer.end.send(encodePeerFrame([heartbeat(3, 1)], encodeEntries));
    await expect(lab.wire.settle()).rejects.toThrow("a bug");
    expect(one.received).toEqual([]);
  });
});
