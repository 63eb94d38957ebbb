import { expect, test } from "vitest";
import { crc32c } from "./crc32c.ts";

// RFC 3720, B.4.
test.each([
  ["nothing", new Uint8Array(0), 0],
  ["the digits", new TextEncoder().encode("123456789"), 0xe3069283],
  ["zeros", new Uint8Array(32), 0x8a9136aa],
  ["ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["numbers that rise", Uint8Array.from({ length: 32 }, (_, at) => at), 0x46dd794e],
])("of %s", (_what, bytes, sum) => {
  expect(crc32c(bytes)).toBe(sum);
});
