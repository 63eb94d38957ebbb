import type { Random } from "./ports.ts";

/** 48 random bits: a number that no earlier process of this node has used. */
export function drawNonce(random: Random): number {
  let value = 0;
  for (const byte of random.bytes(6)) value = value * 256 + byte;
  return value;
}
