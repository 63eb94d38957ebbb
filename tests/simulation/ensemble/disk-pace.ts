import type { FileOperation, FileStep } from "../../../packages/server/src/memory/memory-files.ts";
import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import type { StepPlace } from "./fault-event.ts";
import type { ProcessClock } from "./process-clock.ts";
import type { Profile } from "./profile.ts";

const SLOW_OPERATIONS: ReadonlySet<FileOperation> = new Set(["write", "sync", "syncDirectory"]);
const HUNG_LOOK_MS = 50;

/** What the disk of a node does to its writes. */
export interface DiskMood {
  /** Times as long as usual. */
  slowness: number;
  /** Nothing is answered any more. */
  isHung: boolean;
}

/** A step of the files of a process at which something is to happen. */
interface Trap {
  readonly place: StepPlace;
  /** Such steps that are still to come before it. */
  left: number;
  readonly spring: (clock: ProcessClock) => boolean;
}

/** How long the disk of a node takes for every step, and what is to happen at one of them. */
export class DiskPace {
  readonly mood: DiskMood = { slowness: 1, isHung: false };
  readonly #profile: Profile;
  readonly #writes: SeededRandom;
  readonly #reads: SeededRandom;
  #trap: Trap | null = null;

  /** Two streams of chance: for writes and syncs, and for everything else. */
  constructor(profile: Profile, writes: SeededRandom, reads: SeededRandom) {
    this.#profile = profile;
    this.#writes = writes;
    this.#reads = reads;
  }

  /**
   * `spring`, told whose step it was, is called at that step, which is never answered if it returns true. False: there is such a
   * trap already.
   */
  set(place: StepPlace, spring: (clock: ProcessClock) => boolean): boolean {
    if (this.#trap !== null) return false;
    this.#trap = { place, left: place.nth - 1, spring };
    return true;
  }

  /** Nothing is to happen at any step. */
  clear(): void {
    this.#trap = null;
  }

  /** What a step of the process with that clock waits for; null: nothing. */
  onStep(clock: ProcessClock, step: FileStep): Promise<void> | null {
    const trap = this.#trap;
    if (trap !== null && isAt(trap, step)) {
      this.clear();
      if (trap.spring(clock)) return new Promise(() => {});
    }
    if (SLOW_OPERATIONS.has(step.operation)) {
      return step.phase === "before" ? null : this.#wait(clock, () => this.#latencyMs());
    }
    const { readMs } = this.#profile;
    // Half of them find things as they were when they were asked for, half as they are when they are answered.
    if (readMs === 0 || this.#reads.nextFraction() < 0.5) return null;
    return this.#wait(clock, () => readMs * this.mood.slowness * 2 * this.#reads.nextFraction());
  }

  #wait(clock: ProcessClock, latencyMs: () => number): Promise<void> {
    return this.mood.isHung ? this.#whileHung(clock) : clock.device(latencyMs());
  }

  async #whileHung(clock: ProcessClock): Promise<void> {
    while (this.mood.isHung) await clock.device(HUNG_LOOK_MS);
  }

  #latencyMs(): number {
    const part = this.#writes.nextFraction();
    return this.#profile.diskMeanMs * this.mood.slowness * (0.5 + part * part * 1.5);
  }
}

function isAt(trap: Trap, { operation, phase }: FileStep): boolean {
  const { place } = trap;
  if (place.operation !== "any" && place.operation !== operation) return false;
  if (phase !== (place.isBefore ? "before" : "during")) return false;
  if (trap.left === 0) return true;
  trap.left -= 1;
  return false;
}
