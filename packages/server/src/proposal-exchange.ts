import {
  CommandError,
  decodeCommand,
  isKnownCommand,
  isWriteCommand,
  type Command,
} from "@quorate/kv-store";
import type { ErrorCode, SessionId, WriteSeq } from "@quorate/kv-store/protocol";
import type { NodeId } from "@quorate/raft";
import type { PeerEnvelope } from "./peer/envelope.ts";
import { reached } from "./points.ts";
import type { MonotonicClock, Timer } from "./ports.ts";
import { growsTree } from "./proposal-growth.ts";
import type { ProposalIntake } from "./proposal-intake.ts";
import type { Proposals } from "./proposals.ts";

type Refusal = Extract<PeerEnvelope, { readonly kind: "proposalsRefused" }>;

export interface ProposalExchangeOptions {
  readonly self: NodeId;
  readonly clock: MonotonicClock;
  readonly proposals: Proposals;
  readonly intake: ProposalIntake;
  /** Of the largest command that the log takes. */
  readonly commandBytesMax: number;
  /** False: nothing leads to it any more, such as to a node that was removed. */
  isPeer(id: NodeId): boolean;
  isLeader(): boolean;
  isDiskFull(): boolean;
  /** So full that not even sessions are begun. */
  isDiskExhausted(): boolean;
  /** A write with this number, or a later one, of this session was applied here. */
  isApplied(session: SessionId, writeSeq: WriteSeq): boolean;
  /** False: it did not leave. */
  send(to: NodeId, envelope: PeerEnvelope): boolean;
  /** Takes back what waits for space. */
  refuseWaiting(
    refuse: (command: Uint8Array) => boolean,
    code: ErrorCode,
    retryAfterMs: number,
  ): void;
  onRefused(count: number): void;
  wake(): void;
}

/** Pause after which what a leader did not take is sent again. */
const RETRY_MS = 100;
/** In place of a batch in a refusal: whichever of them were not taken is not known any more. */
const ANY_BATCH = 0;

/** Proposals between this node and whoever leads: takes them in while it leads, and copes with not being heard. */
export class ProposalExchange {
  readonly #options: ProposalExchangeOptions;
  #resend: Timer | null = null;
  /** More may be lost than what is known to be refused. */
  #isAllDoubted = false;
  /** For each node that could not be told of it a refusal, of {@link ANY_BATCH} if there is more than one. */
  readonly #untold = new Map<NodeId, Refusal>();
  /** Nodes that were told of a refusal since the way to them is open. */
  readonly #told = new Set<NodeId>();
  #telling: Timer | null = null;
  #stopped = false;

  constructor(options: ProposalExchangeOptions) {
    this.#options = options;
  }

  /** Sends a batch to the leader; what cannot leave is sent again after a pause. */
  sendTo(leader: NodeId, batch: number, commands: readonly Uint8Array[]): void {
    if (this.#options.send(leader, { kind: "proposals", batch, commands })) return;
    reached("proposals_could_not_leave");
    this.#options.proposals.noteRefused(batch);
    this.#resendLater();
  }

  /** A batch came in, from a peer or from this node itself. */
  take(from: NodeId, batch: number, commands: readonly Uint8Array[]): void {
    const options = this.#options;
    const reason = this.#takeIn(from, commands);
    options.wake();
    if (reason === null) return;
    options.onRefused(commands.length);
    const refusal: Refusal = {
      kind: "proposalsRefused",
      batch,
      reason,
      retryAfterMs: RETRY_MS,
    };
    if (from === options.self) this.onRefusal(refusal);
    else this.#tell(from, refusal);
  }

  /** The way to a peer is new: what it was told on the old one it may not have heard. */
  onPeerUp(peer: NodeId): void {
    if (!this.#told.delete(peer)) return;
    reached("refusals_may_be_unheard");
    const retryAfterMs = RETRY_MS;
    this.#tell(peer, {
      kind: "proposalsRefused",
      batch: ANY_BATCH,
      reason: "overloaded",
      retryAfterMs,
    });
  }

  /** Whoever is not told waits for an answer that does not come. */
  #tell(to: NodeId, refusal: Refusal): void {
    const untold = this.#untold.get(to);
    this.#untold.delete(to);
    const isOnly = untold === undefined || untold.batch === refusal.batch;
    const whole = isOnly ? refusal : { ...refusal, batch: ANY_BATCH };
    if (this.#options.send(to, whole)) {
      this.#told.add(to);
      return;
    }
    reached("refusal_could_not_be_told");
    this.#untold.set(to, whole);
    if (this.#telling !== null || this.#stopped) return;
    this.#telling = this.#options.clock.after(RETRY_MS, () => {
      this.#telling = null;
      for (const [node, untold] of [...this.#untold]) {
        if (this.#options.isPeer(node)) this.#tell(node, untold);
        else this.#untold.delete(node);
      }
      this.#options.wake();
    });
  }

  /** The leader did not take a batch of ours. */
  onRefusal(refusal: Refusal): void {
    const { reason, retryAfterMs, batch } = refusal;
    if (batch === ANY_BATCH) this.#isAllDoubted = true;
    else this.#options.proposals.noteRefused(batch);
    if (reason === "diskFull" || reason === "diskExhausted") {
      const isExhausted = reason === "diskExhausted";
      const isGrowing = (command: Uint8Array): boolean => this.#isGrowing(command, isExhausted);
      this.#options.refuseWaiting(isGrowing, "DISK_FULL", retryAfterMs);
    }
    // With a new leader everything goes out again anyway; with the same one what it did not take, after a pause.
    this.#resendLater();
  }

  stop(): void {
    this.#stopped = true;
    this.#resend?.cancel();
    this.#telling?.cancel();
  }

  /** While the disk is full only what grows the tree is left out: a gap on a session harms nobody. */
  #takeIn(from: NodeId, commands: readonly Uint8Array[]): Refusal["reason"] | null {
    if (!this.#options.isLeader()) {
      reached("proposals_came_to_no_leader");
      return "notLeader";
    }
    const acceptable = this.#acceptable(from, commands);
    const left = commands.length - acceptable.length;
    if (left > 0) reached("command_of_peer_not_acceptable");
    if (left > 0 && acceptable.length === 0) return "notReady";
    if (!this.#options.isDiskFull()) {
      if (!this.#add(acceptable)) {
        reached("intake_full");
        return "overloaded";
      }
      this.#leaveOut(left);
      return null;
    }
    const isExhausted = this.#options.isDiskExhausted();
    const harmless = acceptable.filter((command) => !this.#isGrowing(command, isExhausted));
    if (!this.#add(harmless)) return "overloaded";
    if (harmless.length === acceptable.length) {
      this.#leaveOut(left);
      return null;
    }
    reached("growing_write_refused_disks_full");
    return isExhausted ? "diskExhausted" : "diskFull";
  }

  #add(commands: readonly Uint8Array[]): boolean {
    const { intake } = this.#options;
    return commands.some(isWriteCommand) ? intake.add(commands) : intake.addUrgent(commands);
  }

  /**
   * What is left out is not told: a refusal stands for a whole batch, and this leader would refuse the same again. The next
   * one is asked anyway.
   */
  #leaveOut(count: number): void {
    if (count > 0) this.#options.onRefused(count);
  }

  /**
   * Judged one by one, so that nobody waits for what another client's command is. Together with a write, those that follow
   * it on its session: in the log they would meet a gap, and be sent again for ever.
   */
  #acceptable(from: NodeId, commands: readonly Uint8Array[]): readonly Uint8Array[] {
    // In the log, what nobody here understands would end every node that comes to it.
    if (commands.every((command) => this.#isAcceptable(from, command))) return commands;
    const interrupted = new Set<SessionId>();
    return commands.filter((command) => {
      const session = sessionOfWrite(command);
      const isInterrupted = session !== null && interrupted.has(session);
      if (!isInterrupted && this.#isAcceptable(from, command)) return true;
      if (session !== null) interrupted.add(session);
      return false;
    });
  }

  /** Not what was applied before: it only has to be answered once more. `isExhausted`: nor may a session begin. */
  #isGrowing(bytes: Uint8Array, isExhausted: boolean): boolean {
    const { command } = decodeCommand(bytes);
    if (command.kind === "openSession") return isExhausted;
    if (command.kind !== "write" || !growsTree(command)) return false;
    const isRepeat = this.#options.isApplied(command.session, command.writeSeq);
    if (isRepeat) reached("repeat_taken_although_disks_are_full");
    return !isRepeat;
  }

  #isAcceptable(from: NodeId, command: Uint8Array): boolean {
    if (!isKnownCommand(command) || command.length > this.#options.commandBytesMax) return false;
    return from === this.#options.self || isSound(command);
  }

  /** Once for however many batches were lost: all that was not taken goes out again at once. */
  #resendLater(): void {
    const { clock, proposals } = this.#options;
    if (this.#resend !== null || this.#stopped) return;
    this.#resend = clock.after(RETRY_MS, () => {
      this.#resend = null;
      const isAll = this.#isAllDoubted;
      this.#isAllDoubted = false;
      if (isAll) proposals.resendAll();
      else proposals.resendRefused();
      this.#options.wake();
    });
  }
}

/** What another node encoded is read before it is believed. */
function isSound(command: Uint8Array): boolean {
  return decoded(command) !== null;
}

/** Null: it is no write, or cannot be read. */
function sessionOfWrite(bytes: Uint8Array): SessionId | null {
  const command = decoded(bytes);
  return command?.kind === "write" ? command.session : null;
}

function decoded(bytes: Uint8Array): Command | null {
  try {
    return decodeCommand(bytes).command;
  } catch (error) {
    if (error instanceof CommandError) return null;
    throw error;
  }
}
