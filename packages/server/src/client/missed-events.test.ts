import type { WatchHit } from "@quorate/kv-store";
import { zxid } from "@quorate/kv-store/protocol";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hitBytes } from "./message-bytes.ts";
import { MissedEvents } from "./missed-events.ts";

const WATCHES = 6;

/** Which watches each event of a revision is for, and the bytes there are room for then. */
const revision = fc.record({
  hits: fc.array(fc.uniqueArray(fc.integer({ min: 1, max: WATCHES }), { minLength: 1 }), {
    minLength: 1,
    maxLength: 3,
  }),
  bytesMax: fc.integer({ min: 0, max: 3_000 }),
});
const since = fc.array(fc.integer({ min: 0, max: 10 }), { minLength: WATCHES, maxLength: WATCHES });

function hitsOf(number: number, ids: readonly (readonly number[])[]): readonly WatchHit[] {
  return ids.map((watchIds, at) => {
    const event = { zxid: zxid(number), kind: "dataChanged" as const, path: `/${number}/${at}` };
    return { watchIds, event };
  });
}

function missedSince(sinceZxids: readonly number[]): MissedEvents {
  const missed = new MissedEvents();
  for (const [at, from] of sinceZxids.entries()) {
    const watch = { path: "/", mode: "recursive", withData: false, watchId: at + 1 } as const;
    missed.add({ cxid: 1, watch, sinceZxid: from === 0 ? 0 : zxid(from) });
  }
  return missed;
}

const bytesOf = (hits: readonly WatchHit[]): number =>
  hits.reduce((bytes, hit) => bytes + hitBytes(hit), 0);

describe("what watches have missed", () => {
  test("is everything after where each goes on, in order, or lost as a whole", () => {
    fc.assert(
      fc.property(since, fc.array(revision, { maxLength: 40 }), (sinceZxids, revisions) => {
        const missed = missedSince(sinceZxids);
        const lost = new Set<number>();
        for (const [at, { hits, bytesMax }] of revisions.entries()) {
          for (const id of missed.note(hitsOf(at + 1, hits), bytesMax)) {
            expect(lost.has(id)).toBe(false);
            lost.add(id);
          }
        }
        for (const { watch, isLost } of missed.watches)
          expect(isLost).toBe(lost.has(watch.watchId));
        const told = [...missed.revisions()].flat();
        expect(bytesOf(told)).toBeLessThanOrEqual(revisions.at(-1)?.bytesMax ?? 0);
        for (const [at, from] of sinceZxids.entries()) {
          const id = at + 1;
          const wanted = revisions.flatMap(({ hits }, index) =>
            lost.has(id) || index + 1 <= from
              ? []
              : hitsOf(index + 1, hits).filter(({ watchIds }) => watchIds.includes(id)),
          );
          const own = told.filter(({ watchIds }) => watchIds.includes(id));
          expect(own.map(({ event }) => event)).toEqual(wanted.map(({ event }) => event));
        }
      }),
    );
  });

  test("is lost by no more watches than needed, those with most first", () => {
    const missed = missedSince([0, 0, 0]);
    const bytes = bytesOf(hitsOf(1, [[1]]));
    expect(missed.note(hitsOf(1, [[1], [2], [2], [3]]), 4 * bytes)).toEqual([]);
    expect(missed.note(hitsOf(2, [[3], [2]]), 5 * bytes)).toEqual([2]);
    expect([...missed.revisions()].map((hits) => hits.length)).toEqual([2, 1]);
  });

  test("takes no memory any more once it is let go, and is found anew", () => {
    const missed = missedSince([0, 0]);
    missed.note(hitsOf(1, [[1, 2]]), 1_000);
    expect(missed.heapBytes).toBeGreaterThan(0);
    missed.forget();
    expect(missed.heapBytes).toBe(0);
    missed.note(hitsOf(1, [[1, 2]]), 1_000);
    expect([...missed.revisions()]).toMatchObject([[{ watchIds: [1, 2] }]]);
  });
});
