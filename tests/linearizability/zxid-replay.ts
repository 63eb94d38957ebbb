import { describeOperation } from "./explain.ts";
import { isWrite, type OperationRecord } from "./history.ts";
import { stepRegister, type RegisterState } from "./register-model.ts";

/** Steps that one path may take. */
const STEPS_MAX = 200_000;

/** `undecided`: unknown writes can stand in more ways than are tried. */
export type Replay =
  | { readonly kind: "explained" }
  | { readonly kind: "undecided" }
  | { readonly kind: "wrong"; readonly explanation: string };

/** The revision that an answer names. */
export function zxidOf(record: OperationRecord): number | null {
  return record.outcome.kind === "ok" ? record.outcome.zxid : null;
}

/** The same where every answer names one. */
export function orderOf(record: OperationRecord): number {
  return zxidOf(record) ?? 0;
}

/**
 * Runs a register through the answers of one path in the order of their zxids, with writes of unknown outcome in between
 * wherever an answer needs them. All ways to place them are tried that can make a difference to an answer.
 */
export function replayInZxidOrder(
  operations: readonly OperationRecord[],
  answered: readonly OperationRecord[],
  initial: RegisterState,
): Replay {
  const ordered = answered.toSorted(inZxidOrder);
  const shared = describeSharedZxid(ordered);
  if (shared !== null) return { kind: "wrong", explanation: shared };
  return new ZxidReplay(ordered, unplacedOf(operations, ordered, initial)).run(initial);
}

/** A write of unknown outcome that is not yet part of the order. */
interface Unplaced {
  readonly write: OperationRecord;
  /** The place of the first answer that shows what nobody else wrote: it stands right before that one, or nowhere. */
  readonly before: number | null;
  /** Which of them does not matter among those of one kind, to any answer. */
  readonly kind: string;
}

class ZxidReplay {
  readonly #ordered: readonly OperationRecord[];
  readonly #deadlines: readonly number[];
  readonly #unplaced: readonly Unplaced[];
  #stepsLeft = STEPS_MAX;
  /** Of the answers that some placement did not explain the last, and the version that it met. */
  #wrong: {
    readonly at: number;
    readonly record: OperationRecord;
    readonly version: number;
  } | null = null;

  constructor(ordered: readonly OperationRecord[], unplaced: readonly Unplaced[]) {
    this.#ordered = ordered;
    this.#deadlines = deadlinesOf(ordered);
    this.#unplaced = unplaced;
  }

  run(initial: RegisterState): Replay {
    if (this.#advance(0, initial, this.#unplaced)) return { kind: "explained" };
    if (this.#stepsLeft < 0 || this.#wrong === null) return { kind: "undecided" };
    const { record, version } = this.#wrong;
    const explanation = `in zxid order this answer is wrong, the register stood at version ${version}:\n  ${describeOperation(record)}`;
    return { kind: "wrong", explanation };
  }

  /** An answer fixes the state that it leaves, so what needs no unknown write is never worse without one. */
  #advance(from: number, initial: RegisterState, unplaced: readonly Unplaced[]): boolean {
    let state = initial;
    for (let at = from; ; at += 1) {
      const record = this.#ordered[at];
      if (record === undefined) return true;
      const after = stepRegister(state, record);
      if (after === null) {
        if (at > (this.#wrong?.at ?? -1)) this.#wrong = { at, record, version: state.version };
        return this.#closeGap(at, state, unplaced);
      }
      state = after;
    }
  }

  /** Tries each kind of unknown write before the answer at `at`. */
  #closeGap(at: number, state: RegisterState, unplaced: readonly Unplaced[]): boolean {
    this.#stepsLeft -= 1;
    if (this.#stepsLeft < 0) return false;
    const deadlineMs = this.#deadlines[at] ?? 0;
    const tried = new Set<string>();
    for (const candidate of unplaced) {
      if (candidate.write.invokedMs > deadlineMs || tried.has(candidate.kind)) continue;
      if (candidate.before !== null && candidate.before !== at) continue;
      tried.add(candidate.kind);
      const between = stepRegister(state, candidate.write);
      if (between === null || between === state) continue;
      const rest = unplaced.filter((other) => other !== candidate);
      if (this.#advance(at, between, rest)) return true;
    }
    return false;
  }
}

/** Within one zxid the write stands before the reads of it. */
function inZxidOrder(a: OperationRecord, b: OperationRecord): number {
  return orderOf(a) - orderOf(b) || Number(isWrite(b)) - Number(isWrite(a));
}

function describeSharedZxid(ordered: readonly OperationRecord[]): string | null {
  const writes = ordered.filter(isWrite);
  for (const [at, write] of writes.entries()) {
    const next = writes[at + 1];
    if (next === undefined || orderOf(next) !== orderOf(write)) continue;
    return `two writes share a zxid:\n  ${describeOperation(write)}\n  ${describeOperation(next)}`;
  }
  return null;
}

/** What stands before an answer must have begun before that answer and all that stand behind it had ended. */
function deadlinesOf(ordered: readonly OperationRecord[]): number[] {
  let earliestMs = Infinity;
  return ordered
    .toReversed()
    .map(({ returnedMs }) => (earliestMs = Math.min(earliestMs, returnedMs)))
    .toReversed();
}

/** Those first that fit in one place only. */
function unplacedOf(
  operations: readonly OperationRecord[],
  ordered: readonly OperationRecord[],
  initial: RegisterState,
): Unplaced[] {
  const writers = new Map<string, number>([[initial.value, 1]]);
  for (const record of operations) {
    const value = valueOf(record);
    if (value !== null) writers.set(value, (writers.get(value) ?? 0) + 1);
  }
  const firstSeenAt = new Map<string, number>();
  for (const [at, { outcome }] of ordered.entries()) {
    const value = outcome.kind === "ok" ? outcome.observed?.value : undefined;
    if (value !== undefined && !firstSeenAt.has(value)) firstSeenAt.set(value, at);
  }
  const place = (write: OperationRecord): Unplaced => {
    const value = valueOf(write);
    const seenAt = value === null ? undefined : firstSeenAt.get(value);
    const isOnlyWriter = value !== null && writers.get(value) === 1;
    return {
      write,
      before: isOnlyWriter ? (seenAt ?? null) : null,
      kind: kindOf(write, seenAt === undefined ? null : value),
    };
  };
  return operations
    .filter((record) => isWrite(record) && record.outcome.kind === "unknown")
    .map(place)
    .sort((a, b) => Number(b.before !== null) - Number(a.before !== null));
}

function valueOf({ operation }: OperationRecord): string | null {
  return "value" in operation ? operation.value : null;
}

function kindOf({ operation }: OperationRecord, seenValue: string | null): string {
  const condition = "expectedVersion" in operation ? operation.expectedVersion : null;
  return JSON.stringify([operation.kind, condition, seenValue]);
}
