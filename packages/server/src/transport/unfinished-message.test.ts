import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UnfinishedMessage } from "./unfinished-message.ts";

const PIECE = 1_024;
const FRAME = 128;

interface Shape {
  readonly opcode?: number;
  readonly isFinal?: boolean;
  readonly isMasked?: boolean;
}

function frame(
  length: number,
  { opcode = 2, isFinal = true, isMasked = true }: Shape = {},
): Uint8Array {
  const inHeader = length < 126 ? length : length < 65_536 ? 126 : 127;
  const header = Buffer.alloc(2 + (length < 126 ? 0 : length < 65_536 ? 2 : 8));
  header[0] = opcode | (isFinal ? 0x80 : 0);
  header[1] = inHeader | (isMasked ? 0x80 : 0);
  if (inHeader === 126) header.writeUInt16BE(length, 2);
  if (inHeader === 127) header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, Buffer.alloc(isMasked ? 4 : 0), Buffer.alloc(length, 0xff)]);
}

const PING = frame(5, { opcode: 9 });
const BEGIN = frame(10, { isFinal: false });
const MIDDLE = frame(0, { opcode: 0, isFinal: false });
const END = frame(20, { opcode: 0 });

function measure(...pieces: readonly Uint8Array[]): number {
  return measureAll(pieces);
}

/** As many as there are: too many to be arguments. */
function measureAll(pieces: readonly Uint8Array[]): number {
  const message = new UnfinishedMessage();
  for (const piece of pieces) message.take(piece);
  return message.heapBytes;
}

describe("a message that is not complete", () => {
  test("takes all pieces that it came in, and what each costs", () => {
    const bytes = frame(70_000);
    expect(measure(bytes.subarray(0, 60_000))).toBe(60_000 + PIECE);
    expect(measure(bytes.subarray(0, 1), bytes.subarray(1, 4))).toBe(4 + 2 * PIECE);
    expect(measure(bytes.subarray(0, 14))).toBe(14 + PIECE);
    expect(measure(frame(0).subarray(0, 3))).toBe(3 + PIECE);
  });

  test("takes the whole piece where another one ended in it", () => {
    const both = Buffer.concat([frame(1_000), frame(2_000).subarray(0, 1)]);
    expect(measure(frame(50).subarray(0, 9), frame(50).subarray(9), both)).toBe(
      both.length + PIECE,
    );
  });

  test("takes its frames, however short", () => {
    const frames = Buffer.concat([BEGIN, MIDDLE, MIDDLE]);
    expect(measure(frames)).toBe(frames.length + PIECE + 3 * FRAME);
    expect(measure(BEGIN, PING)).toBe(BEGIN.length + PING.length + 2 * PIECE + FRAME);
  });
});

test("nothing is held between messages", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc
            .record({
              length: fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536, 70_000),
              isMasked: fc.boolean(),
            })
            .map(({ length, isMasked }) => frame(length, { isMasked })),
          fc.constant(PING),
          fc.constant(Buffer.concat([BEGIN, PING, MIDDLE, END])),
        ),
        { minLength: 1, maxLength: 5 },
      ),
      fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 }),
      (messages, lengths) => {
        const stream = Buffer.concat(messages);
        const pieces: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const length = lengths[turn % lengths.length] ?? 1;
          pieces.push(stream.subarray(at, at + length));
          at += length;
        }
        expect(measureAll(pieces)).toBe(0);
        expect(measure(stream.subarray(0, -1))).toBeGreaterThan(0);
      },
    ),
  );
});
