import { expect, test } from "vitest";
import { isLocked } from "./running-node.ts";

const LOCKS = `1: POSIX  ADVISORY  WRITE 20354 fe:00:2146517 0 EOF
2: FLOCK  ADVISORY  WRITE 812 103:10001:77 0 EOF
2: -> FLOCK  ADVISORY  WRITE 813 103:10001:77 0 EOF
`;

test.each([
  [0xfe00, 2_146_517, true],
  [0xfe00, 214_651, false],
  [0xfe01, 2_146_517, false],
  [0x10010301, 77, true],
])("of device %i the file %i is locked: %s", (dev, ino, expected) => {
  expect(isLocked(LOCKS, { dev, ino })).toBe(expected);
});
