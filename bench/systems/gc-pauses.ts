import type { GcPause } from "./system.ts";

/** "… ms: Scavenge 13.4 (17.7) -> 13.1 (28.9) MB, 1.27 / 0.00 ms …", and what marking took in steps before. */
const NODE_LINE =
  / ms: [A-Z][\w-]*(?: \([^)]*\))? [^\n]* MB,(?: pooled: [^,]*,)? ([\d.]+) \/ [\d.]+ ms([^\n]*)/g;
const NODE_STEPS = /\(\+ ([\d.]+) ms in \d+ steps since start of marking, biggest step ([\d.]+) ms/;
/** "[0.234s][info][gc] GC(0) Pause Young (Normal) (G1 Evacuation Pause) 24M->3M(256M) 2.345ms" */
const JAVA_LINE = /\bGC\(\d+\) Pause [^\n]* ([\d.]+)ms$/gm;
/** "gc 18 @15.5s 0%: 0.031+1.2+0.004 ms clock, …": nothing else runs in the first and the last part. */
const GO_LINE = /^gc \d+ @[\d.]+s \d+%: ([\d.]+)\+[\d.]+\+([\d.]+) ms clock/gm;

/** Of Node's `--trace-gc`. Incremental marking stops the program in steps, of which each is a pause of its own. */
export function nodePauses(log: string): readonly GcPause[] {
  return [...log.matchAll(NODE_LINE)].map(([, atOnce, more = ""]) => {
    const steps = NODE_STEPS.exec(more);
    const pauseMs = Number(atOnce);
    return {
      longestMs: Math.max(pauseMs, Number(steps?.[2] ?? 0)),
      totalMs: pauseMs + Number(steps?.[1] ?? 0),
    };
  });
}

/** Of Java's `-Xlog:gc`. */
export function javaPauses(log: string): readonly GcPause[] {
  return [...log.matchAll(JAVA_LINE)].map(([, pause]) => {
    const pauseMs = Number(pause);
    return { longestMs: pauseMs, totalMs: pauseMs };
  });
}

/** Of Go's `gctrace=1`. */
export function goPauses(log: string): readonly GcPause[] {
  return [...log.matchAll(GO_LINE)].map(([, first, last]) => ({
    longestMs: Math.max(Number(first), Number(last)),
    totalMs: Number(first) + Number(last),
  }));
}
