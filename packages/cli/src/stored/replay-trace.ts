import {
  ServerError,
  describeTraceEvent,
  replayTrace,
  traceEventKinds,
  type ReplayStep,
  type TraceSummary,
} from "@quorate/server";
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { CliError, usageError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { jsonLine } from "../format/json.ts";
import { divergenceText, summaryText } from "../format/trace-text.ts";
import { readError } from "./stored-data.ts";

/** Options of `trace replay`. */
export interface ReplayFlags {
  readonly from?: number;
  readonly to?: number;
  readonly only?: string;
  readonly inputs?: boolean;
  readonly summary?: boolean;
  readonly json?: boolean;
}

/** Steps what was recorded into a new core, and fails where it does not do the same again. */
export async function replayTraceFile(
  context: CliContext,
  file: string,
  flags: ReplayFlags,
): Promise<void> {
  const { from = 1, to } = flags;
  if (to !== undefined && from > to) {
    throw usageError(`--from ${from} lies after --to ${to}`, "name the earlier input with --from");
  }
  const path = resolve(context.workingDirectory, file);
  const kinds = kindsIn(flags.only);
  // Of the last step: most of them bring no event, and the trace's own figure is of the last event.
  let ms = 0;
  let lines = 0;
  const traced = await replay(path, to, (step) => {
    ({ ms } = step);
    if (flags.summary === true || (step.number < from && from > 1)) return;
    const text = stepText(step, kinds, flags);
    if (text === "") return;
    lines += text.split("\n").length - 1;
    context.out.write(text);
  });
  const summary = { ...traced, ms };
  context.out.write(flags.json === true ? jsonLine({ summary }) : summaryText(summary));
  if (lines > LINES_AT_A_GLANCE && !isNarrowed(flags)) context.err.write(HOW_TO_NARROW);
  judge(summary);
}

/** Printed lines that a person still looks through. */
const LINES_AT_A_GLANCE = 200;
const HOW_TO_NARROW =
  "note: --from N and --to N name the inputs to look at, --only KIND,KIND the events; --summary prints nothing but the summary\n";

/** Whoever narrowed it knows how, and whoever wants JSON has a program look. */
function isNarrowed({ from, to, only, json }: ReplayFlags): boolean {
  return from !== undefined || to !== undefined || only !== undefined || json === true;
}

/** Null: all. */
function kindsIn(only: string | undefined): ReadonlySet<string> | null {
  if (only === undefined) return null;
  const kinds = only.split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim()]));
  const foreign = kinds.find((kind) => !traceEventKinds.includes(kind));
  if (foreign === undefined) return new Set(kinds);
  throw usageError(
    `${JSON.stringify(foreign)} is no kind of event`,
    `there are ${traceEventKinds.join(", ")}`,
  );
}

async function replay(
  path: string,
  upTo: number | undefined,
  onStep: (step: ReplayStep) => void,
): Promise<TraceSummary> {
  try {
    const chunks: AsyncIterable<Uint8Array> = createReadStream(path);
    return await replayTrace(chunks, { ...(upTo !== undefined && { upTo }), onStep });
  } catch (error) {
    throw explained(path, error);
  }
}

function stepText(
  { number, ms, input, events }: ReplayStep,
  kinds: ReadonlySet<string> | null,
  { inputs = false, json = false }: ReplayFlags,
): string {
  const place = `${String(number).padStart(7)} ${`+${(ms / 1000).toFixed(3)}s`.padStart(10)}`;
  let text = "";
  if (inputs && input !== null) {
    text += json ? jsonLine({ number, ms, input }) : `${place} > ${input}\n`;
  }
  for (const event of events) {
    if (kinds !== null && !kinds.has(event.kind)) continue;
    text += json ? jsonLine({ number, ms, event }) : `${place}   ${describeTraceEvent(event)}\n`;
  }
  return text;
}

/** Whatever is wrong with a whole trace is told after the summary. */
function judge({ divergence, broken, origin, release }: TraceSummary): void {
  if (divergence !== null) {
    const hint =
      origin.release === release
        ? `${howToLookCloser(divergence.number)}; keep the trace and report it: equal inputs have to come to the same`
        : `it was recorded by release ${origin.release} and replayed by ${release}: take the release that recorded it`;
    throw new CliError("TRACE_DIVERGED", divergenceText(divergence), {
      exitCode: EXIT_CODES.failed,
      hint,
    });
  }
  if (broken !== null) {
    const text = `after input ${broken.number} the invariant ${broken.invariant} is broken`;
    throw new CliError("INVARIANT_BROKEN", text, {
      exitCode: EXIT_CODES.failed,
      hint: `${howToLookCloser(broken.number)}; keep the trace and report it`,
    });
  }
}

/** Inputs of which somebody looks at what led to the one where it went wrong. */
const INPUTS_BEFORE = 20;

function howToLookCloser(number: number): string {
  const from = Math.max(1, number - INPUTS_BEFORE);
  return `--from ${from} --to ${Math.max(from, number)} --inputs shows what led to it`;
}

function explained(path: string, error: unknown): unknown {
  if (error instanceof ServerError) return explainedTrace(path, error);
  return readError(error, path, WHAT_TO_GIVE);
}

const WHAT_TO_GIVE =
  "give a file that `quorate-server --trace FILE` has written, or `quorate dev --trace`, such as ./data/node-1.trace";

function explainedTrace(path: string, error: ServerError): CliError {
  switch (error.code) {
    case "NO_TRACE":
      // It may be one whose beginning is damaged.
      return new CliError("DAMAGED", `${path}: ${error.text}`, {
        exitCode: EXIT_CODES.damaged,
        hint: WHAT_TO_GIVE,
        cause: error,
      });
    case "FORMAT_UNKNOWN":
      return new CliError("UNSUPPORTED_VERSION", `${path}: ${error.text}`, {
        exitCode: EXIT_CODES.failed,
        hint: "replay it with the release that recorded it",
        cause: error,
      });
    default:
      return new CliError("DAMAGED", `the trace is damaged: ${error.text}`, {
        exitCode: EXIT_CODES.damaged,
        hint: "what stands before can be replayed: --to with the number of the last input that was printed",
        cause: error,
      });
  }
}
