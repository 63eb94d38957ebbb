import { afterEach, describe, expect, it, vi } from "vitest";
import { decodeClientFrame, decodeServerFrame, encodeClientFrame } from "./codec.ts";
import type { ClientMessage } from "./frame.ts";
import { sessionId } from "./ids.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";
import { PROTOCOL_VERSION } from "./version.ts";

const HELLO: Extract<ClientMessage, { readonly kind: "hello" }> = {
  kind: "hello",
  protocolVersion: PROTOCOL_VERSION,
  session: null,
  secret: new Uint8Array(PROTOCOL_LIMITS.secretBytes),
  timeoutMs: 1000,
  lastZxid: 0,
  historyId: "",
  clientName: "",
};

/** A frame holds twenty times that, but each would be noted by what counts the calls if ever they were looked at. */
const ITEMS = 200_000;

function lengthOf(count: number): readonly number[] {
  return [0xdd, count >>> 24, (count >>> 16) & 0xff, (count >>> 8) & 0xff, count & 0xff];
}

/** A frame of one message that begins so and goes on with a list of that many items. */
function frameOf(head: readonly number[], item: readonly number[], count: number): Uint8Array {
  const start = [0x91, ...head, ...lengthOf(count)];
  const frame = new Uint8Array(start.length + item.length * count);
  frame.set(start);
  for (let at = start.length; at < frame.length; at += item.length) frame.set(item, at);
  return frame;
}

describe("a frame of items without end", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const places: readonly (readonly [string, readonly number[]])[] = [
    ["in a hello", [0x98, 1, PROTOCOL_VERSION, 0xc0]],
    ["in a hello of another version", [0x93, 1, 99]],
    ["in a watch to be added", [0x97, 5, 1, 1]],
    ["in a watch to be removed", [0x93, 6, 1]],
    ["in a ping", [0x92, 7]],
    ["in a goodbye to a session", [0x92, 8]],
    ["in a message that nobody knows", [0x92, 99]],
  ];

  it.each(places)("of a client, %s, is refused before they are looked at", (_place, head) => {
    const decode = vi.spyOn(TextDecoder.prototype, "decode");
    expect(() => decodeClientFrame(frameOf(head, [0xa1, 0x61], ITEMS))).toThrow(
      expect.objectContaining({
        name: "ProtocolError",
        code: "PROTOCOL_ERROR",
        message: expect.stringContaining("items"),
      }),
    );
    expect(decode).not.toHaveBeenCalled();
  });

  it("of a server is refused before they are looked at", () => {
    const decode = vi.spyOn(TextDecoder.prototype, "decode");
    for (const tag of [1, 13, 14]) {
      expect(() => decodeServerFrame(frameOf([0x92, tag], [0xa1, 0x61], ITEMS))).toThrow(
        expect.objectContaining({ code: "PROTOCOL_ERROR" }),
      );
    }
    expect(decode).not.toHaveBeenCalled();
  });

  it("is refused also where they lie in many lists", () => {
    const decode = vi.spyOn(TextDecoder.prototype, "decode");
    const lists = [0x9f, ...Array.from({ length: 15 }, () => [0xa1, 0x61]).flat()];
    const head = [0x97, 5, 1, 1, 0xdc, 0, 60, ...Array.from({ length: 60 }, () => lists).flat()];
    const frame = Uint8Array.from([0x91, ...head, 0, 0xc2, 0xc0]);
    expect(() => decodeClientFrame(frame)).toThrow(
      expect.objectContaining({ message: "PROTOCOL_ERROR: more than 64 items" }),
    );
    expect(decode).not.toHaveBeenCalled();
  });
});

describe("a hello", () => {
  it.each([0, 1, PROTOCOL_LIMITS.secretBytes - 1, 65])(
    "whose secret has %i bytes is refused, whether it opens a session or comes back to one",
    (length) => {
      for (const session of [null, sessionId(7)]) {
        const frame = encodeClientFrame([{ ...HELLO, session, secret: new Uint8Array(length) }]);
        expect(() => decodeClientFrame(frame)).toThrow(
          expect.objectContaining({ name: "ProtocolError", code: "PROTOCOL_ERROR" }),
        );
      }
    },
  );

  it("may have a longer secret than the SDK draws", () => {
    const hello = { ...HELLO, secret: new Uint8Array(64) };
    expect(decodeClientFrame(encodeClientFrame([hello]))).toEqual([hello]);
  });
});

describe("an empty text", () => {
  it("is made without the decoder", () => {
    const decode = vi.spyOn(TextDecoder.prototype, "decode");
    expect(decodeClientFrame(encodeClientFrame([HELLO]))).toEqual([HELLO]);
    expect(decode).not.toHaveBeenCalled();
  });
});
