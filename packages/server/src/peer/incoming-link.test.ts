import { nodeId } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { append, heartbeat, helloOf, welcomeOf } from "../../../../tests/support/peer/peer-lab.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import type { Connection, ConnectionHandlers } from "../ports.ts";
import { encodeEntries } from "../storage/entry-codec.ts";
import { PING_FRAME, PONG_FRAME, encodePeerHello } from "./greeting-codec.ts";
import { IncomingLink } from "./incoming-link.ts";
import { LINK_TIMING } from "./link-timing.ts";
import { encodePeerFrame } from "./peer-codec.ts";

const LIMITS = { turnBytesMax: 6_000, turnEnvelopesMax: 100, unreadBytesMax: 100 };

/** What a peer sends, as far as it is read. */
class Wire implements Connection {
  readonly remote = "peer:1";
  readonly sent: Uint8Array[] = [];
  bufferedBytes = 0;
  isPaused = false;
  isDestroyed = false;
  #waiting: Uint8Array[] = [];
  #handlers: ConnectionHandlers | null = null;

  setHandlers(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }
  send(frame: Uint8Array): void {
    this.sent.push(frame);
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
    this.hears();
  }
  close(): void {}
  destroy(): void {
    this.isDestroyed = true;
  }
  hears(...frames: readonly Uint8Array[]): void {
    this.#waiting.push(...frames);
    while (!this.isPaused) {
      const frame = this.#waiting.shift();
      if (frame === undefined) return;
      this.#handlers?.onFrame(frame);
    }
  }
}

/** Ends one turn at a time, where the clock would end all that follow from it. */
class TurnClock extends ManualClock {
  #ending: (() => void)[] = [];

  override endOfTurn(callback: () => void): void {
    this.#ending.push(callback);
  }
  endTurn(): void {
    for (const callback of this.#ending.splice(0)) callback();
  }
}

function setUp() {
  const clock = new TurnClock();
  const wire = new Wire();
  const heard: number[] = [];
  const ends: string[] = [];
  const link: IncomingLink = new IncomingLink(wire, {
    clock,
    timing: LINK_TIMING,
    limits: LIMITS,
    owner: {
      onHello: (from) => from.welcome(helloOf(2, 1), welcomeOf(1)),
      onClient: () => "",
      onEnvelopes: (_from, envelopes) => void heard.push(envelopes.length),
      onClosed: (_from, reason) => void ends.push(reason),
    },
  });
  wire.hears(encodePeerHello(helloOf(2, 1)));
  expect(link.peer).toBe(nodeId(2));
  return { clock, wire, link, heard, ends };
}

const small = encodePeerFrame([heartbeat(2, 1)], encodeEntries);

describe("what a peer sends within a turn", () => {
  test("is bounded in bytes, and goes on in the next", () => {
    const { clock, wire, heard } = setUp();
    const large = encodePeerFrame([append(2, 1, 1_000)], encodeEntries);
    const perTurn = Math.ceil(LIMITS.turnBytesMax / large.length);
    wire.hears(...Array.from({ length: 20 }, () => large));
    expect(heard).toHaveLength(perTurn);
    for (let turn = 0; turn < 20; turn += 1) clock.endTurn();
    expect(heard).toHaveLength(20);
    expect(wire.isPaused).toBe(false);
  });

  test("is bounded in count", () => {
    const { clock, wire, heard } = setUp();
    wire.hears(...Array.from({ length: 250 }, () => small));
    expect(heard).toHaveLength(LIMITS.turnEnvelopesMax);
    clock.endTurn();
    expect(heard).toHaveLength(2 * LIMITS.turnEnvelopesMax);
    clock.endTurn();
    expect(heard).toHaveLength(250);
  });

  test("counts anew in each turn", () => {
    const { clock, wire, heard } = setUp();
    for (let turn = 0; turn < 5; turn += 1) {
      wire.hears(...Array.from({ length: 90 }, () => small));
      expect(wire.isPaused).toBe(false);
      clock.endTurn();
    }
    expect(heard).toHaveLength(450);
  });

  test("is not asked for any more once the link has ended", () => {
    const { clock, wire, link } = setUp();
    wire.hears(...Array.from({ length: 250 }, () => small));
    link.destroy();
    clock.endTurn();
    expect(wire.isPaused).toBe(true);
  });
});

describe("a peer that asks whether this node is there", () => {
  test("is answered as long as it reads the answers", () => {
    const { wire, ends } = setUp();
    wire.hears(Uint8Array.of(PING_FRAME));
    expect(wire.sent.at(-1)).toEqual(Uint8Array.of(PONG_FRAME));
    wire.bufferedBytes = LIMITS.unreadBytesMax + 1;
    wire.hears(Uint8Array.of(PING_FRAME));
    expect(ends).toEqual(["PEER_PROTOCOL: the peer does not read"]);
    expect(wire.isDestroyed).toBe(true);
  });
});
