import type { Divergence, TraceSummary } from "@quorate/server";
import { counted } from "./counted.ts";

const ENDS: Readonly<Record<TraceSummary["end"], string>> = {
  stopped: "the trace ends: the node was stopped",
  full: "the trace ends: it had become as long as it may",
  behind: "the trace ends: the disk did not keep up with it",
  cut: "the trace ends without a last word: the node was killed, or still runs",
  torn: "the trace ends in the middle of a line, which is left out: the node was killed as it wrote it, or still runs",
  upTo: "the trace goes on",
  threw: "the trace ends with an error that the core threw, and threw again",
};

/** What a trace amounts to, in some lines. */
export function summaryText(summary: TraceSummary): string {
  const { origin, node, inputs, events, ms, end } = summary;
  const started = new Date(origin.startedMs).toISOString();
  return [
    `node ${origin.name} (id ${node}), recorded by release ${origin.release} from ${started} on`,
    `${counted(inputs, "input")}, ${counted(events, "event")} in ${(ms / 1000).toFixed(3)} s; ${standText(summary)}`,
    ENDS[end],
    verdictText(summary),
    "",
  ].join("\n");
}

function standText({ firstTerm, lastTerm, leaders, commitIndex, lastIndex }: TraceSummary): string {
  const terms = firstTerm === lastTerm ? `term ${lastTerm}` : `terms ${firstTerm} to ${lastTerm}`;
  const led = leaders.map(({ term, leader }) => `${leader} (term ${term})`).join(", ");
  const known = led === "" ? "no leader was heard" : `leaders ${led}`;
  return `${terms}; ${known}; commit ${commitIndex} of ${lastIndex}`;
}

function verdictText({ divergence, broken }: TraceSummary): string {
  if (divergence !== null) return "the core did something else";
  return broken === null ? "the core did the same again" : "the core breaks an invariant";
}

/** Where a core went another way, in one line. */
export function divergenceText(divergence: Divergence): string {
  const { number, input, event, recorded, replayed } = divergence;
  const place =
    number === 0 ? "at the start" : `at input ${number} (${input ?? "taking its work"})`;
  const what = event === null ? "the result" : `event ${event}`;
  return `${place} ${what} differs: recorded ${json(recorded)}, replayed ${json(replayed)}`;
}

function json(value: unknown): string {
  return JSON.stringify(value) ?? "nothing";
}
