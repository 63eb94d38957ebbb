import type { SessionId, WriteSeq } from "@quorate/kv-store/protocol";
import type { NodeId, Term } from "@quorate/raft";
import { reached } from "./points.ts";
import { ProposalBatches, type ProposalBatch } from "./proposal-batches.ts";

/** Bounds of what one node keeps until the log has decided it. */
export interface ProposalLimits {
  readonly pendingBytesMax: number;
  readonly pendingCountMax: number;
}

/** Where commands go from here. */
export interface ProposalRoutes {
  /** This node leads: into its own queue. */
  toSelf(batch: number, commands: readonly Uint8Array[]): void;
  toLeader(leader: NodeId, batch: number, commands: readonly Uint8Array[]): void;
  nowMs(): number;
  /** The first write of a batch was applied, so long after the batch had left. */
  onCommitted(durationMs: number): void;
}

interface SentBatch {
  readonly batch: number;
  readonly sentMs: number;
}

/** Batches under way whose duration is measured; there are seldom more than a few. */
const MEASURED_MAX = 1_024;

/** In place of a batch: the one that the command left in last was refused, or it waits behind a write whose batch was. */
const REFUSED = 0;

/**
 * How long a session that met a gap waits for what was sent again to come through the log, ms. What had left between the
 * refused and the answer to it meets that gap too, and comes first.
 */
const GAP_PATIENCE_MS = 1_000;

interface Gap {
  /** The last write of which a copy met it. */
  readonly seq: number;
  /** The first that waited when it was looked at last, and since when that is known to be under way, ms. */
  readonly headSeq: number;
  readonly sinceMs: number;
}

interface Control {
  readonly command: Uint8Array;
  /** It left in last, or {@link REFUSED}. */
  readonly batch: number;
}

/** The unanswered writes of one session that is attached to this node; consecutive numbers from `headSeq`. */
export class SessionWrites {
  readonly session: SessionId;
  headSeq = 0;
  readonly commands: Uint8Array[] = [];
  /**
   * For each command the batch it left in last, or {@link REFUSED}; negative where it left in an earlier one too, of which
   * nobody said that it was refused.
   */
  readonly batches: number[] = [];
  /** Consumed prefix of `commands` and `batches`. */
  head = 0;
  /** Of all commands that wait. */
  bytes = 0;
  /** Some were refused: what comes after them would meet a gap, so it waits until they are sent again. */
  isHeld = false;
  /** Rises with the refusal after which it is held; kept until all got through, 0 then. */
  heldSince = 0;
  /** When some were sent again last, ms. */
  resentMs: number = Number.NEGATIVE_INFINITY;

  constructor(session: SessionId) {
    this.session = session;
  }

  get count(): number {
    return this.commands.length - this.head;
  }

  /**
   * True if whoever leads did not take the waiting write at `offset` from the head when it was asked last. A copy from before
   * may be in a log all the same: once that is applied the write is a repeat, which is taken and answered whatever is refused.
   */
  isWithdrawable(offset: number): boolean {
    return this.batches[this.head + offset] === REFUSED;
  }

  /** The number the next write has to have, or 0 when any is fine. */
  get nextSeq(): number {
    return this.count === 0 && this.headSeq === 0 ? 0 : this.headSeq + this.count;
  }
}

/**
 * Commands of this node's clients on their way into the log. Everything is kept until the entry is applied here, and sent
 * again, in order, whenever the way to the leader may have lost some of it: the state machine drops repeats.
 */
export class Proposals {
  readonly #limits: ProposalLimits;
  readonly #routes: ProposalRoutes;
  readonly #sessions = new Map<SessionId, SessionWrites>();
  /** Attaches, opens and closes, by a key of their own. */
  readonly #controls = new Map<string, Control>();
  readonly #gaps = new Map<SessionWrites, Gap>();
  readonly #outgoing = new ProposalBatches();
  #self = false;
  #leader: NodeId | null = null;
  #term: Term | null = null;
  #holds = 0;
  #pendingBytes = 0;
  #pendingCount = 0;
  #sent: SentBatch[] = [];
  #measuredBatch = 0;

  constructor(limits: ProposalLimits, routes: ProposalRoutes) {
    this.#limits = limits;
    this.#routes = routes;
  }

  get pendingCount(): number {
    return this.#pendingCount + this.#controls.size;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Sessions whose writes are kept here. */
  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** True: a write of this size has to be refused for now. */
  isFull(bytes: number): boolean {
    return (
      this.#pendingCount >= this.#limits.pendingCountMax ||
      this.#pendingBytes + bytes > this.#limits.pendingBytesMax
    );
  }

  /** The session attached here: its writes are kept and answered by this node. */
  adopt(session: SessionId): SessionWrites {
    this.release(session);
    const writes = new SessionWrites(session);
    this.#sessions.set(session, writes);
    return writes;
  }

  /** The session went elsewhere or ended. */
  release(session: SessionId): void {
    const writes = this.#sessions.get(session);
    if (writes === undefined) return;
    this.#sessions.delete(session);
    this.#pendingBytes -= writes.bytes;
    this.#pendingCount -= writes.count;
  }

  sessionWrites(session: SessionId): SessionWrites | undefined {
    return this.#sessions.get(session);
  }

  /** Takes the session's next write. The number must be `nextSeq` (or any, if that is 0). */
  submit(writes: SessionWrites, writeSeq: WriteSeq, command: Uint8Array): void {
    if (writes.count === 0) writes.headSeq = writeSeq;
    writes.commands.push(command);
    if (writes.isHeld) reached("write_waits_behind_a_refused_one");
    writes.batches.push(writes.isHeld ? REFUSED : this.#outgoing.add(command));
    writes.bytes += command.length;
    this.#pendingBytes += command.length;
    this.#pendingCount += 1;
  }

  /**
   * The write with this number was applied. True if it was waiting here (and is not any more): its reply is due.
   */
  resolve(writes: SessionWrites, writeSeq: number): boolean {
    if (writes.count === 0 || writeSeq !== writes.headSeq) {
      reached("applied_write_waits_here_no_more");
      return false;
    }
    const batch = writes.batches[writes.head] ?? REFUSED;
    if (batch > this.#measuredBatch) this.#measure(batch);
    const bytes = writes.commands[writes.head]?.length ?? 0;
    writes.bytes -= bytes;
    this.#pendingBytes -= bytes;
    this.#pendingCount -= 1;
    writes.head += 1;
    writes.headSeq += 1;
    if (writes.head === writes.commands.length) {
      writes.commands.length = 0;
      writes.batches.length = 0;
      writes.head = 0;
    } else if (writes.head >= 1024) {
      writes.commands.splice(0, writes.head);
      writes.batches.splice(0, writes.head);
      writes.head = 0;
    }
    return true;
  }

  /** One measurement a batch: its writes are applied together, or nearly so. */
  #measure(batch: number): void {
    this.#measuredBatch = batch;
    const sent = this.#sent.find((each) => each.batch === batch);
    this.#sent = this.#sent.filter((each) => each.batch > batch);
    if (sent !== undefined) this.#routes.onCommitted(this.#routes.nowMs() - sent.sentMs);
  }

  /** Drops every waiting write from `fromSeq` on: its client sends it again. */
  withdraw(writes: SessionWrites, fromSeq: number): void {
    while (writes.count > 0 && writes.headSeq + writes.count - 1 >= fromSeq) {
      const command = writes.commands.pop();
      reached("write_taken_back_before_the_log");
      writes.batches.pop();
      writes.bytes -= command?.length ?? 0;
      this.#pendingBytes -= command?.length ?? 0;
      this.#pendingCount -= 1;
    }
  }

  /**
   * Nothing of that batch was appended, or nothing of it that `isWithdrawable` will be asked about. Whoever says so sees to
   * it that `resendRefused` follows.
   */
  noteRefused(batch: number): void {
    for (const [key, control] of this.#controls) {
      if (control.batch === batch) this.#controls.set(key, { ...control, batch: REFUSED });
    }
    for (const writes of this.#sessions.values()) {
      for (let at = writes.head; at < writes.batches.length; at += 1) {
        if (Math.abs(writes.batches[at] ?? REFUSED) === batch) {
          reached("write_refused_by_leader");
          writes.batches[at] = REFUSED;
          this.#hold(writes);
        }
      }
    }
  }

  #hold(writes: SessionWrites): void {
    if (writes.isHeld) return;
    writes.isHeld = true;
    if (writes.heldSince !== 0) return;
    this.#holds += 1;
    writes.heldSince = this.#holds;
  }

  /** A command that belongs to no numbered write; the same key replaces an earlier one. */
  submitControl(key: string, command: Uint8Array): void {
    this.#controls.set(key, { command, batch: this.#outgoing.addUrgent(command) });
  }

  resolveControl(key: string): void {
    this.#controls.delete(key);
  }

  /** Somebody else leads, or the same node in another term: what the former one had may be lost. */
  setLeader(leader: NodeId | null, self: boolean, term: Term): void {
    if (leader === this.#leader && term === this.#term) return;
    this.#leader = leader;
    this.#self = self;
    this.#term = term;
    this.resendAll();
  }

  /**
   * Something may have been lost on the way: everything that waits goes out again. Copies, because the leader stamps a
   * command in place and an earlier log entry may still stand on the same bytes.
   */
  resendAll(): void {
    this.#outgoing.clear();
    for (const [key, { command }] of this.#controls) this.#resendControl(key, command);
    for (const writes of this.#sessions.values()) this.resendSession(writes);
  }

  /**
   * What was refused goes out again, with what came after it on its sessions. Nothing else: whatever was taken waits in the
   * leader's queue, and copies of it would be in the way of those that are not there. Who has waited longest comes first.
   */
  resendRefused(): void {
    for (const [key, { command, batch }] of this.#controls) {
      if (batch === REFUSED) this.#resendControl(key, command);
    }
    const held: SessionWrites[] = [];
    for (const writes of this.#sessions.values()) {
      if (writes.isHeld) held.push(writes);
      else writes.heldSince = 0;
    }
    held.sort((a, b) => a.heldSince - b.heldSince);
    for (const writes of held) {
      const first = writes.batches.indexOf(REFUSED, writes.head);
      this.#resendFrom(first === -1 ? writes.commands.length : first, writes);
    }
  }

  resendSession(writes: SessionWrites): void {
    this.#resendFrom(writes.head, writes);
  }

  /** A copy of a waiting write was skipped in the log: one before it was not there. */
  noteGap(writes: SessionWrites, writeSeq: WriteSeq): void {
    const gap = this.#gaps.get(writes) ?? { headSeq: writes.headSeq, sinceMs: writes.resentMs };
    this.#gaps.set(writes, { ...gap, seq: writeSeq });
  }

  /** Time passed: sends again what met a gap, unless that is being made good already. */
  resendGapped(): void {
    const nowMs = this.#routes.nowMs();
    for (const [writes, gap] of this.#gaps) {
      const isCurrent = this.#sessions.get(writes.session) === writes;
      if (!isCurrent || writes.count === 0 || writes.headSeq > gap.seq) {
        this.#gaps.delete(writes);
      } else if (writes.headSeq !== gap.headSeq) {
        this.#gaps.set(writes, { ...gap, headSeq: writes.headSeq, sinceMs: nowMs });
      } else if (!this.#isUnderWay(writes, gap, nowMs)) {
        this.#gaps.delete(writes);
        this.resendSession(writes);
      } else {
        reached("gap_is_being_made_good");
      }
    }
  }

  #isUnderWay(writes: SessionWrites, gap: Gap, nowMs: number): boolean {
    return writes.isHeld || nowMs - Math.max(gap.sinceMs, writes.resentMs) < GAP_PATIENCE_MS;
  }

  #resendFrom(start: number, writes: SessionWrites): void {
    writes.isHeld = false;
    writes.resentMs = this.#routes.nowMs();
    for (let at = start; at < writes.commands.length; at += 1) {
      const command = writes.commands[at];
      if (command === undefined) continue;
      const copy = command.slice();
      writes.commands[at] = copy;
      reached("write_sent_again_to_leader");
      const batch = this.#outgoing.add(copy);
      writes.batches[at] = writes.batches[at] === REFUSED ? batch : -batch;
    }
  }

  #resendControl(key: string, command: Uint8Array): void {
    const copy = command.slice();
    reached("attach_sent_again_to_leader");
    this.#controls.set(key, { command: copy, batch: this.#outgoing.addUrgent(copy) });
  }

  /** Sends what has gathered; keeps it while nobody leads. */
  flush(): void {
    for (const batch of this.#outgoing.take()) this.#send(batch);
  }

  #send({ batch, commands }: ProposalBatch): void {
    if (this.#sent.length < MEASURED_MAX) this.#sent.push({ batch, sentMs: this.#routes.nowMs() });
    // Without a leader nothing leaves; a new one makes everything go out again.
    if (this.#self) this.#routes.toSelf(batch, commands);
    else if (this.#leader !== null) this.#routes.toLeader(this.#leader, batch, commands);
    else reached("proposals_wait_for_a_leader");
  }
}
