import {
  describeTraceEvent,
  type NodeId,
  type RaftConfig,
  type RaftInitialState,
  type RaftInput,
  type Ready,
  type StepResult,
  type TraceEvent,
} from "@quorate/raft";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { CoreRecorder } from "../../../packages/server/src/trace/recorded-core.ts";
import { encodeEnd } from "../../../packages/server/src/trace/trace-line.ts";
import {
  TraceRecording,
  type TraceOutput,
} from "../../../packages/server/src/trace/trace-recording.ts";
import { AbstractRaft, SpecificationError } from "../../specification/abstract-raft.ts";
import { Violation } from "../violation.ts";
import type { ProcessClock } from "./process-clock.ts";

/** What is to be heard of the cores of a run. */
export interface CoreWatchOptions {
  /** Every core of every life of a node writes a trace into this folder. Null: none does. */
  readonly directory: string | null;
  /** Told every event of every core, as a line for people. Null: nobody is. */
  readonly show: ((who: string, what: string) => void) | null;
  /** A core did what the specification does not allow. */
  readonly onBreach: (violation: Violation) => void;
}

/** One core: that of one life of a node. */
export interface CoreLife {
  readonly node: string;
  readonly life: number;
}

/** Holds the cores of a run to the specification. What is heard of them changes nothing in it. */
export class CoreWatch implements Disposable {
  readonly specification = new AbstractRaft();
  readonly #options: CoreWatchOptions;
  readonly #outputs: DirectFile[] = [];

  constructor(options: CoreWatchOptions) {
    this.#options = options;
    if (options.directory !== null) mkdirSync(options.directory, { recursive: true });
  }

  [Symbol.dispose](): void {
    for (const output of this.#outputs) output[Symbol.dispose]();
  }

  /** What a server is started with to be heard. */
  listener(core: CoreLife, clock: ProcessClock, wallMs: number): CoreRecorder {
    const { directory } = this.#options;
    let recording: TraceRecording | null = null;
    if (directory !== null) {
      const file = join(directory, `${core.node}-life-${core.life}.trace`);
      const origin = { name: core.node, release: "simulation", startedMs: Math.round(wallMs) };
      const startMs = clock.nowMs();
      const output = new DirectFile(file);
      this.#outputs.push(output);
      recording = new TraceRecording(output, origin, () => clock.nowMs() - startMs);
    }
    const onEvents: OnEvents = (id, events) => this.#onEvents(core, id, events);
    return new CoreListener(clock, onEvents, recording);
  }

  #onEvents({ node }: CoreLife, id: NodeId, events: readonly TraceEvent[]): void {
    const { show, onBreach } = this.#options;
    for (const event of events) {
      show?.(node, `  ${describeTraceEvent(event)}`);
      try {
        this.specification.take(id, event);
      } catch (error) {
        if (!(error instanceof SpecificationError)) throw error;
        onBreach(new Violation(`S ${error.rule}`, error.message));
      }
    }
  }
}

type OnEvents = (id: NodeId, events: readonly TraceEvent[]) => void;

/** Hears one core until its process is dead: what it does afterwards never happened. */
class CoreListener implements CoreRecorder {
  readonly #clock: ProcessClock;
  readonly #onEvents: OnEvents;
  readonly #recording: TraceRecording | null;
  #id: NodeId | null = null;

  constructor(clock: ProcessClock, onEvents: OnEvents, recording: TraceRecording | null) {
    this.#clock = clock;
    this.#onEvents = onEvents;
    this.#recording = recording;
  }

  get isOver(): boolean {
    return this.#clock.isDead || this.#recording?.isOver === true;
  }

  onStart(config: RaftConfig, initial: RaftInitialState, events: readonly TraceEvent[]): void {
    if (this.isOver) return;
    this.#recording?.onStart(config, initial, events);
    this.#id = config.id;
    this.#tell(events);
  }

  onInput(input: RaftInput, result: StepResult | Error, events: readonly TraceEvent[]): void {
    if (this.isOver) return;
    this.#recording?.onInput(input, result, events);
    this.#tell(events);
  }

  onTaking(ready: Ready | Error | null, events: readonly TraceEvent[]): void {
    if (this.isOver) return;
    this.#recording?.onTaking(ready, events);
    this.#tell(events);
  }

  #tell(events: readonly TraceEvent[]): void {
    if (this.#id !== null) this.#onEvents(this.#id, events);
  }

  async close(): Promise<void> {
    if (!this.isOver) await this.#recording?.close();
  }
}

/** A file of this machine's own that has every line as soon as it was written: simulated processes die without warning. */
class DirectFile implements TraceOutput, Disposable {
  readonly #file: number;
  #isOver = false;

  constructor(path: string) {
    this.#file = openSync(path, "w");
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  begin(lines: Iterable<string>): void {
    for (const line of lines) this.write(line);
  }

  write(line: string): void {
    if (!this.#isOver) writeSync(this.#file, line);
  }

  close(): Promise<void> {
    this.write(encodeEnd("stopped"));
    return Promise.resolve();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    closeSync(this.#file);
  }
}
