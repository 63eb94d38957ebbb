import {
  RaftNode,
  type RaftConfig,
  type RaftInitialState,
  type RaftInput,
  type Ready,
  type StepResult,
  type TraceEvent,
} from "@quorate/raft";
import { asError } from "../errors.ts";
import type { LoopCore } from "../node-loop.ts";

/** Told everything that goes into one core, and what came of it. Called in the middle of a turn: it must be quick and not throw. */
export interface CoreRecorder {
  /** It wants to hear no more. */
  readonly isOver: boolean;
  onStart(config: RaftConfig, initial: RaftInitialState, events: readonly TraceEvent[]): void;
  /** An error was thrown: nothing follows. */
  onInput(input: RaftInput, result: StepResult | Error, events: readonly TraceEvent[]): void;
  /** The work was taken; null: there was none. That, too, changes a core. */
  onTaking(ready: Ready | Error | null, events: readonly TraceEvent[]): void;
  /** Nothing follows. Never rejects. */
  close(): Promise<void>;
}

/** A core that is recorded: the same core, told of on the way. */
export class RecordedCore implements LoopCore {
  readonly raft: RaftNode;
  readonly #recorder: CoreRecorder;
  #events: TraceEvent[] = [];
  #isOver = false;

  constructor(config: RaftConfig, initial: RaftInitialState, recorder: CoreRecorder) {
    this.#recorder = recorder;
    this.raft = new RaftNode(config, initial, (event) => void this.#events.push(event));
    recorder.onStart(config, initial, this.#takeEvents());
  }

  step(input: RaftInput): StepResult {
    if (this.#isOver) return this.raft.step(input);
    return this.#told(
      () => this.raft.step(input),
      (result, events) => this.#recorder.onInput(input, result, events),
    );
  }

  takeReady(): Ready | null {
    if (this.#isOver) return this.raft.takeReady();
    return this.#told(
      () => this.raft.takeReady(),
      (ready, events) => this.#recorder.onTaking(ready, events),
    );
  }

  #told<T>(run: () => T, tell: (result: T | Error, events: readonly TraceEvent[]) => void): T {
    let result: T;
    try {
      result = run();
    } catch (error) {
      tell(asError(error), this.#takeEvents());
      throw error;
    }
    tell(result, this.#takeEvents());
    if (this.#recorder.isOver) {
      this.#isOver = true;
      this.raft.endTrace();
    }
    return result;
  }

  #takeEvents(): readonly TraceEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}
