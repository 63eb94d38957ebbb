import { reached } from "./points.ts";
import type { ClientClock, Timer } from "./ports.ts";

export interface LivenessEvents {
  sendPing(pingId: number): void;
  /** The connection has proved nothing for half the timeout: it is no use, whatever else it carries. */
  onSilent(): void;
  /** False: if the session may be over that has to be told at once, whatever may still be heard. */
  mayWait(): boolean;
  /** The session may be over: nothing it protects may be relied on from now on. */
  onDeadline(): void;
}

/** Part of the timeout between two pings: two may be lost before the connection counts as silent. */
const PING_PART = 1 / 4;
/** Part of the timeout after which a connection without proof is given up: as much is left to find another server. */
const SILENT_PART = 1 / 2;
/**
 * Part of the timeout by which the client stops early. Quartz clocks disciplined by NTP differ by less than 0.1 %; the
 * rest is for timers that fire late and for the application to act on a lock's signal.
 */
const MARGIN_PART = 1 / 20;
/** A timer this much of the timeout late says that this process slept; what arrived meanwhile is heard first. */
const LATE_PART = 1 / 16;
/** Long enough for one round of input: the runtime reads the sockets before it comes to such a timer. */
const ROUND_MS = 1;

/**
 * How long the session certainly lives. A pong proves that the service knew of this client at some moment after its ping
 * was sent, so the timeout is counted from the sending; the same holds for the first welcome and the hellos before it.
 */
export class Liveness {
  readonly #clock: ClientClock;
  readonly #events: LivenessEvents;
  #timeoutMs = 0;
  /** When the last thing was sent whose answer proved life. */
  #provenMs = Number.NEGATIVE_INFINITY;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #nextPingMs = 0;
  #silentMs = 0;
  #isAttached = false;
  #pingId = 0;
  /** When each unanswered ping of this connection was sent. */
  readonly #pings = new Map<number, number>();
  #timer: Timer | null = null;
  /** What the timer was set for. */
  #dueMs = Number.POSITIVE_INFINITY;
  /** The timer is for what arrived while this process stood still. */
  #isHearing = false;

  constructor(clock: ClientClock, events: LivenessEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** Until then, on the clock of `performance.now()`, the session certainly lives. Infinite before the first connection. */
  get livesUntil(): number {
    return this.#deadlineMs - this.#clock.aheadMs();
  }

  /** The deadline has passed, and nothing that was sent can prove any more that the session lives. */
  get isOver(): boolean {
    return this.#clock.nowMs() >= this.#deadlineMs && !this.isDoubted;
  }

  /**
   * The deadline passed while this process stood still: nothing may be relied on, but what proves life may wait in its socket.
   * Ends with a proof, or after one round of input. Never begins where `mayWait` says no.
   */
  get isDoubted(): boolean {
    const now = this.#clock.nowMs();
    if (now < this.#deadlineMs || !this.#isAttached || !this.#events.mayWait()) return false;
    return this.#isHearing || now - this.#dueMs > this.#timeoutMs * LATE_PART;
  }

  /** Until when the answer to what was sent at `sentMs` proves life. */
  static deadlineOf(sentMs: number, timeoutMs: number): number {
    return sentMs + timeoutMs - timeoutMs * MARGIN_PART;
  }

  /**
   * Welcomed on a new connection. `askedMs`: when the session that was opened now was first asked for. Null: it was taken up
   * again, and only the first pong tells more. This welcome may be the answer to the hello of an earlier connection that
   * reached the log, and this server, late: the leader may have counted from then. A shorter timeout than before therefore
   * holds from the last proof on.
   */
  attach(timeoutMs: number, askedMs: number | null): void {
    const now = this.#clock.nowMs();
    this.#timeoutMs = timeoutMs;
    if (askedMs === null) {
      const deadlineMs = Liveness.deadlineOf(this.#provenMs, timeoutMs);
      if (deadlineMs < this.#deadlineMs) {
        reached("timeout_shorter_than_before");
        this.#deadlineMs = deadlineMs;
      }
    } else {
      this.#provenMs = askedMs;
      this.#deadlineMs = Liveness.deadlineOf(askedMs, timeoutMs);
    }
    this.#silentMs = now + timeoutMs * SILENT_PART;
    this.#isAttached = true;
    this.#ping(now);
    this.#arm();
  }

  /** The connection is gone; the deadline stands. */
  detach(): void {
    this.#isAttached = false;
    this.#pings.clear();
    this.#arm();
  }

  /** False: it answers no ping of this connection. */
  onPong(pingId: number): boolean {
    const sentMs = this.#pings.get(pingId);
    if (sentMs === undefined) {
      reached("pong_of_earlier_connection");
      return false;
    }
    this.foresee(pingId);
    for (const earlier of this.#pings.keys()) {
      if (earlier <= pingId) this.#pings.delete(earlier);
    }
    this.#silentMs = Math.max(this.#silentMs, sentMs + this.#timeoutMs * SILENT_PART);
    // Browsers let a hidden page's timer that was set by a timer, set by a timer, and so on, fire once a minute only: set
    // from here the chain is broken, and the session does not expire because its tab is in the background.
    this.#arm();
    return true;
  }

  /** This pong has arrived, and is worked on later, in its place: the session lives so long. */
  foresee(pingId: number): void {
    const sentMs = this.#pings.get(pingId);
    if (sentMs === undefined) return;
    this.#provenMs = Math.max(this.#provenMs, sentMs);
    this.#deadlineMs = Math.max(this.#deadlineMs, Liveness.deadlineOf(sentMs, this.#timeoutMs));
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#isAttached = false;
    this.#deadlineMs = Number.NEGATIVE_INFINITY;
  }

  #ping(now: number): void {
    this.#nextPingMs = now + this.#timeoutMs * PING_PART;
    this.#pingId += 1;
    this.#pings.set(this.#pingId, now);
    this.#events.sendPing(this.#pingId);
  }

  #onTimer(dueMs: number): void {
    this.#timer = null;
    const now = this.#clock.nowMs();
    if (this.isDoubted) {
      this.#hear();
      return;
    }
    if (now >= this.#deadlineMs) {
      reached("deadline_passed_at_the_client");
      this.#events.onDeadline();
      return;
    }
    if (this.#isAttached && now >= this.#silentMs) {
      if (now - dueMs <= this.#timeoutMs * LATE_PART) {
        reached("server_silent_too_long");
        this.#events.onSilent();
        return;
      }
      reached("client_had_slept");
      this.#silentMs = now + this.#timeoutMs * LATE_PART;
    }
    if (this.#isAttached && now >= this.#nextPingMs) this.#ping(now);
    this.#arm();
  }

  #hear(): void {
    reached("client_slept_past_its_deadline");
    this.#isHearing = true;
    this.#timer = this.#clock.after(ROUND_MS, () => {
      this.#isHearing = false;
      this.#dueMs = this.#clock.nowMs();
      this.#onTimer(this.#dueMs);
    });
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#isHearing = false;
    const now = this.#clock.nowMs();
    // Timers may stand still while the machine is suspended: one for the deadline alone could then be late by all of its delay.
    const soonest = this.#isAttached
      ? Math.min(this.#deadlineMs, this.#nextPingMs, this.#silentMs)
      : Math.min(this.#deadlineMs, now + this.#timeoutMs * PING_PART);
    this.#dueMs = soonest;
    const delayMs = Math.max(1, soonest - now);
    this.#timer = this.#clock.after(delayMs, () => this.#onTimer(soonest));
  }
}
