import { nodeId, term } from "@quorate/raft";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SECTOR_BYTES, isZero } from "./log-format.ts";
import {
  RecordWriter,
  decodeRecordHeader,
  isIntact,
  recordBody,
  recordBytesMax,
} from "./log-record.ts";

const NOTHING = new Uint8Array(0);

function write(block: Uint8Array, salt = 5): { bytes: Uint8Array; chain: bigint } {
  const written = new RecordWriter().write({
    salt,
    sequence: 2 ** 40,
    previousChain: 77n,
    hardState: { term: term(2 ** 45), votedFor: nodeId(3) },
    marker: NOTHING,
    block,
  });
  return { bytes: written.bytes.slice(), chain: written.chain };
}

/** Pieces of zeros and of other bytes, so that some sectors would be all zeros. */
const blockArbitrary = fc
  .array(fc.tuple(fc.nat(3_000), fc.nat(1)), { maxLength: 6 })
  .map((pieces) => {
    const block = new Uint8Array(pieces.reduce((sum, [length]) => sum + length, 0));
    let at = 0;
    for (const [length, byte] of pieces) {
      block.fill(byte, at, at + length);
      at += length;
    }
    return block;
  });

describe("log records", () => {
  test("hold no sector of zeros, fit their bound and give the block back", () => {
    fc.assert(
      fc.property(blockArbitrary, (block) => {
        const { bytes, chain } = write(block);
        expect(bytes.length % SECTOR_BYTES).toBe(0);
        expect(bytes.length).toBeLessThanOrEqual(recordBytesMax(NOTHING, block));
        for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
          expect(isZero(bytes, at, at + SECTOR_BYTES)).toBe(false);
        }
        const header = decodeRecordHeader(bytes.subarray(0, SECTOR_BYTES), 5);
        expect(header).toMatchObject({ sequence: 2 ** 40, previousChain: 77n, chain });
        const record = bytes.subarray(0, header?.length);
        expect(isIntact(record, header!, 5)).toBe(true);
        expect(Buffer.compare(recordBody(record, header!).block, block)).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  test("a reused buffer leaves nothing of the record before", () => {
    const writer = new RecordWriter();
    const content = {
      salt: 1,
      sequence: 1,
      previousChain: 0n,
      hardState: { term: term(1), votedFor: null },
      marker: NOTHING,
    };
    writer.write({ ...content, block: new Uint8Array(5_000).fill(255) });
    const after = writer.write({ ...content, block: new Uint8Array(700) }).bytes.slice();
    const fresh = new RecordWriter().write({ ...content, block: new Uint8Array(700) }).bytes;
    expect(Buffer.compare(after, fresh)).toBe(0);
  });

  test("every flipped bit is seen", () => {
    const { bytes } = write(new Uint8Array(700).fill(3));
    const length = decodeRecordHeader(bytes.subarray(0, SECTOR_BYTES), 5)!.length;
    for (let bit = 0; bit < length * 8; bit += 1) {
      const changed = bytes.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const header = decodeRecordHeader(changed.subarray(0, SECTOR_BYTES), 5);
      const whole = header !== null && isIntact(changed.subarray(0, length), header, 5);
      expect(whole, `bit ${bit}`).toBe(false);
    }
  });

  test("a record of another segment, with another salt, is none", () => {
    const { bytes } = write(new Uint8Array(10), 5);
    expect(decodeRecordHeader(bytes.subarray(0, SECTOR_BYTES), 6)).toBeNull();
  });
});
