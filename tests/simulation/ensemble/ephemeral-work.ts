import type { QuorateClient, Stat } from "@quorate/client";
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

/**
 * Every session owns an ephemeral, which is there for as long as the session lives, to its owner and to everybody who looks,
 * and no session ends before its time.
 */
export class EphemeralWork implements Work {
  readonly name = "ephemeral" as const;
  readonly #world: World;
  /** Whose ephemerals are there, by their names. */
  readonly #owners = new Map<string, AppSession>();

  constructor(world: World) {
    this.#world = world;
  }

  async run(session: AppSession): Promise<void> {
    const { client, number } = session;
    const { looksAround } = this.#world.profile;
    await createOnce(client, DIRECTORY);
    // To the end of the session, which outlives this work.
    this.#watchEnd(session).catch((error: unknown) => this.#world.fail(error));
    const path = `${DIRECTORY}/${number}`;
    await client.create(path, "", { mode: "ephemeral" });
    this.#owners.set(`${number}`, session);
    try {
      for (let round = number; session.isLive; round += 1) {
        if (looksAround && round % 2 === 0) {
          const owners = [...this.#owners];
          this.#checkAll(owners, (await client.children(DIRECTORY)).names);
        } else this.#checkOwn(client, await client.exists(path));
        await session.think();
      }
    } finally {
      this.#owners.delete(`${number}`);
    }
    await client.delete(path);
  }

  #checkOwn({ session }: QuorateClient, found: Stat | null): void {
    if (found?.ephemeralOwner === session) return;
    const what = found === null ? "gone" : "another's";
    const text = `the ephemeral of live session ${session} is ${what}`;
    this.#world.fail(new Violation("S4 ephemerals live with their session", text));
  }

  /** Whoever owned one before a look at all that are there, and relies on it still, does so rightly. */
  #checkAll(owners: readonly (readonly [string, AppSession])[], names: readonly string[]): void {
    const there = new Set(names);
    for (const [name, owner] of owners) {
      if (there.has(name) || this.#owners.get(name) !== owner || !relies(owner)) continue;
      const { session, livesUntil } = owner.client;
      const leftMs = livesUntil - owner.clock.nowMs();
      const text = `${name} of session ${session} is gone, on which its owner relies for ${leftMs.toFixed(0)} ms more`;
      this.#world.fail(new Violation("S2 no session ends before its deadline", text));
    }
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

/** Its client says that the session certainly lives. */
function relies({ client, clock }: AppSession): boolean {
  const { kind } = client.state;
  if (clock.isDead || (kind !== "connected" && kind !== "suspended")) return false;
  return clock.nowMs() < client.livesUntil;
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
