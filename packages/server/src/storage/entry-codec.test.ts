import { logIndex, nodeId, term, type Entry } from "@quorate/raft";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EntryCodecError, blockBounds, decodeEntries, encodeEntries } from "./entry-codec.ts";
import { Scratch } from "./scratch.ts";

const membership = {
  voters: [nodeId(1), nodeId(2 ** 52)],
  outgoingVoters: [nodeId(3)],
  learners: [nodeId(4)],
  members: [1, 2 ** 52, 3, 4].map((id) => ({
    id: nodeId(id),
    name: `node ${id} ü`,
    peerAddress: "[::1]:1",
    clientAddress: "host:2",
    promotion: { kind: "none" as const },
  })),
};

const entriesArbitrary = fc
  .record({
    first: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constant(Number.MAX_SAFE_INTEGER - 20)),
    firstTerm: fc.oneof(fc.nat(5), fc.constant(2 ** 52)),
    items: fc.array(
      fc.record({
        kind: fc.constantFrom("command", "noop", "config"),
        rise: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(2 ** 40)),
        data: fc.uint8Array({ maxLength: 300 }),
      }),
      { maxLength: 20 },
    ),
  })
  .map(({ first, firstTerm, items }) => {
    let at = firstTerm;
    return items.map(({ kind, rise, data }, position): Entry => {
      at += position === 0 ? 0 : rise;
      const id = { term: term(at), index: logIndex(first + position) };
      if (kind === "command") return { ...id, kind, data };
      return kind === "noop" ? { ...id, kind: "noop" } : { ...id, kind: "config", membership };
    });
  });

describe("entry blocks", () => {
  test("come back as they were", () => {
    fc.assert(
      fc.property(entriesArbitrary, (entries) => {
        const block = encodeEntries(entries);
        expect(decodeEntries(block)).toEqual(entries);
        const bounds = blockBounds(block);
        expect(bounds?.count ?? 0).toBe(entries.length);
        expect(bounds?.firstIndex).toBe(entries[0]?.index);
        expect(bounds?.lastIndex).toBe(entries.at(-1)?.index);
        expect(bounds?.firstTerm).toBe(entries[0]?.term);
        expect(bounds?.lastTerm).toBe(entries.at(-1)?.term);
      }),
      { numRuns: 200 },
    );
  });

  test("are the same in memory that was used before", () => {
    const scratch = new Scratch();
    fc.assert(
      fc.property(entriesArbitrary, (entries) => {
        scratch.take(0).fill(255);
        const block = encodeEntries(entries, scratch);
        expect(Buffer.compare(block, encodeEntries(entries))).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  test("no entries are no bytes", () => {
    expect(encodeEntries([])).toHaveLength(0);
    expect(decodeEntries(new Uint8Array(0))).toEqual([]);
  });

  test("command data are views of the block", () => {
    const data = new Uint8Array([1, 2, 3]);
    const block = encodeEntries([{ kind: "command", term: term(1), index: logIndex(1), data }]);
    const [entry] = decodeEntries(block);
    expect(entry?.kind === "command" && entry.data.buffer === block.buffer).toBe(true);
  });

  test("refuse lists that are no piece of a log", () => {
    const noop = (index: number, at: number): Entry => ({
      kind: "noop",
      term: term(at),
      index: logIndex(index),
    });
    expect(() => encodeEntries([noop(1, 1), noop(3, 1)])).toThrow(EntryCodecError);
    expect(() => encodeEntries([noop(1, 2), noop(2, 1)])).toThrow(EntryCodecError);
  });

  test("a cut or lengthened block is refused", () => {
    fc.assert(
      fc.property(entriesArbitrary, fc.nat(), (entries, at) => {
        const block = encodeEntries(entries);
        fc.pre(block.length > 0);
        expect(() => decodeEntries(block.subarray(0, 1 + (at % (block.length - 1))))).toThrow(
          EntryCodecError,
        );
        expect(() => decodeEntries(Uint8Array.of(...block, 0))).toThrow(EntryCodecError);
      }),
      { numRuns: 100 },
    );
  });

  test("whatever the bytes, the answer is entries or an EntryCodecError", () => {
    fc.assert(
      fc.property(
        entriesArbitrary,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
        (entries, changes) => {
          const block = Uint8Array.from(encodeEntries(entries));
          for (const [at, byte] of changes) if (block.length > 0) block[at % block.length] = byte;
          try {
            const decoded = decodeEntries(block);
            expect(encodeEntries(decoded).length).toBeGreaterThanOrEqual(0);
          } catch (error) {
            expect(error).toBeInstanceOf(EntryCodecError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
