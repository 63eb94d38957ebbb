import type { WallClock } from "../ports.ts";

/** The machine's calendar time. */
export class SystemWallClock implements WallClock {
  nowMs(): number {
    return Date.now();
  }
}
