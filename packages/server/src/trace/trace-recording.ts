import type {
  Entry,
  RaftConfig,
  RaftInitialState,
  RaftInput,
  Ready,
  StepResult,
  TraceEvent,
} from "@quorate/raft";
import type { CoreRecorder } from "./recorded-core.ts";
import {
  encodeEntriesLine,
  encodeHead,
  encodeInput,
  encodeTaking,
  type TraceOrigin,
} from "./trace-line.ts";

/** Where the lines of a trace go, each with its end. */
export interface TraceOutput {
  /** It takes no more. */
  readonly isOver: boolean;
  /** The first lines, drawn as they are written: they may be many. */
  begin(lines: Iterable<string>): void;
  write(line: string): void;
  /** Nothing follows. Never rejects. */
  close(): Promise<void>;
}

/** A line takes entries of the log at the start until they are this many, or this many bytes. */
const LINE_ENTRIES = 256;
const LINE_BYTES = 65_536;

/** Turns what happens to one core into the lines of a trace. */
export class TraceRecording implements CoreRecorder {
  readonly #output: TraceOutput;
  readonly #origin: TraceOrigin;
  readonly #elapsedMs: () => number;
  #number = 0;
  /** Nothing has happened since there was no work: there is none now, and to ask again changes nothing. */
  #isIdle = false;

  /** `elapsedMs`: since `origin.startedMs`. */
  constructor(output: TraceOutput, origin: TraceOrigin, elapsedMs: () => number) {
    this.#output = output;
    this.#origin = origin;
    this.#elapsedMs = elapsedMs;
  }

  get isOver(): boolean {
    return this.#output.isOver;
  }

  onStart(config: RaftConfig, initial: RaftInitialState, events: readonly TraceEvent[]): void {
    const head = encodeHead(this.#origin, config, initial, events);
    this.#output.begin(firstLines(head, initial.entries));
  }

  onInput(input: RaftInput, result: StepResult | Error, events: readonly TraceEvent[]): void {
    this.#number += 1;
    this.#isIdle = false;
    const at = { number: this.#number, ms: this.#nowMs() };
    this.#output.write(encodeInput(at, input, result, events));
  }

  onTaking(ready: Ready | Error | null, events: readonly TraceEvent[]): void {
    if (this.#isIdle && ready === null && events.length === 0) return;
    this.#isIdle = ready === null;
    this.#output.write(encodeTaking(this.#nowMs(), ready, events));
  }

  close(): Promise<void> {
    return this.#output.close();
  }

  #nowMs(): number {
    return Math.max(0, Math.round(this.#elapsedMs()));
  }
}

function* firstLines(head: string, entries: readonly Entry[]): Generator<string> {
  yield head;
  let gathered: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    gathered.push(entry);
    bytes += entry.kind === "command" ? entry.data.length : 0;
    if (gathered.length < LINE_ENTRIES && bytes < LINE_BYTES) continue;
    yield encodeEntriesLine(gathered);
    gathered = [];
    bytes = 0;
  }
  if (gathered.length > 0) yield encodeEntriesLine(gathered);
}
