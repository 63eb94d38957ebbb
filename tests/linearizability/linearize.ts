import type { OperationRecord } from "./history.ts";
import { OperationSet } from "./operation-set.ts";
import { constrains, stepRegister, type RegisterState } from "./register-model.ts";

/** Outcome of one search. */
export interface Linearization {
  readonly verdict: "possible" | "impossible" | "undecided";
  readonly steps: number;
  /** Length of the longest order found, and the state it ends in. */
  readonly deepest: number;
  readonly deepestState: RegisterState;
}

/**
 * Looks for one order of the operations of one register: the search of Wing and Gong (1993) over a list of calls and
 * returns, with Lowe's memory of visited (set of operations, state) pairs (2017). An operation of unknown outcome has
 * no return, so it may take its place anywhere after its call or nowhere.
 *
 * An operation that leaves the state alone takes its place as soon as the state allows it: in any order that continues
 * from here it could be moved to this very place. So only operations that change the state are ever tried in turn, and
 * many readers at once cost nothing.
 */
export function linearize(
  operations: readonly OperationRecord[],
  initial: RegisterState,
  stepBudget: number,
): Linearization {
  return new Search(operations.filter(constrains), initial).run(stepBudget);
}

const HEAD = 0;
const NONE = -1;
const callOf = (operation: number): number => 1 + 2 * operation;
const returnOf = (operation: number): number => 2 + 2 * operation;
const operationOf = (event: number): number => (event - 1) >> 1;
const isCall = (event: number): boolean => event % 2 === 1;

interface Visited {
  readonly words: Uint32Array;
  readonly state: RegisterState;
}

interface Placement {
  readonly operation: number;
  readonly before: RegisterState;
  /** It left the state alone, so no other choice needs to be tried in its stead. */
  readonly isObserver: boolean;
}

/** Events are numbered, see `callOf` and `returnOf`, and form a doubly linked list in order of time. */
class Search {
  readonly #operations: readonly OperationRecord[];
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #placed: OperationSet;
  readonly #visited = new Map<number, Visited[]>();
  readonly #stack: Placement[] = [];
  #state: RegisterState;
  /** Operations with a definite outcome that have no place yet. */
  #missing: number;
  #deepest = 0;
  #deepestState: RegisterState;

  constructor(operations: readonly OperationRecord[], initial: RegisterState) {
    this.#operations = operations;
    this.#next = new Int32Array(1 + 2 * operations.length).fill(NONE);
    this.#previous = new Int32Array(1 + 2 * operations.length).fill(NONE);
    this.#placed = new OperationSet(operations.length);
    this.#state = initial;
    this.#deepestState = initial;
    this.#missing = operations.filter(isDefinite).length;
    this.#linkAll();
  }

  run(stepBudget: number): Linearization {
    let steps = 0;
    this.#placeObservers();
    let event = this.#after(HEAD);
    while (this.#missing > 0) {
      steps += 1;
      if (steps > stepBudget) return this.#result("undecided", steps);
      if (isCall(event)) {
        if (this.#tryToPlace(operationOf(event))) {
          this.#placeObservers();
          event = this.#after(HEAD);
        } else {
          event = this.#after(event);
        }
        continue;
      }
      const undone = this.#undo();
      if (undone === null) return this.#result("impossible", steps);
      event = this.#after(callOf(undone));
    }
    return this.#result("possible", steps);
  }

  /** Places an operation that changes the state, unless it cannot or that leads where the search has been before. */
  #tryToPlace(operation: number): boolean {
    const after = stepRegister(this.#state, this.#record(operation));
    if (after === null || after === this.#state) return false;
    this.#placed.add(operation);
    if (!this.#visit(after)) {
      this.#placed.remove(operation);
      return false;
    }
    this.#push({ operation, before: this.#state, isObserver: false });
    this.#state = after;
    if (this.#stack.length > this.#deepest) {
      this.#deepest = this.#stack.length;
      this.#deepestState = after;
    }
    return true;
  }

  /** Places every operation that was called before anything unplaced returned and that the state explains as it is. */
  #placeObservers(): void {
    let last = HEAD;
    for (;;) {
      const event = this.#after(last);
      if (event === NONE || !isCall(event)) return;
      const operation = operationOf(event);
      const record = this.#record(operation);
      if (isDefinite(record) && stepRegister(this.#state, record) === this.#state) {
        this.#placed.add(operation);
        this.#push({ operation, before: this.#state, isObserver: true });
      } else {
        last = event;
      }
    }
  }

  #push(placement: Placement): void {
    this.#stack.push(placement);
    this.#unlink(callOf(placement.operation));
    if (!isDefinite(this.#record(placement.operation))) return;
    this.#unlink(returnOf(placement.operation));
    this.#missing -= 1;
  }

  /** Takes the last change back, with every observer after it; null when there is none. */
  #undo(): number | null {
    for (;;) {
      const last = this.#stack.pop();
      if (last === undefined) return null;
      this.#placed.remove(last.operation);
      this.#state = last.before;
      if (isDefinite(this.#record(last.operation))) {
        this.#relink(returnOf(last.operation));
        this.#missing += 1;
      }
      this.#relink(callOf(last.operation));
      if (!last.isObserver) return last.operation;
    }
  }

  /** False when this set of operations has led to this state before: nothing new follows from it. */
  #visit(state: RegisterState): boolean {
    const key = this.#placed.hash ^ Math.imul(state.version + 2, 0x9e3779b1);
    const bucket = this.#visited.get(key);
    if (bucket === undefined) {
      this.#visited.set(key, [{ words: this.#placed.copy(), state }]);
      return true;
    }
    for (const seen of bucket) {
      if (equalStates(seen.state, state) && this.#placed.equals(seen.words)) return false;
    }
    bucket.push({ words: this.#placed.copy(), state });
    return true;
  }

  #linkAll(): void {
    const events = this.#operations.flatMap((record, operation) =>
      isDefinite(record)
        ? [
            { event: callOf(operation), atMs: record.invokedMs },
            { event: returnOf(operation), atMs: record.returnedMs },
          ]
        : [{ event: callOf(operation), atMs: record.invokedMs }],
    );
    // At one instant calls come first: two operations that touch are taken as concurrent.
    events.sort((a, b) => a.atMs - b.atMs || Number(isCall(b.event)) - Number(isCall(a.event)));
    let last = HEAD;
    for (const { event } of events) {
      this.#next[last] = event;
      this.#previous[event] = last;
      last = event;
    }
  }

  #after(event: number): number {
    return this.#next[event] ?? NONE;
  }

  #unlink(event: number): void {
    const before = this.#previous[event] ?? HEAD;
    const after = this.#after(event);
    this.#next[before] = after;
    if (after !== NONE) this.#previous[after] = before;
  }

  /** Undoes `#unlink`; in reverse order of unlinking the neighbours are the same as then. */
  #relink(event: number): void {
    const before = this.#previous[event] ?? HEAD;
    const after = this.#after(event);
    this.#next[before] = event;
    if (after !== NONE) this.#previous[after] = event;
  }

  #record(operation: number): OperationRecord {
    const record = this.#operations[operation];
    if (record === undefined) throw new Error(`no operation ${operation}`);
    return record;
  }

  #result(verdict: Linearization["verdict"], steps: number): Linearization {
    return { verdict, steps, deepest: this.#deepest, deepestState: this.#deepestState };
  }
}

function isDefinite(record: OperationRecord): boolean {
  return record.outcome.kind !== "unknown";
}

function equalStates(a: RegisterState, b: RegisterState): boolean {
  return a.version === b.version && a.exists === b.exists && a.value === b.value;
}
