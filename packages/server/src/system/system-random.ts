import { randomBytes } from "node:crypto";
import type { Random } from "../ports.ts";

/** The operating system's random numbers, fit for secrets. */
export class SystemRandom implements Random {
  bytes(count: number): Uint8Array {
    return Uint8Array.from(randomBytes(count));
  }
}
