import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { FinishedRun } from "./run-rounds.ts";

/** What all runs of a journal have in common: without it their figures do not belong together. */
export interface JournalHead {
  /** Without what changes from hour to hour. */
  readonly machine: Readonly<Record<string, string | number>>;
  readonly settings: unknown;
}

/** What a journal tells. */
export interface JournalContent {
  readonly head: JournalHead;
  readonly runs: readonly FinishedRun[];
}

/**
 * Every finished run, one JSON object per line behind the head's, so that a benchmark that was broken off goes on where
 * it stood.
 */
export class Journal {
  readonly file: string;

  /** `out`: the result's file, beside which it lies. */
  constructor(out: string) {
    this.file = `${out}.journal`;
  }

  exists(): boolean {
    return existsSync(this.file);
  }

  begin(head: JournalHead): void {
    writeFileSync(this.file, `${JSON.stringify(head)}\n`, { flag: "wx" });
  }

  append(run: FinishedRun): void {
    appendFileSync(this.file, `${JSON.stringify(run)}\n`);
  }

  /** Cuts off a last line that was not written to its end. */
  read(): JournalContent {
    const text = readFileSync(this.file, "utf8");
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    if (whole.length < text.length) writeFileSync(this.file, whole);
    const [head, ...runs] = whole.split("\n").slice(0, -1);
    if (head === undefined) throw new Error(`${this.file} is no journal; remove it`);
    try {
      return {
        head: JSON.parse(head) as JournalHead,
        runs: runs.map((line) => JSON.parse(line, numberless) as FinishedRun),
      };
    } catch (error) {
      throw new Error(`${this.file} is no journal; remove it`, { cause: error });
    }
  }

  remove(): void {
    rmSync(this.file, { force: true });
  }
}

/** JSON has no NaN: a figure that was none comes back as one. */
function numberless(this: unknown, _: string, value: unknown): unknown {
  return value === null ? Number.NaN : value;
}

/** Why runs of this journal may not be added to, in a sentence; null when they may. */
export function refuseResume(
  { head, runs }: JournalContent,
  now: { readonly head: JournalHead; readonly commit: string; readonly isAnyCommit: boolean },
): string | null {
  if (!isSame(head.machine, now.head.machine)) return "it was written on another machine";
  if (!isSame(head.settings, now.head.settings)) return "it was written with other settings";
  const other = runs.find(({ commit }) => commit !== now.commit)?.commit;
  if (other === undefined || now.isAnyCommit) return null;
  return `it has runs of commit ${other}, and this is ${now.commit}; --any-commit goes on all the same`;
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
