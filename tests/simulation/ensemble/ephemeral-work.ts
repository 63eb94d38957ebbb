import type { Timer } from "../../../packages/server/src/ports.ts";
import { Violation } from "../violation.ts";
import type { AppSession, Work } from "./application.ts";
import { createOnce } from "./create-once.ts";
import type { ProcessClock } from "./process-clock.ts";
import type { World } from "./world.ts";

const DIRECTORY = "/e";
/** Parts of the session timeout: a process that ran less often than this was stopped; clocks differ by less than that. */
const STOPPED_PART = 0.25;
const SKEW_PART = 0.05;

/** Every session owns an ephemeral, which is there for as long as the session lives, and no session ends before its time. */
export class EphemeralWork implements Work {
  readonly name = "ephemeral" as const;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async run(session: AppSession): Promise<void> {
    const { client, number } = session;
    await createOnce(client, DIRECTORY);
    // To the end of the session, which outlives this work.
    this.#watchEnd(session).catch((error: unknown) => this.#world.fail(error));
    const path = `${DIRECTORY}/${number}`;
    await client.create(path, "", { mode: "ephemeral" });
    while (session.isLive) {
      const found = await client.exists(path);
      if (found?.ephemeralOwner !== client.session) {
        const text = `${path} of live session ${client.session} is ${found === null ? "gone" : "another's"}`;
        this.#world.fail(new Violation("S4 ephemerals live with their session", text));
      }
      await session.think();
    }
    await client.delete(path);
  }

  /** Nothing is left of sessions that have ended. */
  check(children: readonly string[]): void {
    if (children.length === 0) return;
    const text = `${children.join(", ")} are there after all sessions have ended`;
    throw new Violation("S4 ephemerals go with their session", text);
  }

  /** A session that the client gave up by itself has reached its deadline; what may be early is the service's word. */
  async #watchEnd({ client, clock }: AppSession): Promise<void> {
    const timeoutMs = client.sessionTimeoutMs;
    let livesUntil = client.livesUntil;
    const pulse = new Pulse(clock, STOPPED_PART * timeoutMs, () => {
      livesUntil = Math.max(livesUntil, client.livesUntil);
    });
    let before = client.state;
    for await (const state of client.states()) {
      if (state.kind === "suspended") livesUntil = state.until;
      const wasStopped = pulse.msSinceStop < timeoutMs;
      const isEarly = clock.nowMs() < livesUntil - SKEW_PART * timeoutMs;
      if (state.kind === "expired" && !clock.isDead && !wasStopped && isEarly) {
        const text = `session ${client.session} ended while it was ${before.kind}`;
        this.#world.fail(new Violation("S2 no session ends before its time", text));
      }
      before = state;
    }
    pulse.stop();
  }
}

/** Knows when its process was last stopped for longer than `limitMs`. */
class Pulse {
  readonly #clock: ProcessClock;
  readonly #limitMs: number;
  readonly #onBeat: () => void;
  readonly #timer: Timer;
  #lastMs: number;
  #goesOnSinceMs = -Infinity;

  /** `onBeat`: called several times in that while. */
  constructor(clock: ProcessClock, limitMs: number, onBeat: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#onBeat = onBeat;
    this.#lastMs = clock.nowMs();
    this.#timer = clock.every(limitMs / 4, () => this.#beat());
  }

  /** ms since it went on after a stop; Infinity if it never stood still. */
  get msSinceStop(): number {
    const nowMs = this.#clock.nowMs();
    return Math.min(nowMs - this.#goesOnSinceMs, this.#isLate(nowMs) ? 0 : Infinity);
  }

  stop(): void {
    this.#timer.cancel();
  }

  #beat(): void {
    const nowMs = this.#clock.nowMs();
    if (this.#isLate(nowMs)) this.#goesOnSinceMs = nowMs;
    this.#lastMs = nowMs;
    this.#onBeat();
  }

  #isLate(nowMs: number): boolean {
    return nowMs - this.#lastMs > this.#limitMs;
  }
}
