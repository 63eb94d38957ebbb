import type { ValueMark } from "./protocol.ts";

/** What a `fill` of these indexes wrote, with values of these sums in turn. */
export function filledMarks(
  { from, to }: { readonly from: number; readonly to: number },
  crcs: readonly number[],
): readonly ValueMark[] {
  return Array.from({ length: to - from }, (_, at): ValueMark => {
    const index = from + at;
    return [index, 0, crcs[index % crcs.length] ?? 0];
  });
}

/** The newest of each path, over all drivers. */
export function newestOf(lists: readonly (readonly ValueMark[])[]): readonly ValueMark[] {
  const newest = new Map<number, ValueMark>();
  for (const list of lists) {
    for (const mark of list) {
      const known = newest.get(mark[0]);
      if (known === undefined || mark[1] > known[1]) newest.set(mark[0], mark);
    }
  }
  return [...newest.values()];
}

/**
 * What is wrong with the values that were read after all servers were killed, or null: each must be the acknowledged last
 * value of its path, written at the acknowledged revision where that is known. Every write of a run has been answered when
 * it ends, so a newer one was not acknowledged as it ought to be.
 */
export function compareReadBack(
  acknowledged: readonly ValueMark[],
  found: readonly ValueMark[],
): string | null {
  const byPath = new Map(found.map((mark) => [mark[0], mark]));
  let lost = 0;
  let changed = 0;
  for (const [path, revision, crc] of acknowledged) {
    const mark = byPath.get(path);
    if (mark === undefined || mark[1] < revision) lost += 1;
    else if ((revision > 0 && mark[1] > revision) || mark[2] !== crc) changed += 1;
  }
  if (lost === 0 && changed === 0) return null;
  return (
    `read-back: of ${acknowledged.length} acknowledged last values ` +
    `${lost} are lost and ${changed} are others than acknowledged`
  );
}
