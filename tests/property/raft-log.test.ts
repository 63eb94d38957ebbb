import { logIndex, term, type Entry } from "@quorate/raft";
import fc from "fast-check";
import { expect, test } from "vitest";
import { RaftLog } from "../../packages/raft/src/log.ts";
import { LoneCore } from "../interaction/lone-core.ts";

/** A log as a plain list, and a disk as another one. */
interface Model {
  entries: number[];
  disk: number[];
  writing: number[] | null;
}

const action = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), terms: fc.nat(1) }),
  fc.record({
    kind: fc.constant("truncate" as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({ kind: fc.constant("begin" as const), more: fc.nat(4) }),
  fc.record({ kind: fc.constant("end" as const) }),
  fc.record({ kind: fc.constant("trim" as const), bytes: fc.nat(200) }),
);

/** How far the list in memory and the list on disk are the same. */
function commonLength(left: readonly number[], right: readonly number[]): number {
  let length = 0;
  while (length < left.length && length < right.length && left[length] === right[length])
    length += 1;
  return length;
}

test("the log never claims more of the disk than the disk has, whatever is truncated meanwhile", () => {
  const property = fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
    const log = new RaftLog(logIndex(0), term(0), []);
    const model: Model = { entries: [], disk: [], writing: null };
    let highest = 0;
    for (const step of actions) {
      const last = model.entries.length;
      if (step.kind === "append") {
        // Every truncation raises the term, so that equal terms at one place mean equal entries.
        const entryTerm = Math.max(highest, model.entries.at(-1) ?? 0) + step.terms;
        highest = entryTerm;
        model.entries.push(entryTerm);
        const entry: Entry = { kind: "noop", term: term(entryTerm), index: logIndex(last + 1) };
        log.append(entry);
      } else if (step.kind === "truncate") {
        const from = log.firstIndex + Math.floor(step.at * (last - log.baseIndex));
        if (from > last) continue;
        log.truncateFrom(logIndex(from));
        model.entries.length = from - 1;
        highest += 1;
      } else if (step.kind === "begin" && model.writing === null) {
        const from = log.unpersistedFrom;
        const upTo = Math.min(last, from + step.more);
        model.writing = [...model.disk.slice(0, from - 1), ...model.entries.slice(from - 1, upTo)];
        log.beginPersist(logIndex(upTo));
      } else if (step.kind === "end" && model.writing !== null) {
        model.disk = model.writing;
        model.writing = null;
        log.endPersist();
      } else if (step.kind === "trim") {
        log.trim(log.persistedIndex, step.bytes);
      }
      expect(log.lastIndex).toBe(model.entries.length);
      expect(log.persistedIndex).toBeLessThanOrEqual(commonLength(model.entries, model.disk));
      const held = log.slice(log.firstIndex, log.lastIndex).map((entry) => entry.term);
      expect(held).toEqual(model.entries.slice(log.baseIndex));
    }
  });
  fc.assert(property, { numRuns: 500 });
});

test("after an append a follower's log begins like the leader's, and nothing equal is lost", () => {
  const terms = fc
    .array(fc.nat(2), { maxLength: 12 })
    .map((rises) =>
      rises.reduce<number[]>((list, rise) => [...list, (list.at(-1) ?? 1) + rise], []),
    );
  const property = fc.property(terms, terms, fc.nat(12), fc.nat(12), (own, theirs, from, count) => {
    // Two logs of one history agree up to some point and never again: make them so.
    const agree = commonLength(own, theirs);
    const leader = theirs.map((value, at) => (at < agree ? value : value + 20));
    const follower = own.map((value, at) => (at < agree ? value : value * 1));
    const prev = Math.min(from, leader.length);
    const sent = leader.slice(prev, prev + count);
    const node = new LoneCore({ terms: follower, term: 60 });
    node.append({ from: 2, term: 60 }, [prev, leader[prev - 1] ?? 0], sent);
    const result = node.logTerms;
    if (prev > agree) {
      expect(result).toEqual(follower);
      return;
    }
    const end = prev + sent.length;
    expect(result.slice(0, end)).toEqual(leader.slice(0, end));
    const isConflict = commonLength(follower, leader) < Math.min(end, follower.length);
    expect(result.slice(end)).toEqual(isConflict ? [] : follower.slice(end));
  });
  fc.assert(property, { numRuns: 500 });
});
