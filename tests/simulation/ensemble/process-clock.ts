import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import type { MonotonicClock, Timer } from "../../../packages/server/src/ports.ts";
import type { Due, VirtualTime } from "./virtual-time.ts";

/** How one process's clock differs from the world's. */
export interface ClockSkew {
  /** Its seconds in one of the world's. */
  readonly rate: number;
  readonly startMs: number;
}

/** From the end of a turn's input to its work. */
const TURN_MS = 0.02;

/**
 * The monotonic clock of one life of one process, of a server's or of an application's. While the process is stopped
 * nothing of it runs and its clock goes on, as with SIGSTOP; once it has died nothing of it runs any more.
 */
export class ProcessClock implements MonotonicClock {
  readonly #time: VirtualTime;
  readonly #skew: ClockSkew;
  readonly #bornMs: number;
  #isDead = false;
  #isStopped = false;
  /** What fell due while it was stopped. */
  #backlog: (() => void)[] = [];
  /** What the turn that is under way ends with. */
  #turn: (() => void)[] = [];
  #timers = 0;

  constructor(time: VirtualTime, skew: ClockSkew) {
    this.#time = time;
    this.#skew = skew;
    this.#bornMs = time.nowMs;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#timers;
  }

  nowMs(): number {
    return this.#skew.startMs + (this.#time.nowMs - this.#bornMs) * this.#skew.rate;
  }

  /** Nothing suspends machines here: what a client measures by is all that its application sees. */
  aheadMs(): number {
    return 0;
  }

  after(delayMs: number, callback: () => void): Timer {
    const end = (): boolean => {
      if (isOver) return false;
      isOver = true;
      this.#timers -= 1;
      return true;
    };
    const fire = (): void => {
      if (end()) callback();
    };
    const due = this.#due(delayMs, () => this.#run(fire));
    let isOver = false;
    this.#timers += 1;
    return {
      cancel: () => {
        if (end()) due.run = null;
      },
    };
  }

  every(periodMs: number, callback: () => void): Timer {
    let dueMs = this.nowMs() + periodMs;
    let isCancelled = false;
    const fire = (): void => {
      if (isCancelled) return;
      // After a stall the periods that passed are skipped, not made up for.
      dueMs += periodMs;
      if (dueMs <= this.nowMs()) dueMs = this.nowMs() + periodMs;
      due = this.#due(dueMs - this.nowMs(), run);
      callback();
    };
    const run = (): void => this.#run(fire);
    let due = this.#due(periodMs, run);
    this.#timers += 1;
    return {
      cancel: () => {
        if (!isCancelled) this.#timers -= 1;
        isCancelled = true;
        due.run = null;
      },
    };
  }

  #due(delayMs: number, run: () => void): Due {
    return this.#time.after(Math.max(0, delayMs) / this.#skew.rate, run);
  }

  endOfTurn(callback: () => void): void {
    this.#turn.push(callback);
    if (this.#turn.length === 1) this.#time.after(TURN_MS, () => this.#run(() => this.#endTurn()));
  }

  /** Resolves after that long of the world's time, unless the process dies: what a device does for it. */
  device(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#time.after(delayMs, () => this.#run(resolve));
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Timers that fell due come first, as in the runtime: what waits in the sockets is read after them. */
  resume(): void {
    this.#isStopped = false;
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const callback of backlog) this.#run(callback);
  }

  die(): void {
    this.#isDead = true;
    this.#backlog = [];
  }

  /** Everything that was asked for by now, as in the runtime's check phase. */
  #endTurn(): void {
    const callbacks = this.#turn;
    this.#turn = [];
    for (const callback of callbacks) {
      if (this.#isDead) return;
      callback();
      this.#time.settle();
    }
  }

  #run(callback: () => void): void {
    if (this.#isDead) return;
    if (this.#isStopped) this.#backlog.push(callback);
    else callback();
  }
}

/** The clock of a new process: it starts anywhere, and goes up to `skewMax` too fast or too slow, half of them by all of it. */
export function drawClock(time: VirtualTime, random: SeededRandom, skewMax: number): ProcessClock {
  const share = 2 * (2 * random.nextFraction() - 1);
  const skew = skewMax * Math.max(-1, Math.min(1, share));
  return new ProcessClock(time, { rate: 1 + skew, startMs: 1_000 + random.nextBelow(1_000_000) });
}
