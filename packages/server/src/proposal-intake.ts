import { stampCommand, type CommandStamp } from "@quorate/kv-store";
import { reached } from "./points.ts";

/** As a part of the bounds, what commands that begin and end sessions may take beyond them: writes may fill the rest for long. */
const RESERVED_PART = 1 / 16;

/** Bounds of what a leader keeps for its next disk write. */
export interface IntakeLimits {
  /** Reached, no more is taken; what is taken last may go beyond, by one batch. */
  readonly bytesMax: number;
  readonly countMax: number;
  /** Of one turn's proposal. */
  readonly batchBytesMax: number;
  readonly batchCountMax: number;
}

/**
 * The leader's queue: commands wait here while a disk write is in flight, and all of them are the next one (natural group
 * commit). Stamped when they are taken, so that stamps rise in log order.
 */
export class ProposalIntake {
  readonly #limits: IntakeLimits;
  #commands: Uint8Array[] = [];
  #head = 0;
  #bytes = 0;

  constructor(limits: IntakeLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#commands.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * False: full, nothing was taken. All of it is taken where one command would be: judged by its size a long list would find
   * no room for as long as others fill what comes free with short ones.
   */
  add(commands: readonly Uint8Array[]): boolean {
    return this.#addBelow(1, commands);
  }

  /** As `add`, of commands that begin or end sessions: these find room when writes find none. */
  addUrgent(commands: readonly Uint8Array[]): boolean {
    return this.#addBelow(1 + RESERVED_PART, commands);
  }

  #addBelow(part: number, commands: readonly Uint8Array[]): boolean {
    if (commands.length === 0) return true;
    const { bytesMax, countMax } = this.#limits;
    if (this.#bytes >= bytesMax * part || this.count >= countMax * part) return false;
    for (const command of commands) {
      this.#commands.push(command);
      this.#bytes += command.length;
    }
    return true;
  }

  /** The next batch, stamped; stays queued until `drop` says that it was appended. */
  peek(stamp: CommandStamp): readonly Uint8Array[] {
    let bytes = 0;
    let end = this.#head;
    while (end < this.#commands.length && end - this.#head < this.#limits.batchCountMax) {
      const command = this.#commands[end];
      if (command === undefined) break;
      if (end > this.#head && bytes + command.length > this.#limits.batchBytesMax) {
        reached("batch_bounded_by_its_bytes");
        break;
      }
      bytes += command.length;
      stampCommand(command, stamp);
      end += 1;
    }
    return this.#commands.slice(this.#head, end);
  }

  drop(count: number): void {
    for (let at = this.#head; at < this.#head + count; at += 1) {
      this.#bytes -= this.#commands[at]?.length ?? 0;
    }
    this.#head += count;
    if (this.#head === this.#commands.length) {
      this.#commands = [];
      this.#head = 0;
    } else if (this.#head > 4096) {
      this.#commands.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** The node leads no more: what waited is sent again by those it came from. */
  clear(): void {
    if (this.count > 0) reached("queued_commands_dropped_with_the_lead");
    this.#commands = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}
