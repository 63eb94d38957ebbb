import {
  CommandError,
  decodeCommand,
  encodeCommand,
  stampCommand,
  type Command,
} from "@quorate/kv-store";
import {
  decodeClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  encodeServerFrame,
  ERROR_CODES,
  EVENT_KINDS,
  PROTOCOL_LIMITS,
  PROTOCOL_VERSION,
  ProtocolError,
  sessionId,
  writeSeq,
} from "@quorate/kv-store/protocol";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clientMessage, command, serverMessage } from "../support/kv-store/message-arbitrary.ts";

describe("frames", () => {
  it("come back as they went, from the client", () => {
    fc.assert(
      fc.property(fc.array(clientMessage, { minLength: 1, maxLength: 8 }), (messages) => {
        const frame = encodeClientFrame(messages);
        expect(decodeClientFrame(frame)).toEqual(messages);
        expect(encodeClientFrame(messages)).toEqual(frame);
      }),
    );
  });

  it("come back as they went, from the server", () => {
    fc.assert(
      fc.property(fc.array(serverMessage, { minLength: 1, maxLength: 8 }), (messages) => {
        const frame = encodeServerFrame(messages);
        expect(decodeServerFrame(frame)).toEqual(messages);
        expect(encodeServerFrame(messages)).toEqual(frame);
      }),
    );
  });

  it("yield plain byte arrays, whatever kind they came in", () => {
    const frame = encodeClientFrame([
      {
        kind: "write",
        writeSeq: writeSeq(1),
        ackedSeq: 0,
        ops: [{ kind: "create", path: "/a", data: Uint8Array.of(1, 2, 3), mode: "persistent" }],
      },
    ]);
    const [message] = decodeClientFrame(Buffer.from(frame));
    if (message?.kind !== "write" || message.ops[0]?.kind !== "create") throw new Error("kind");
    expect(message.ops[0].data.constructor).toBe(Uint8Array);
    expect(message.ops[0].data).toEqual(Uint8Array.of(1, 2, 3));
  });

  it("carry data of every length", () => {
    for (const length of [0, 1, 255, 256, 65_535, 65_536, PROTOCOL_LIMITS.dataBytesMax]) {
      const data = new Uint8Array(length).fill(length % 251);
      const bytes = encodeCommand({
        kind: "write",
        session: sessionId(1),
        writeSeq: writeSeq(1),
        ackedSeq: 0,
        epoch: 0,
        ops: [{ kind: "set", path: "/a", data, version: null }],
      });
      const { command: decoded } = decodeCommand(bytes);
      const op = decoded.kind === "write" ? decoded.ops[0] : undefined;
      if (op?.kind !== "set") throw new Error("kind");
      expect(Buffer.compare(op.data, data)).toBe(0);
    }
  });

  it("too large are refused on both sides", () => {
    const data = new Uint8Array(PROTOCOL_LIMITS.dataBytesMax);
    const write = (seq: number) => ({
      kind: "write" as const,
      writeSeq: writeSeq(seq),
      ackedSeq: 0 as const,
      ops: [{ kind: "set" as const, path: "/a", data, version: null }],
    });
    const tooLarge = expect.objectContaining({ code: "FRAME_TOO_LARGE" });
    expect(() => encodeClientFrame([1, 2, 3, 4].map(write))).toThrow(tooLarge);
    expect(() => decodeClientFrame(new Uint8Array(PROTOCOL_LIMITS.frameBytesMax + 1))).toThrow(
      tooLarge,
    );
    const ping = { kind: "ping" as const, pingId: 1 };
    const many = Array.from({ length: PROTOCOL_LIMITS.frameMessagesMax + 1 }, () => ping);
    expect(() => encodeClientFrame(many)).toThrow(tooLarge);
  });

  it("tell the version of a hello and a goodbye that nothing else can be read of", () => {
    // [[1, 9, {…}]] as some later version may say hello
    const hello = Uint8Array.of(0x91, 0x93, 1, 9, 0xa1, 0x78);
    expect(decodeClientFrame(hello)[0]).toMatchObject({ kind: "hello", protocolVersion: 9 });
    const goodbye = Uint8Array.of(0x91, 0x93, 13, 9, 0xa1, 0x78);
    expect(decodeServerFrame(goodbye)[0]).toMatchObject({
      kind: "goodbye",
      protocolVersion: 9,
      code: "INTERNAL",
    });
    expect(PROTOCOL_VERSION).not.toBe(9);
  });

  it("know every code and every kind of event", () => {
    for (const code of ERROR_CODES) {
      const refused = { kind: "watchRefused" as const, cxid: 1, watchId: 2, code };
      expect(decodeServerFrame(encodeServerFrame([refused]))).toEqual([refused]);
    }
    expect(EVENT_KINDS).toHaveLength(4);
  });
});

describe("commands", () => {
  it("come back as they went, with their stamp", () => {
    fc.assert(
      fc.property(command, fc.maxSafeNat(), fc.maxSafeNat(), (drawn: Command, timeMs, clockMs) => {
        const bytes = encodeCommand(drawn);
        expect(decodeCommand(bytes).stamp).toEqual({ timeMs: 0, clockMs: 0 });
        stampCommand(bytes, { timeMs, clockMs });
        expect(decodeCommand(bytes)).toEqual({ stamp: { timeMs, clockMs }, command: drawn });
      }),
    );
  });

  it("lose fractions of a millisecond", () => {
    const bytes = encodeCommand({ kind: "closeSession", session: sessionId(5) });
    stampCommand(bytes, { timeMs: 10.9, clockMs: 3.2 });
    expect(decodeCommand(bytes).stamp).toEqual({ timeMs: 10, clockMs: 3 });
  });

  it("of another version or kind are refused by name", () => {
    const bytes = encodeCommand({ kind: "closeSession", session: sessionId(5) });
    const altered = (at: number, value: number) => {
      const copy = bytes.slice();
      copy[at] = value;
      return () => decodeCommand(copy);
    };
    expect(altered(0, 2)).toThrow(expect.objectContaining({ code: "UNKNOWN_VERSION" }));
    expect(altered(1, 99)).toThrow(expect.objectContaining({ code: "UNKNOWN_KIND" }));
    expect(altered(1, 0)).toThrow(expect.objectContaining({ code: "UNKNOWN_KIND" }));
    expect(altered(2, 0xff)).toThrow(expect.objectContaining({ code: "MALFORMED" }));
    expect(() => decodeCommand(new Uint8Array(0))).toThrow(CommandError);
    expect(() => decodeCommand(bytes.slice(0, 18))).toThrow(CommandError);
  });
});

/** Bytes that are nearly right: flipped, cut, repeated, or with another's middle. */
function damaged(whole: Uint8Array, how: readonly number[]): Uint8Array {
  const [kind = 0, at = 0, value = 0] = how;
  const where = whole.length === 0 ? 0 : at % whole.length;
  const copy = whole.slice();
  if (kind % 4 === 0) copy[where] = value;
  if (kind % 4 === 1) return whole.slice(0, where);
  if (kind % 4 === 2)
    return Buffer.concat([whole.slice(0, where), Uint8Array.of(value), whole.slice(where)]);
  if (kind % 4 === 3) return Buffer.concat([whole, whole.slice(where)]);
  return copy;
}

describe("hostile bytes", () => {
  const damage = fc.tuple(fc.nat({ max: 3 }), fc.nat(), fc.nat({ max: 255 }));

  it("never throw anything but a typed error", () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.array(clientMessage, { minLength: 1, maxLength: 3 }), damage)
        .map(([messages, how]) => damaged(encodeClientFrame(messages), how)),
      fc
        .tuple(fc.array(serverMessage, { minLength: 1, maxLength: 3 }), damage)
        .map(([messages, how]) => damaged(encodeServerFrame(messages), how)),
      fc.tuple(command, damage).map(([drawn, how]) => damaged(encodeCommand(drawn), how)),
    );
    fc.assert(
      fc.property(noise, (bytes) => {
        expectTyped(() => decodeClientFrame(bytes), ProtocolError);
        expectTyped(() => decodeServerFrame(bytes), ProtocolError);
        expectTyped(() => decodeCommand(bytes), CommandError);
      }),
      { numRuns: 2000 },
    );
  });

  function expectTyped(decode: () => unknown, type: new (...args: never[]) => Error): void {
    try {
      decode();
    } catch (error) {
      expect(error).toBeInstanceOf(type);
    }
  }
});
