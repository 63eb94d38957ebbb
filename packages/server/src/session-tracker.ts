import type { SessionId, Zxid } from "@quorate/kv-store/protocol";
import { reached } from "./points.ts";

/** How fine expiry is. A session ends one to two of these after its deadline. */
const BUCKET_MS = 100;
/** Sessions one expiry entry may name, so that applying it stays short. */
const SESSIONS_PER_ENTRY_MAX = 500;

/** The leader's word that these sessions were silent, and up to where in the log it knew of their deeds. */
export interface ExpiryProposal {
  readonly sessions: readonly SessionId[];
  readonly basis: Zxid;
}

interface Lease {
  timeoutMs: number;
  deadlineMs: number;
  /** Where it is filed; a mention in any other bucket is stale. */
  bucket: number;
  /** Its expiry stands in the log, or is about to: it is no longer kept alive by touches. */
  expiring: boolean;
}

/**
 * Who is alive, as the leader sees it. Runs only while this node leads, on a clock that advances at most one step per
 * sweep: while this process, its disk or its host stood still, no session gets older. A new leader grants everybody the
 * full timeout once. Buckets hold each session once; a touch only moves the deadline, the sweep re-files it.
 */
export class SessionTracker {
  readonly #lagMs: () => number;
  readonly #leases = new Map<number, Lease>();
  readonly #buckets = new Map<number, SessionId[]>();
  #nowMs = 0;
  #sweptBucket = 0;
  #active = false;

  /**
   * `lagMs`: how much has passed since the last sweep. A touch that comes late in a long turn counts from when it comes, or
   * its session would end before its timeout has really passed.
   */
  constructor(lagMs: () => number) {
    this.#lagMs = lagMs;
  }

  get isActive(): boolean {
    return this.#active;
  }

  get count(): number {
    return this.#leases.size;
  }

  /** This node leads and has applied its own first entry. */
  start(sessions: Iterable<{ readonly id: SessionId; readonly timeoutMs: number }>): void {
    this.stop();
    this.#active = true;
    for (const session of sessions) this.open(session.id, session.timeoutMs);
  }

  stop(): void {
    this.#active = false;
    this.#leases.clear();
    this.#buckets.clear();
    this.#nowMs = 0;
    this.#sweptBucket = 0;
  }

  /**
   * A session opened or attached: it has all of its timeout from now. Of several that it was told of the longest holds while
   * this node leads: a client that has not heard of the latest attach counts on what it had before.
   */
  open(session: SessionId, timeoutMs: number): void {
    if (!this.#active) return;
    const known = this.#leases.get(session);
    if (known !== undefined) {
      if (known.expiring) reached("attach_saved_expiring_session");
      known.timeoutMs = Math.max(known.timeoutMs, timeoutMs);
      known.deadlineMs = this.#deadline(known.timeoutMs);
      known.expiring = false;
      this.#file(session, known);
      return;
    }
    const deadlineMs = this.#deadline(timeoutMs);
    const lease: Lease = { timeoutMs, deadlineMs, bucket: -1, expiring: false };
    this.#leases.set(session, lease);
    this.#file(session, lease);
  }

  close(session: SessionId): void {
    this.#leases.delete(session);
  }

  /** False: unknown or already expiring, so the touch may not be acknowledged. */
  touch(session: number): boolean {
    const lease = this.#leases.get(session);
    if (lease === undefined) return false;
    if (lease.expiring) {
      reached("touch_of_expiring_session");
      return false;
    }
    lease.deadlineMs = this.#deadline(lease.timeoutMs);
    return true;
  }

  /** The log did not confirm an expiry: the session is alive and has its whole timeout again. */
  revive(session: SessionId): void {
    reached("expiry_was_not_confirmed");
    const lease = this.#leases.get(session);
    if (lease === undefined) return;
    lease.expiring = false;
    lease.deadlineMs = this.#deadline(lease.timeoutMs);
    this.#file(session, lease);
  }

  /**
   * Advances the tracker's clock by `elapsedMs`, which the caller has bounded, and returns who is overdue.
   */
  sweep(elapsedMs: number, basis: Zxid): readonly ExpiryProposal[] {
    if (!this.#active) return [];
    this.#nowMs += elapsedMs;
    const overdue: SessionId[] = [];
    const last = Math.floor(this.#nowMs / BUCKET_MS) - 1;
    while (this.#sweptBucket <= last) {
      const bucket = this.#sweptBucket;
      this.#sweepBucket(bucket, overdue);
      this.#sweptBucket = bucket + 1;
    }
    const proposals: ExpiryProposal[] = [];
    for (let at = 0; at < overdue.length; at += SESSIONS_PER_ENTRY_MAX) {
      proposals.push({ sessions: overdue.slice(at, at + SESSIONS_PER_ENTRY_MAX), basis });
    }
    return proposals;
  }

  #deadline(timeoutMs: number): number {
    return this.#nowMs + this.#lagMs() + timeoutMs;
  }

  #sweepBucket(bucket: number, overdue: SessionId[]): void {
    const sessions = this.#buckets.get(bucket);
    if (sessions === undefined) return;
    this.#buckets.delete(bucket);
    this.#sweptBucket = bucket + 1;
    for (const session of sessions) {
      const lease = this.#leases.get(session);
      if (lease === undefined || lease.expiring || lease.bucket !== bucket) continue;
      if (lease.deadlineMs + BUCKET_MS > this.#nowMs) {
        this.#file(session, lease);
      } else {
        lease.expiring = true;
        reached("session_overdue");
        overdue.push(session);
      }
    }
  }

  #file(session: SessionId, lease: Lease): void {
    const bucket = Math.max(this.#sweptBucket, Math.floor(lease.deadlineMs / BUCKET_MS) + 1);
    if (bucket === lease.bucket) return;
    lease.bucket = bucket;
    const sessions = this.#buckets.get(bucket);
    if (sessions === undefined) this.#buckets.set(bucket, [session]);
    else sessions.push(session);
  }
}
