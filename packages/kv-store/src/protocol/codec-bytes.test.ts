import { describe, expect, it } from "vitest";
import { packValue, unpackValue } from "./codec-bytes.ts";

function repeat(byte: number, count: number): number[] {
  return Array.from({ length: count }, () => byte);
}

describe("unpackValue", () => {
  it("returns what packValue took", () => {
    const value = [null, true, false, 0, -1, -129, 255, 65_536, 2 ** 40, 1.5, "é", ["x", []]];
    expect(unpackValue(packValue(value), 0)).toEqual(value);
  });

  it("starts where it is told to", () => {
    expect(unpackValue(Uint8Array.of(9, 9, 0x91, 5), 2)).toEqual([5]);
  });

  const hostile: readonly (readonly [string, readonly number[]])[] = [
    ["nothing at all", []],
    ["trailing bytes", [0x90, 0]],
    ["an array that is not there", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["an array of thirty million", [0xdd, 0x01, 0xc9, 0xc3, 0x80, 0xc0]],
    ["an array cut short", [0x92, 1]],
    ["a string cut short", [0xa5, 0x61]],
    ["a string of four gigabytes", [0xdb, 0xff, 0xff, 0xff, 0xff, 0x61]],
    ["bytes of four gigabytes", [0xc6, 0xff, 0xff, 0xff, 0xff, 0]],
    ["a number cut short", [0xcb, 0, 0]],
    ["a map", [0x81, 0xa1, 0x61, 1]],
    ["a map with __proto__", [0x81, 0xa9, ...new TextEncoder().encode("__proto__"), 0x90]],
    ["a big integer", [0xcf, ...repeat(0xff, 8)]],
    ["a signed big integer", [0xd3, ...repeat(0x80, 8)]],
    ["a short float", [0xca, 0, 0, 0, 0]],
    ["an unused token", [0xc1]],
    ["a date", [0xd6, 0xff, 0, 0, 0, 0]],
    ["a record definition", [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61]],
    ["a regular expression", [0xc7, 3, 0x78, 0x92, 0xa0, 0xa0]],
    ["arrays a hundred thousand deep", repeat(0x91, 100_000)],
  ];

  it.each(hostile)("refuses %s", (_name, bytes) => {
    expect(() => unpackValue(Uint8Array.from(bytes), 0)).toThrow(
      expect.objectContaining({ name: "ProtocolError", code: "PROTOCOL_ERROR" }),
    );
  });

  it("reads a token of a record as nothing but a number", () => {
    expect(unpackValue(Uint8Array.of(0x91, 0x40), 0)).toEqual([0x40]);
  });
});
