import type {
  Entry,
  RaftConfig,
  RaftInitialState,
  RaftInput,
  Ready,
  StepResult,
  TraceEvent,
} from "@quorate/raft";
import { ServerError } from "../errors.ts";
import { plainOf, ShapeError, whole } from "./json-shape.ts";
import {
  configShape,
  entriesShape,
  initialShape,
  inputShape,
  type InitialStand,
} from "./trace-shapes.ts";

/** Rises whenever a line comes to mean something else. */
const TRACE_VERSION = 2;

/** What every trace begins with. */
export const TRACE_MAGIC = '{"quorateTrace":';

/** Why a trace ends although it is whole. */
export const TRACE_ENDS = ["stopped", "full", "behind"] as const;
/**
 * `stopped`: its node was stopped. `full`: it had become as long as it may. `behind`: its disk did not keep up. A trace without
 * an end is of a node that was killed, or that still runs.
 */
export type TraceEnd = (typeof TRACE_ENDS)[number];

/** Who records, and since when. */
export interface TraceOrigin {
  /** The node's name. */
  readonly name: string;
  /** Version of the software. */
  readonly release: string;
  /** Wall clock, ms since 1970; the times of all lines are counted from here. */
  readonly startedMs: number;
}

/** The first line: what the core was made of, and what it told of itself. */
export interface TraceHead {
  readonly kind: "head";
  readonly origin: TraceOrigin;
  readonly config: RaftConfig;
  readonly stand: InitialStand;
  /** So many entries follow, in lines of their own. */
  readonly entryCount: number;
  readonly events: readonly unknown[];
}

/** One input and what came of it. */
export interface TracedInput {
  readonly kind: "input";
  /** From 1, without a gap. */
  readonly number: number;
  /** Ms since the start. */
  readonly ms: number;
  readonly input: RaftInput;
  /** As {@link outcomeOf} gives it. */
  readonly outcome: unknown;
  readonly events: readonly unknown[];
}

/** One taking of the work. */
export interface TracedTaking {
  readonly kind: "taking";
  readonly ms: number;
  /** As {@link workOf} gives it. */
  readonly work: unknown;
  readonly events: readonly unknown[];
}

/** One line of a trace. */
export type TraceLine =
  | TraceHead
  | { readonly kind: "entries"; readonly entries: readonly Entry[] }
  | TracedInput
  | TracedTaking
  | { readonly kind: "end"; readonly reason: TraceEnd };

/** What came of an input, as it stands in a trace; undefined where nothing has to be said. */
export function outcomeOf(result: StepResult | Error): object | undefined {
  if (result instanceof Error) return { threw: result.message };
  return result.ok && result.index === null ? undefined : result;
}

/** What a taking amounts to, as it stands in a trace. */
export function workOf(ready: Ready | Error | null): object | null {
  if (ready === null) return null;
  if (ready instanceof Error) return { threw: ready.message };
  const { softState, persist, installSnapshot, messages, committed, reads, fetches } = ready;
  return {
    softState,
    persist: persist === null ? null : persist.ticket.seq,
    installSnapshot: installSnapshot === null ? null : installSnapshot.index,
    messages: messages.length,
    committed: committed.length,
    reads: reads.length,
    fetches: fetches.length,
  };
}

/** The first line. */
export function encodeHead(
  origin: TraceOrigin,
  config: RaftConfig,
  initial: RaftInitialState,
  events: readonly TraceEvent[],
): string {
  const { entries, ...stand } = initial;
  return encoded({
    quorateTrace: TRACE_VERSION,
    ...origin,
    config: configShape.toJson(config),
    initial: initialShape.toJson(stand),
    entryCount: entries.length,
    events,
  });
}

/** A line of entries that the log held at the start. */
export function encodeEntriesLine(entries: readonly Entry[]): string {
  return encoded({ entries: entriesShape.toJson(entries) });
}

/** An input. */
export function encodeInput(
  at: { readonly number: number; readonly ms: number },
  input: RaftInput,
  result: StepResult | Error,
  events: readonly TraceEvent[],
): string {
  return encoded({
    n: at.number,
    ms: at.ms,
    input: inputShape.toJson(input),
    outcome: outcomeOf(result),
    events: events.length === 0 ? undefined : events,
  });
}

/** A taking of the work. */
export function encodeTaking(
  ms: number,
  ready: Ready | Error | null,
  events: readonly TraceEvent[],
): string {
  return encoded({ ms, ready: workOf(ready), events: events.length === 0 ? undefined : events });
}

/** The last line. */
export function encodeEnd(reason: TraceEnd): string {
  return encoded({ end: reason });
}

function encoded(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

const count = whole(0, (value) => value);

/** Reads one line, without its end. Throws TRACE_DAMAGED, and for a first line of another version FORMAT_UNKNOWN. */
export function decodeTraceLine(line: string, number: number): TraceLine {
  try {
    return decode(plainOf(JSON.parse(line)));
  } catch (error) {
    if (!(error instanceof ShapeError || error instanceof SyntaxError)) throw error;
    throw new ServerError("TRACE_DAMAGED", `line ${number}: ${error.message}`, error);
  }
}

type Plain = Readonly<Record<string, unknown>>;

function decode(json: Plain): TraceLine {
  if ("input" in json) return decodeInput(json);
  if ("ready" in json) {
    const { ms, ready, events } = json;
    return { kind: "taking", ms: count.fromJson(ms), work: ready, events: eventsIn(events) };
  }
  if ("entries" in json)
    return { kind: "entries", entries: entriesShape.fromJson(json["entries"]) };
  if ("end" in json) return { kind: "end", reason: endIn(json["end"]) };
  if ("quorateTrace" in json) return decodeHead(json);
  throw new ShapeError("it is no line of a trace");
}

function decodeInput({ n, ms, input, outcome, events }: Plain): TracedInput {
  return {
    kind: "input",
    number: count.fromJson(n),
    ms: count.fromJson(ms),
    input: inputShape.fromJson(input),
    outcome,
    events: eventsIn(events),
  };
}

function decodeHead(json: Plain): TraceHead {
  const { quorateTrace: version, name, release, startedMs } = json;
  if (version !== TRACE_VERSION) {
    const text = `the trace is of version ${String(version)}, recorded by release ${String(release)}; this release reads version ${TRACE_VERSION}`;
    throw new ServerError("FORMAT_UNKNOWN", text);
  }
  return {
    kind: "head",
    origin: { name: String(name), release: String(release), startedMs: count.fromJson(startedMs) },
    config: configShape.fromJson(json["config"]),
    stand: initialShape.fromJson(json["initial"]),
    entryCount: count.fromJson(json["entryCount"]),
    events: eventsIn(json["events"]),
  };
}

function eventsIn(json: unknown): readonly unknown[] {
  if (json === undefined) return [];
  if (Array.isArray(json)) return json;
  throw new ShapeError("events are no list");
}

function endIn(json: unknown): TraceEnd {
  const reason = TRACE_ENDS.find((each) => each === json);
  if (reason === undefined) throw new ShapeError("the trace ends in an unknown way");
  return reason;
}
