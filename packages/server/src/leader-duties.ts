import {
  encodeCommand,
  type ApplyResult,
  type Command,
  type CommandStamp,
  type DataTree,
} from "@quorate/kv-store";
import { zxid as zxidOf, type SessionId } from "@quorate/kv-store/protocol";
import type { NodeId, SoftState, Term } from "@quorate/raft";
import { reached } from "./points.ts";
import type { MonotonicClock, WallClock } from "./ports.ts";
import type { ProposalIntake } from "./proposal-intake.ts";
import type { WaitingRead } from "./reads.ts";
import { SessionTracker } from "./session-tracker.ts";

/** Ephemerals that the sessions of one expiry entry own together, unless one session alone owns more. */
const EPHEMERALS_PER_ENTRY_MAX = 1_000;

export interface LeaderDutiesOptions {
  readonly clock: MonotonicClock;
  readonly wallClock: WallClock;
  readonly intake: ProposalIntake;
  tree(): DataTree;
  /** Confirms, through a quorum, that this node led when it was asked. */
  confirm(read: WaitingRead): void;
  answerTouches(to: NodeId, batch: number, unknown: readonly number[]): void;
}

/**
 * What only a leader does: it knows who lives, proposes who does not, and stamps commands with its clocks. Starts when it
 * has applied an entry of its own term, because only then it knows every session.
 */
export class LeaderDuties {
  readonly #options: LeaderDutiesOptions;
  readonly #tracker: SessionTracker;
  #term: Term | null = null;
  #clockMs = 0;
  #sweptMs: number;

  constructor(options: LeaderDutiesOptions) {
    this.#options = options;
    this.#sweptMs = options.clock.nowMs();
    this.#tracker = new SessionTracker(() => options.clock.nowMs() - this.#sweptMs);
  }

  /** True when this node leads and knows the state it leads with. */
  get isActive(): boolean {
    return this.#tracker.isActive;
  }

  get trackedSessions(): number {
    return this.#tracker.count;
  }

  onSoftState(state: SoftState): void {
    const term = state.role === "leader" ? state.term : null;
    if (term === this.#term) return;
    this.#term = term;
    this.#tracker.stop();
    this.#options.intake.clear();
    // The replicated clock goes on from what this node has applied; the time in between counts for nobody.
    this.#clockMs = this.#options.tree().clockMs;
  }

  /** An entry of `term` was applied. */
  onApplied(term: Term): void {
    if (this.#term === null || term !== this.#term || this.#tracker.isActive) return;
    this.#tracker.start(this.#options.tree().sessions());
  }

  onResult(result: ApplyResult): void {
    if (!this.#tracker.isActive) return;
    if (result.kind === "attached") this.#tracker.open(result.session, result.timeoutMs);
    else if (result.kind === "closed") {
      for (const session of result.sessions) this.#tracker.close(session);
    }
  }

  /** The state was replaced: sessions are read from it again. */
  onSnapshotInstalled(): void {
    if (!this.#tracker.isActive) return;
    reached("snapshot_installed_while_leading");
    this.#tracker.start(this.#options.tree().sessions());
  }

  stamp(): CommandStamp {
    const timeMs = this.#options.wallClock.nowMs();
    return { timeMs, clockMs: Math.max(this.#options.tree().clockMs, this.#clockMs) };
  }

  /**
   * A node reports who it heard of. The touches count from now; they are only acknowledged when a quorum has confirmed,
   * after that, that this node leads in the same term.
   */
  onTouches(from: NodeId, batch: number, sessions: readonly number[]): void {
    const term = this.#term;
    if (term === null || !this.#tracker.isActive) return;
    const unknown: number[] = [];
    for (const session of sessions) {
      if (!this.#tracker.touch(session)) unknown.push(session);
    }
    this.#options.confirm({
      index: null,
      run: () => {
        if (this.#term !== term) {
          reached("touches_confirmed_in_another_term");
          return;
        }
        this.#options.answerTouches(from, batch, unknown);
      },
    });
  }

  /** `elapsedMs` is bounded by the caller: a node that stood still lets nobody age meanwhile. */
  onTick(elapsedMs: number): void {
    this.#sweptMs = this.#options.clock.nowMs();
    const term = this.#term;
    if (term === null) return;
    const tree = this.#options.tree();
    this.#clockMs = Math.max(tree.clockMs, this.#clockMs) + elapsedMs;
    // The tracker knows what was applied. An attach further up in the log is news to it, and has to save its session.
    for (const proposal of this.#tracker.sweep(elapsedMs, zxidOf(tree.lastZxid))) {
      for (const sessions of this.#portions(proposal.sessions)) {
        this.#expire({ term, basis: proposal.basis, sessions });
      }
    }
  }

  #expire(expiry: Omit<Extract<Command, { readonly kind: "expireSessions" }>, "kind">): void {
    const command = encodeCommand({ kind: "expireSessions", ...expiry });
    if (this.#options.intake.addUrgent([command])) return;
    reached("expiry_found_no_room");
    for (const session of expiry.sessions) this.#tracker.revive(session);
  }

  /** Sessions that one entry ends: so many ephemerals go with them that applying it stays short. */
  #portions(sessions: readonly SessionId[]): readonly (readonly SessionId[])[] {
    const tree = this.#options.tree();
    const portions: SessionId[][] = [];
    let room = 0;
    for (const session of sessions) {
      const ephemerals = tree.session(session)?.ephemeralCount ?? 0;
      const portion = portions.at(-1);
      if (portion === undefined || ephemerals > room) {
        if (portion !== undefined) reached("expiry_split_by_its_ephemerals");
        portions.push([session]);
        room = EPHEMERALS_PER_ENTRY_MAX;
      } else {
        portion.push(session);
      }
      room -= ephemerals;
    }
    return portions;
  }

  /** The log did not confirm the expiry of these sessions: they acted in time. */
  onExpiryApplied(asked: readonly SessionId[], closed: readonly SessionId[]): void {
    if (!this.#tracker.isActive) return;
    const gone = new Set(closed);
    for (const session of asked) if (!gone.has(session)) this.#tracker.revive(session);
  }
}
