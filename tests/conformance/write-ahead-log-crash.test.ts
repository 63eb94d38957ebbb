import { logIndex } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { ServerError } from "../../packages/server/src/errors.ts";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { MEMBERSHIP, commands, hardState, openLog } from "../support/log-fixture.ts";
import { EMPTY, after, difference, perform, type LogAction } from "../support/log-model.ts";

function persist(
  term: number,
  entries: { readonly from: number; readonly to: number; readonly bytes: number } | null,
  options: { readonly vote?: number; readonly snapshotIndex?: number } = {},
): LogAction {
  const snapshot =
    options.snapshotIndex === undefined
      ? null
      : { index: logIndex(options.snapshotIndex), term: hardState(1).term, membership: MEMBERSHIP };
  return {
    kind: "persist",
    hardState: hardState(term, options.vote ?? null),
    snapshot,
    entries: entries === null ? [] : commands(entries.from, entries.to, term, entries.bytes),
  };
}

/** Votes, appends, rotation, replaced entries, compaction, a snapshot marker, a large record. */
const SESSION: readonly LogAction[] = [
  persist(1, null, { vote: 2 }),
  persist(1, { from: 1, to: 3, bytes: 700 }, { vote: 2 }),
  persist(1, { from: 4, to: 9, bytes: 900 }, { vote: 2 }),
  persist(2, null),
  persist(2, { from: 8, to: 12, bytes: 1_500 }),
  persist(2, { from: 13, to: 13, bytes: 9_000 }),
  { kind: "compact", upTo: logIndex(12) },
  persist(2, { from: 14, to: 14, bytes: 20_000 }),
  persist(3, null, { vote: 1 }),
  persist(3, { from: 14, to: 15, bytes: 2_000 }, { vote: 1 }),
  { kind: "compact", upTo: logIndex(14) },
  persist(4, { from: 101, to: 103, bytes: 3_000 }, { snapshotIndex: 100 }),
  persist(4, { from: 104, to: 107, bytes: 3_000 }),
  { kind: "compact", upTo: logIndex(105) },
  persist(4, { from: 108, to: 108, bytes: 1 }),
];

/** Runs the session until the machine stops at step `stopAt`; null when the session ends before. */
async function runUntil(stopAt: number, seed: number) {
  const files = new MemoryFiles({ seed });
  let steps = 0;
  let restarted: MemoryFiles | null = null;
  let crashed = (): void => {};
  const crash = new Promise<void>((resolve) => {
    crashed = resolve;
  });
  files.setOnStep(() => {
    steps += 1;
    if (steps === stopAt && restarted === null) {
      restarted = files.crash();
      restarted.setOnStep(null);
      crashed();
    }
    return null;
  });
  let done = EMPTY;
  let doing: LogAction | null = null;
  let compacted = 0;
  let isMade = false;
  const session = async (): Promise<void> => {
    const { log } = await openLog(files, { create: true });
    isMade = true;
    for (const action of SESSION) {
      doing = action;
      if (action.kind === "compact") compacted = action.upTo;
      await perform(log, action);
      done = after(done, action);
      doing = null;
    }
  };
  await Promise.race([session(), crash]);
  if (restarted === null) return null;
  const doingThen = doing as LogAction | null;
  return {
    files: restarted as MemoryFiles,
    isMade: isMade as boolean,
    compacted,
    allowed: doingThen === null ? [done] : [done, after(done, doingThen)],
  };
}

describe("write-ahead log, power lost at every step", () => {
  test.each([1, 2, 3, 4])("everything acknowledged is there, seed %i", async (seed) => {
    let stopAt = 1;
    let torn = 0;
    for (; ; stopAt += 1) {
      const state = await runUntil(stopAt, seed);
      if (state === null) break;
      await state.files.makeDirectory("/data");
      // The identity tells whether the log had been made.
      const { log, recovered } = await openLog(state.files, { create: !state.isMade });
      expect(recovered.damage, `step ${stopAt}`).toBeNull();
      torn += recovered.torn;
      const differences = [];
      for (const content of state.allowed) {
        differences.push(await difference(log, content, state.compacted));
      }
      expect(differences, `step ${stopAt}`).toContain(null);
      // And it goes on from there.
      const next = { ...persist(9, null), hardState: hardState(9, 3) };
      await perform(log, next);
      const again = await openLog(state.files.crash());
      expect(again.recovered).toMatchObject({ damage: null, torn: 0, hardState: hardState(9, 3) });
    }
    expect(stopAt).toBeGreaterThan(150);
    expect(torn).toBeGreaterThan(0);
  });
});

describe("write-ahead log, a process killed within a write, then power lost", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("what was read is built upon, seed %i", async (seed) => {
    const files = new MemoryFiles({ seed });
    const { log } = await openLog(files, { create: true });
    await perform(log, persist(1, { from: 1, to: 3, bytes: 10 }));
    const held = files.holdNext("write");
    const unfinished = perform(log, persist(1, { from: 4, to: 5, bytes: 300 }));
    await held.reached;
    // The next process finds in the cache what the disk may not have.
    const second = await openLog(files);
    expect(second.recovered).toMatchObject({ lastIndex: 5, damage: null, torn: 0 });
    await perform(second.log, persist(2, { from: 6, to: 6, bytes: 10 }));
    const third = await openLog(files.crash());
    expect(third.recovered).toMatchObject({ lastIndex: 6, damage: null, torn: 0 });
    held.release();
    void unfinished;
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "so is a write that the disk refused and the cache still shows, seed %i",
    async (seed) => {
      const files = new MemoryFiles({ seed });
      const { log } = await openLog(files, { create: true });
      await perform(log, persist(1, { from: 1, to: 3, bytes: 10 }));
      files.failNext("write", new ServerError("STORAGE_FAILED", "EIO"));
      const refused = perform(log, persist(1, { from: 4, to: 5, bytes: 300 }));
      await expect(refused).rejects.toMatchObject({ code: "STORAGE_FAILED" });
      // A restart reads it, and whoever asks hears that it is there.
      const next = files.restart();
      const second = await openLog(next);
      expect(second.recovered).toMatchObject({ lastIndex: 5, damage: null, torn: 0 });
      const third = await openLog(next.crash());
      expect(third.recovered).toMatchObject({ lastIndex: 5, damage: null, torn: 0 });
    },
  );

  test.each([1, 2, 3, 4])("so is a segment that has just got its name, seed %i", async (seed) => {
    const files = new MemoryFiles({ seed });
    const { log } = await openLog(files, { create: true });
    await perform(log, persist(1, { from: 1, to: 3, bytes: 4_000 }));
    const held = files.holdNext("rename");
    const unfinished = perform(log, persist(1, { from: 4, to: 6, bytes: 4_000 }));
    await held.reached;
    const second = await openLog(files);
    expect(second.recovered).toMatchObject({ lastIndex: 3, damage: null, torn: 0 });
    await perform(second.log, persist(2, { from: 4, to: 4, bytes: 10 }));
    const third = await openLog(files.crash());
    expect(third.recovered).toMatchObject({ lastIndex: 4, damage: null, torn: 0 });
    held.release();
    void unfinished;
  });
});
