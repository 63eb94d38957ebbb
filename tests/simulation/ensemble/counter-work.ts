import { QuorateError, type Lock } from "@quorate/client";
import { Violation } from "../violation.ts";
import type { AppSession, Work } from "./application.ts";
import { createOnce } from "./create-once.ts";
import type { ProcessClock } from "./process-clock.ts";
import type { World } from "./world.ts";

const COUNTER = "/counter";
const LOCK = "/lock";
const ACQUIRE_MS = 3_000;
/** A call that waits that long looks who holds the lock, and if it is itself, hears of it within so long. */
const LOOK_MS = 1_000;
const HEAR_MS = 700;
/** Until what came together has been worked on. */
const WORKED_ON_MS = 5;

/** Somebody who holds the lock, as far as he may know. */
interface Holder {
  readonly session: AppSession;
  readonly lock: Lock;
}

/** A call that waits for the lock. */
interface Wait {
  /** By which it is known. */
  readonly data: string;
  isOver: boolean;
}

/** Everybody increments one counter by reading and writing it under a lock, the write guarded by the lock's token. */
export class CounterWork implements Work {
  readonly name = "counter" as const;
  readonly #world: World;
  readonly #holders = new Set<Holder>();
  #lastToken = 0;
  #done = 0;
  #inDoubt = 0;
  #asked = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Increments that were acknowledged. */
  get done(): number {
    return this.#done;
  }

  async run(session: AppSession): Promise<void> {
    await createOnce(session.client, COUNTER, "0");
    while (session.isLive) {
      await this.#increment(session);
      await session.think();
    }
  }

  /** Compares the counter with what was acknowledged. */
  check(value: number): void {
    if (value >= this.#done && value <= this.#done + this.#inDoubt) return;
    const text = `the counter is ${value} after ${this.#done} increments and ${this.#inDoubt} in doubt`;
    throw new Violation("C4 exactly once", text);
  }

  async #increment(session: AppSession): Promise<void> {
    let lock: Lock;
    this.#asked += 1;
    const data = `${session.number}.${this.#asked}`;
    const wait = { data, isOver: false };
    this.#watchOver(session, wait).catch((error: unknown) => this.#world.fail(error));
    try {
      lock = await session.client.lock(LOCK).acquire({ timeoutMs: ACQUIRE_MS, data });
    } catch (error) {
      if (!(error instanceof QuorateError)) throw error;
      if (error.code === "TIMEOUT" || error.code === "LOCK_LOST") return;
      throw error;
    } finally {
      wait.isOver = true;
    }
    session.noteAnswered();
    const holder: Holder = { session, lock };
    this.#onAcquired(holder);
    try {
      await this.#incrementHeld(session, lock);
    } finally {
      this.#holders.delete(holder);
      await lock.release();
      session.noteAnswered();
    }
  }

  async #incrementHeld(session: AppSession, lock: Lock): Promise<void> {
    const { client } = session;
    try {
      const { data } = await client.get(COUNTER);
      session.noteAnswered();
      const value = Number(new TextDecoder().decode(data)) + 1;
      if (lock.signal.aborted) return;
      // In doubt until the answer is there; if the process dies, for ever.
      this.#inDoubt += 1;
      // The guard comes last: what it forbids has been done by then, and has to be undone.
      await client.multi([{ kind: "set", path: COUNTER, data: String(value) }, lock.guard()]);
      this.#inDoubt -= 1;
      this.#done += 1;
      session.noteAnswered();
    } catch (error) {
      if (!(error instanceof QuorateError)) throw error;
      if (error.code !== "FENCED") throw error;
      if (!lock.signal.aborted && !session.clock.isDead) {
        const text = `session ${client.session} holds the lock with ${lock.token}, and its guard is refused`;
        this.#world.fail(new Violation("L4 holders are not fenced", text));
      }
      this.#inDoubt -= 1;
    }
  }

  /** Whoever holds the lock is told so. */
  async #watchOver({ client, clock }: AppSession, wait: Wait): Promise<void> {
    const isOver = (): boolean => wait.isOver || clock.isDead;
    const isHolder = async (): Promise<boolean> => {
      const leader = isOver() ? null : await client.election(LOCK).leader();
      return leader !== null && new TextDecoder().decode(leader.data) === wait.data;
    };
    try {
      await pause(clock, LOOK_MS);
      if (!(await isHolder())) return;
      await pause(clock, HEAR_MS);
      // Questions about contenders pass by writes, on a new connection, too. A read does not, and a question after it comes
      // behind the news.
      await client.exists(LOCK);
      const isStill = await isHolder();
      await pause(clock, WORKED_ON_MS);
      if (!isStill || isOver()) return;
    } catch (error) {
      if (error instanceof QuorateError) return;
      throw error;
    }
    const text = `session ${client.session} has held the lock for ${HEAR_MS} ms, and still waits for it`;
    this.#world.fail(new Violation("L5 holders are told", text));
  }

  #onAcquired(holder: Holder): void {
    const { lock, session } = holder;
    if (session.clock.isDead) return;
    if (lock.token <= this.#lastToken) {
      const text = `token ${lock.token} after ${this.#lastToken}`;
      this.#world.fail(new Violation("L1 tokens rise", text));
    }
    this.#lastToken = lock.token;
    for (const other of this.#holders) {
      if (!mayAct(other)) this.#holders.delete(other);
      else {
        const text = `sessions ${other.session.client.session} and ${session.client.session} hold the lock`;
        this.#world.fail(new Violation("L3 told before granted", text));
      }
    }
    this.#holders.add(holder);
  }
}

/** A process that is dead or stopped does nothing; one that goes on hears of its loss before it does. */
function mayAct({ lock, session }: Holder): boolean {
  const { clock } = session;
  return !clock.isDead && !clock.isStopped && !lock.signal.aborted;
}

function pause(clock: ProcessClock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
