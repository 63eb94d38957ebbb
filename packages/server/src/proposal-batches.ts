/** Bounds of one batch on its way to the leader; one command may be larger. */
const BATCH_BYTES_MAX = 1_048_576;
const BATCH_COUNT_MAX = 8_192;

/** Commands that leave together, in order; a leader takes all of them or none. */
export interface ProposalBatch {
  readonly batch: number;
  readonly commands: readonly Uint8Array[];
}

interface Filling {
  readonly batch: number;
  readonly commands: Uint8Array[];
  bytes: number;
}

/** What gathers until the end of a turn, cut into batches: however much is sent again, a leader's queue grows by one at a time. */
export class ProposalBatches {
  #last = 0;
  #urgent: Filling[] = [];
  #others: Filling[] = [];

  /** Returns the number of the batch in which the command will leave. */
  add(command: Uint8Array): number {
    return this.#addTo(this.#others, command);
  }

  /** As `add`, in batches of their own ahead of all others: writes that find no room shall hold nobody up who comes or goes. */
  addUrgent(command: Uint8Array): number {
    return this.#addTo(this.#urgent, command);
  }

  /** All of it, in order. */
  take(): readonly ProposalBatch[] {
    const batches = [...this.#urgent, ...this.#others];
    this.clear();
    return batches;
  }

  clear(): void {
    this.#urgent = [];
    this.#others = [];
  }

  #addTo(batches: Filling[], command: Uint8Array): number {
    let filling = batches.at(-1);
    const isFull =
      filling !== undefined &&
      (filling.commands.length >= BATCH_COUNT_MAX ||
        filling.bytes + command.length > BATCH_BYTES_MAX);
    if (filling === undefined || isFull) {
      this.#last += 1;
      filling = { batch: this.#last, commands: [], bytes: 0 };
      batches.push(filling);
    }
    filling.commands.push(command);
    filling.bytes += command.length;
    return filling.batch;
  }
}
