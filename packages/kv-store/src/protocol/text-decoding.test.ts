import { describe, expect, it } from "vitest";
import { packValue, unpackValue } from "./codec-bytes.ts";
import { ValueReader } from "./value-reader.ts";
import { ValueWriter } from "./value-writer.ts";

const TEXTS: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["a mark of byte order alone", "\ufeff"],
  ["a short one that begins with the mark", "\ufeffx"],
  ["a long one that begins with the mark", `\ufeff${"x".repeat(70)}`],
  ["one that begins with two of them", `\ufeff\ufeff${"é".repeat(400)}`],
  ["one that ends with the mark", `${"x".repeat(70)}\ufeff`],
  ["two bytes a character", "é".repeat(20)],
  ["four bytes a character", "𝄞".repeat(5000)],
  ["what stands in for wrong bytes", "\ufffd\u0000"],
];

function readOf(text: string): string {
  const writer = new ValueWriter();
  writer.begin();
  writer.text(text);
  const reader = new ValueReader();
  reader.open(writer.finish(), 0);
  return reader.text(65_536);
}

describe("a text", () => {
  it.each(TEXTS)("is read as it was written: %s", (_name, text) => {
    expect(unpackValue(packValue([text]), 0)).toEqual([text]);
    expect(readOf(text)).toBe(text);
  });

  const notUtf8: readonly (readonly [string, readonly number[]])[] = [
    ["a byte that is in no UTF-8", [0xff]],
    ["a character cut short", [0xe2, 0x82]],
    ["half of a pair", [0xed, 0xa0, 0x80]],
    ["a slash in two bytes", [0xc0, 0xaf]],
    ["seventy wrong bytes", Array.from({ length: 70 }, () => 0xff)],
  ];

  it.each(notUtf8)("that has %s is refused", (_name, bytes) => {
    const text = Uint8Array.of(0xd9, bytes.length, ...bytes);
    const reader = new ValueReader();
    reader.open(text, 0);
    const refusal = expect.objectContaining({ name: "ProtocolError", code: "PROTOCOL_ERROR" });
    expect(() => reader.text(100)).toThrow(refusal);
    expect(() => unpackValue(Uint8Array.of(0x91, ...text), 0)).toThrow(refusal);
  });
});
