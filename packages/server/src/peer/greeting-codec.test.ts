import { logIndex, nodeId, term, type Membership } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { attempt } from "../../../../tests/support/peer/peer-lab.ts";
import type { PeerHello, PeerWelcome } from "./envelope.ts";
import {
  decodePeerHello,
  decodePeerWelcome,
  encodePeerHello,
  encodePeerWelcome,
} from "./greeting-codec.ts";

const MEMBERSHIP: Membership = {
  voters: [2, 3].map(nodeId),
  outgoingVoters: [],
  learners: [nodeId(1)],
  members: [1, 2, 3].map((id) => ({
    id: nodeId(id),
    name: `n${id}`,
    peerAddress: "10.0.0.1:7101|10.1.0.1:7101",
    clientAddress: "é.example:7001",
    promotion: { kind: "voter" },
  })),
};

const HELLO: PeerHello = {
  kind: "hello",
  protocolVersion: 1,
  clusterId: "c",
  historyId: "h",
  nodeId: nodeId(11),
  name: "ä",
  peerAddress: "a:1|b:2",
  clientAddress: "a:3",
  initialMembers: ["1", "2", "ä"],
  limits: { bytesMax: 2 ** 40, sessionsMax: 7, sessionEphemeralsMax: 1 },
  timing: { heartbeatMs: 100, electionTimeoutMs: 600 },
  linkNonce: 2 ** 52,
  entrance: "rejoin",
  priority: 100,
  appliedIndex: 2 ** 51,
};

const WELCOME: PeerWelcome = {
  kind: "welcome",
  protocolVersion: 1,
  clusterId: "c",
  historyId: "h",
  nodeId: nodeId(2 ** 40 + 1),
  name: "b",
  peerAddress: "b:1",
  clientAddress: "b:2",
  formation: { index: logIndex(0), term: term(0), membership: MEMBERSHIP },
};

describe("greetings", () => {
  test("survive the way there", () => {
    const refused: PeerWelcome = {
      kind: "refused",
      protocolVersion: 7,
      code: "OTHER_CLUSTER",
      message: "go away",
    };
    for (const hello of [HELLO, { ...HELLO, entrance: "join" as const, appliedIndex: null }]) {
      expect(decodePeerHello(encodePeerHello(hello))).toEqual(hello);
    }
    for (const welcome of [WELCOME, { ...WELCOME, formation: null }, refused]) {
      expect(decodePeerWelcome(encodePeerWelcome(welcome))).toEqual(welcome);
    }
  });

  test.each(["", "a", "a:0", "a:1|a:1", "http://a:1", "a:1 b:2"])(
    "with a peer address that nobody could dial (%j) are none",
    (peerAddress) => {
      const frame = encodePeerHello({ ...HELLO, peerAddress });
      expect(() => decodePeerHello(frame)).toThrow(/^PEER_PROTOCOL/);
    },
  );

  test("of another version only the version is read", () => {
    const frame = encodePeerHello({ ...HELLO, protocolVersion: 2 });
    const expected = { kind: "otherVersion", protocolVersion: 2 };
    expect(decodePeerHello(frame)).toEqual(expected);
    expect(decodePeerHello(frame.subarray(0, 5))).toEqual(expected);
    const welcome = encodePeerWelcome({ ...WELCOME, protocolVersion: 2 });
    expect(attempt(decodePeerWelcome, welcome)).toBe(false);
  });

  test("cut, changed and made-up ones are refused by name", () => {
    for (const [whole, decode] of [
      [encodePeerHello(HELLO), decodePeerHello],
      [encodePeerWelcome(WELCOME), decodePeerWelcome],
    ] as const) {
      for (let cut = 0; cut < whole.length; cut += 1) {
        if (cut !== 5 || decode === decodePeerWelcome) {
          expect(attempt(decode, whole.subarray(0, cut))).toBe(false);
        }
        for (const value of [0, 1, 0x7f, 0xff]) {
          const flipped = whole.slice();
          flipped[cut] = value;
          attempt(decode, flipped);
        }
      }
      expect(attempt(decode, Uint8Array.of(...whole, 0))).toBe(false);
    }
    expect(attempt(decodePeerHello, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"))).toBe(
      false,
    );
    expect(attempt(decodePeerHello, encodePeerHello({ ...HELLO, name: "n".repeat(3000) }))).toBe(
      false,
    );
    const crowd = Array.from({ length: 65 }, String);
    expect(attempt(decodePeerHello, encodePeerHello({ ...HELLO, initialMembers: crowd }))).toBe(
      false,
    );
  });
});
