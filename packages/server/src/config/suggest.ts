/** A suggestion may differ by this many edits, and by no more than a third of what was written. */
const EDITS_MAX = 3;
/** Longer input is no typing error, and comparing it would take long. */
const INPUT_CHARS_MAX = 64;

/** The beginning of a name is as good as the name if it has so many characters, and begins no other one. */
const BEGINNING_CHARS_MIN = 4;

/** `did you mean "x"?` for the candidate nearest to `written`, or that begins with it, or "" when there is none. */
export function didYouMean(written: string, candidates: readonly string[]): string {
  if (written.length > INPUT_CHARS_MAX) return "";
  let best = "";
  let bestEdits = Math.min(EDITS_MAX, Math.ceil(written.length / 3)) + 1;
  for (const candidate of candidates) {
    const edits = editDistance(written.toLowerCase(), candidate.toLowerCase());
    if (edits < bestEdits) {
      best = candidate;
      bestEdits = edits;
    }
  }
  if (best === "") best = begunBy(written, candidates);
  return best === "" ? "" : `did you mean ${JSON.stringify(best)}?`;
}

function begunBy(written: string, candidates: readonly string[]): string {
  const beginning = written.toLowerCase();
  if (beginning.replace(/^-+/, "").length < BEGINNING_CHARS_MIN) return "";
  const [found, ...more] = candidates.filter((each) => each.toLowerCase().startsWith(beginning));
  return more.length === 0 ? (found ?? "") : "";
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn `from` into `to`. */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      const left = current[column - 1] ?? 0;
      const above = last[column] ?? 0;
      const diagonal = last[column - 1] ?? 0;
      let edits = Math.min(left + 1, above + 1, diagonal + (same ? 0 : 1));
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) {
        edits = Math.min(edits, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(edits);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? 0;
}
