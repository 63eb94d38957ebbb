import type { Delivery } from "../../../packages/server/src/transport/memory-transport.ts";
import type { Link } from "./fault-event.ts";

/** What is the matter with one direction between two hosts. */
interface LinkMood {
  /** What each slowness adds, by the fault that it is of. */
  readonly delays: Map<object, number>;
  /** The same, for every other connection only. */
  readonly spikes: Map<object, number>;
  /** Rates at which frames pass one by one, bytes a second. */
  readonly rates: Map<object, number>;
  /** Until then the link is busy with what was sent before. */
  busyUntilMs: number;
  /** The next frames that arrive only in part. */
  torn: number;
}

/** Links that are slow, congested, or break in the middle of a frame. */
export class LinkMoods {
  readonly #moods = new Map<string, LinkMood>();

  /** `fault`: to be handed to {@link heal}. */
  slow(fault: object, links: readonly Link[], delayMs: number): void {
    for (const link of links) this.#of(link).delays.set(fault, delayMs);
  }

  spike(fault: object, links: readonly Link[], delayMs: number): void {
    for (const link of links) this.#of(link).spikes.set(fault, delayMs);
  }

  congest(fault: object, links: readonly Link[], bytesPerSecond: number): void {
    for (const link of links) this.#of(link).rates.set(fault, bytesPerSecond);
  }

  tear(links: readonly Link[]): void {
    for (const link of links) this.#of(link).torn += 1;
  }

  heal(fault: object): void {
    for (const [key, mood] of this.#moods) {
      mood.delays.delete(fault);
      mood.spikes.delete(fault);
      mood.rates.delete(fault);
      if (isWell(mood)) this.#moods.delete(key);
    }
  }

  /** Everything passes as usual. */
  healAll(): void {
    this.#moods.clear();
  }

  /** How much longer than usual something takes that is sent now, ms. */
  delayMs({ from, to, connection, bytes }: Delivery, nowMs: number): number {
    if (this.#moods.size === 0) return 0;
    const mood = this.#moods.get(keyOf(from, to));
    if (mood === undefined) return 0;
    let delayMs = 0;
    for (const each of mood.delays.values()) delayMs += each;
    if (connection % 2 === 0) for (const each of mood.spikes.values()) delayMs += each;
    const rate = Math.min(...mood.rates.values());
    if (rate === Infinity) return delayMs;
    mood.busyUntilMs = Math.max(mood.busyUntilMs, nowMs) + (bytes / rate) * 1_000;
    return delayMs + mood.busyUntilMs - nowMs;
  }

  /** True, once for each time: this frame arrives in part. */
  takeTorn({ from, to, kind }: Delivery): boolean {
    if (this.#moods.size === 0 || kind !== "frame") return false;
    const mood = this.#moods.get(keyOf(from, to));
    if (mood === undefined || mood.torn === 0) return false;
    mood.torn -= 1;
    return true;
  }

  #of([from, to]: Link): LinkMood {
    const key = keyOf(from, to);
    let mood = this.#moods.get(key);
    if (mood === undefined) {
      mood = {
        delays: new Map(),
        spikes: new Map(),
        rates: new Map(),
        busyUntilMs: 0,
        torn: 0,
      };
      this.#moods.set(key, mood);
    }
    return mood;
  }
}

function isWell({ delays, spikes, rates, torn }: LinkMood): boolean {
  return delays.size === 0 && spikes.size === 0 && rates.size === 0 && torn === 0;
}

function keyOf(from: string, to: string): string {
  return `${from} ${to}`;
}
