import {
  InvariantError,
  RaftNode,
  describeInput,
  type Entry,
  type Ready,
  type StepResult,
  type TraceEvent,
} from "@quorate/raft";
import { isDeepStrictEqual } from "node:util";
import { ServerError, asError } from "../errors.ts";
import { SERVER_VERSION } from "../version.ts";
import { TraceDigest, type TraceFigures } from "./trace-digest.ts";
import {
  outcomeOf,
  workOf,
  type TraceEnd,
  type TraceHead,
  type TraceOrigin,
  type TracedInput,
  type TracedTaking,
} from "./trace-line.ts";
import { readTrace, type TraceItem } from "./trace-reader.ts";

/** One input, or one taking of the work, and the events that came of it again. */
export interface ReplayStep {
  /** Of the input; takings belong to the input before them. 0: the start. */
  readonly number: number;
  /** Ms since the start. */
  readonly ms: number;
  /** The input in words; null for the start and for takings. */
  readonly input: string | null;
  readonly events: readonly TraceEvent[];
}

/** The first thing that the core did otherwise than it was recorded. */
export interface Divergence {
  /** Of the input, or of the one before the taking. */
  readonly number: number;
  /** In words; null: the work was taken after it, or the core was started. */
  readonly input: string | null;
  /** Which of the events, from 1; null: the events are the same, the result is not. */
  readonly event: number | null;
  /** As it stands in the trace; undefined: nothing. */
  readonly recorded: unknown;
  readonly replayed: unknown;
}

/** What a whole trace amounts to. */
export interface TraceSummary extends TraceFigures {
  readonly origin: TraceOrigin;
  /** Of the software that replayed it. */
  readonly release: string;
  /** `cut`: the file ends without saying why; `torn`: in the middle of a line; `upTo`: as far as was asked for. */
  readonly end: TraceEnd | "cut" | "torn" | "upTo" | "threw";
  /** Null: the core did the same again. */
  readonly divergence: Divergence | null;
  /** An invariant that the core does not keep, and the input after which it was seen. */
  readonly broken: { readonly number: number; readonly invariant: string } | null;
}

export interface ReplayOptions {
  /** The last input that is replayed. Default: all. */
  readonly upTo?: number;
  readonly onStep?: (step: ReplayStep) => void;
}

/**
 * Steps the recorded inputs into a core made like the one that was recorded, and compares all that comes of it. Rejects with
 * NO_TRACE, FORMAT_UNKNOWN and TRACE_DAMAGED.
 */
export async function replayTrace(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: ReplayOptions = {},
): Promise<TraceSummary> {
  const items = readTrace(chunks);
  const { value: head } = await items.next();
  if (head?.kind !== "head") throw new ServerError("NO_TRACE", "this is no trace of a core");
  const replay = new Replay(head, options);
  for await (const item of items) {
    replay.take(item);
    if (replay.isOver) break;
  }
  return replay.summary();
}

class Replay {
  readonly #head: TraceHead;
  readonly #options: ReplayOptions;
  readonly #digest = new TraceDigest();
  #entries: Entry[] = [];
  #events: TraceEvent[] = [];
  #core: RaftNode | null = null;
  #number = 0;
  #input: string | null = null;
  #uncheckedSteps = 0;
  #end: TraceSummary["end"] | null = null;
  #divergence: Divergence | null = null;
  #broken: TraceSummary["broken"] = null;

  constructor(head: TraceHead, options: ReplayOptions) {
    this.#head = head;
    this.#options = options;
    if (head.entryCount === 0) this.#start();
  }

  /** Nothing that follows is of interest. */
  get isOver(): boolean {
    return this.#end === "upTo" || this.#divergence !== null || this.#broken !== null;
  }

  take(item: TraceItem): void {
    if (this.#end !== null) throw damaged("something stands after the end");
    switch (item.kind) {
      case "entries":
        if (this.#core !== null) throw damaged("more entries than were announced");
        this.#entries.push(...item.entries);
        if (this.#entries.length >= this.#head.entryCount) this.#start();
        return;
      case "input":
        return this.#step(item);
      case "taking":
        return this.#takeWork(item);
      case "end":
        this.#end = item.reason;
        return;
      case "torn":
        this.#end = "torn";
        return;
      case "head":
        throw damaged("a trace begins once");
    }
  }

  summary(): TraceSummary {
    if (this.#core !== null && this.#end !== "threw") this.#checkInvariants(this.#core);
    return {
      ...this.#digest.figures,
      origin: this.#head.origin,
      release: SERVER_VERSION,
      inputs: this.#number,
      end: this.#end ?? "cut",
      divergence: this.#divergence,
      broken: this.#broken,
    };
  }

  #start(): void {
    const { config, stand, events, entryCount } = this.#head;
    if (this.#entries.length !== entryCount) throw damaged("more entries than were announced");
    const initial = { ...stand, entries: this.#entries };
    try {
      this.#core = new RaftNode(config, initial, (event) => void this.#events.push(event));
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error;
      throw damaged(`no core begins like this: ${error.message}`);
    }
    this.#entries = [];
    this.#compare({ number: 0, ms: 0, input: null }, events, [undefined, undefined]);
  }

  #step(line: TracedInput): void {
    const core = this.#started();
    const { upTo = Infinity } = this.#options;
    if (line.number !== this.#number + 1) {
      throw damaged(`input ${this.#number} is followed by input ${line.number}`);
    }
    if (line.number > upTo) {
      this.#end = "upTo";
      return;
    }
    this.#number = line.number;
    this.#input = describeInput(line.input);
    const result = this.#caught(() => core.step(line.input));
    const { number, ms, events, outcome } = line;
    this.#compare({ number, ms, input: this.#input }, events, [outcome, outcomeOf(result)]);
    this.#checkNowAndThen(core);
  }

  #takeWork({ ms, events, work }: TracedTaking): void {
    const core = this.#started();
    const ready = this.#caught(() => core.takeReady());
    this.#compare({ number: this.#number, ms, input: null }, events, [work, workOf(ready)]);
  }

  #started(): RaftNode {
    if (this.#core !== null) return this.#core;
    throw damaged("entries of the start are missing");
  }

  /** What the core threw once it throws again. */
  #caught<T extends StepResult | Ready | null>(run: () => T): T | Error {
    try {
      return run();
    } catch (error) {
      this.#end = "threw";
      return asError(error);
    }
  }

  #compare(
    at: Omit<ReplayStep, "events">,
    recorded: readonly unknown[],
    results: readonly [recorded: unknown, replayed: unknown],
  ): void {
    const events = this.#events;
    this.#events = [];
    for (const event of events) this.#digest.take(event, at.ms);
    this.#options.onStep?.({ ...at, events });
    const differs = events.findIndex((event, place) => !isSame(recorded[place], event));
    const first = differs < 0 && recorded.length > events.length ? events.length : differs;
    if (first >= 0) {
      this.#diverge(at, first + 1, [recorded[first], events[first]]);
    } else if (!isSame(...results)) {
      this.#diverge(at, null, results);
    }
  }

  #diverge(
    { number, input }: Omit<ReplayStep, "events">,
    event: number | null,
    [recorded, replayed]: readonly [unknown, unknown],
  ): void {
    this.#divergence = { number, input, event, recorded, replayed };
  }

  /** A check walks the log, so it follows once as many steps were taken as some part of the log has entries. */
  #checkNowAndThen(core: RaftNode): void {
    if (this.#end === "threw") return;
    this.#uncheckedSteps += 1;
    const { firstIndex, lastIndex } = core.status();
    if (this.#uncheckedSteps * ENTRIES_PER_STEP < lastIndex - firstIndex) return;
    this.#checkInvariants(core);
  }

  #checkInvariants(core: RaftNode): void {
    this.#uncheckedSteps = 0;
    try {
      core.checkInvariants();
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error;
      this.#broken ??= { number: this.#number, invariant: error.invariant };
    }
  }
}

/** Entries of the log that a step pays for. */
const ENTRIES_PER_STEP = 64;

/** Equal once both are JSON. */
function isSame(recorded: unknown, replayed: unknown): boolean {
  const written = JSON.stringify(replayed);
  if (written === JSON.stringify(recorded)) return true;
  return isDeepStrictEqual(recorded, written === undefined ? undefined : JSON.parse(written));
}

function damaged(text: string): ServerError {
  return new ServerError("TRACE_DAMAGED", text);
}
