import { logIndex, type Entry } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { encodeEntries } from "../../packages/server/src/storage/entry-codec.ts";
import { scanLog } from "../../packages/server/src/storage/log-scan.ts";
import { NodeFiles } from "../../packages/server/src/storage/node-files.ts";
import {
  DIRECTORY,
  MEMBERSHIP,
  append,
  command,
  commands,
  hardState,
  openLog,
  readAll,
  work,
} from "../support/log-fixture.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const NOTHING = new Uint8Array(0);

async function newLog(files = new MemoryFiles()) {
  const { log } = await openLog(files, { create: true });
  return { files, log };
}

const segments = async (files: MemoryFiles): Promise<readonly string[]> =>
  (await files.list(DIRECTORY)).filter((name) => name.endsWith(".wal"));

describe("write-ahead log", () => {
  test("a new log is empty and stands after a restart", async () => {
    const { files, log } = await newLog();
    expect([log.firstIndex, log.lastIndex, log.sequence]).toEqual([1, 0, 0]);
    const again = await openLog(files.crash());
    expect(again.recovered).toEqual({
      hardState: hardState(0),
      snapshot: null,
      firstIndex: 1,
      lastIndex: 0,
      records: 0,
      torn: 0,
      damage: null,
    });
  });

  test("keeps entries, hard state and the numbering over a crash", async () => {
    const { files, log } = await newLog();
    await log.persist(work(1, 3), NOTHING);
    await log.persist(work(1, 3), encodeEntries(commands(1, 5, 1)));
    await log.persist(work(4, null), encodeEntries(commands(6, 6, 4)));
    const after = await openLog(files.crash());
    expect(after.recovered).toMatchObject({ lastIndex: 6, records: 3, torn: 0, damage: null });
    expect(after.recovered.hardState).toEqual(hardState(4));
    expect(after.log.sequence).toBe(3);
    expect(await readAll(after.log)).toEqual([...commands(1, 5, 1), command(6, 4)]);
    await append(after.log, commands(7, 7, 4));
    expect(await readAll(after.log, 6)).toEqual([command(6, 4), command(7, 4)]);
  });

  test("hard state alone is kept, the vote included", async () => {
    const { files, log } = await newLog();
    for (let at = 1; at <= 50; at += 1) await log.persist(work(at, at), NOTHING);
    const { recovered } = await openLog(files.crash());
    expect(recovered).toMatchObject({ hardState: hardState(50, 50), lastIndex: 0, records: 50 });
  });

  test("membership entries and noops come back", async () => {
    const { files, log } = await newLog();
    const entries: Entry[] = [
      { kind: "noop", term: hardState(2).term, index: logIndex(1) },
      { kind: "config", term: hardState(2).term, index: logIndex(2), membership: MEMBERSHIP },
      command(3, 2, 0),
    ];
    await append(log, entries);
    const after = await openLog(files.crash());
    expect(await readAll(after.log)).toEqual(entries);
  });

  test("entries replace those from their first index on", async () => {
    const { files, log } = await newLog();
    await append(log, commands(1, 10, 1));
    await append(log, commands(4, 6, 2));
    await append(log, commands(6, 6, 3));
    const expected = [...commands(1, 3, 1), ...commands(4, 5, 2), command(6, 3)];
    expect(log.lastIndex).toBe(6);
    expect(await readAll(log)).toEqual(expected);
    const after = await openLog(files.crash());
    expect(after.recovered.lastIndex).toBe(6);
    expect(await readAll(after.log)).toEqual(expected);
  });

  test("reads tell the term before, keep their bounds, and give one entry at least", async () => {
    const { log } = await newLog();
    await append(log, commands(1, 3, 1, 100));
    await append(log, commands(4, 9, 5, 100));
    expect(await log.read(logIndex(1), logIndex(2), 10_000)).toEqual({
      prevTerm: 0,
      entries: commands(1, 2, 1, 100),
    });
    expect((await log.read(logIndex(4), logIndex(9), 250))?.prevTerm).toBe(1);
    expect((await log.read(logIndex(4), logIndex(9), 250))?.entries).toEqual(
      commands(4, 5, 5, 100),
    );
    expect((await log.read(logIndex(5), logIndex(9), 0))?.entries).toEqual([command(5, 5, 100)]);
    expect((await log.read(logIndex(8), logIndex(99), 9_999))?.entries).toHaveLength(2);
    expect(await log.read(logIndex(10), logIndex(10), 9_999)).toBeNull();
  });

  test("rotates, seals, and reads across segments", async () => {
    const { files, log } = await newLog();
    for (let at = 1; at <= 60; at += 1) await append(log, [command(at, 1, 900)]);
    expect((await segments(files)).length).toBeGreaterThan(4);
    expect(await readAll(log, 1, 5_000)).toEqual(commands(1, 60, 1, 900));
    const after = await openLog(files.crash());
    expect(after.recovered).toMatchObject({ lastIndex: 60, records: 60, damage: null });
    expect(await readAll(after.log, 1, 5_000)).toEqual(commands(1, 60, 1, 900));
  });

  test("a record larger than a segment gets one of its own", async () => {
    const { files, log } = await newLog();
    await append(log, [command(1, 1, 30_000)]);
    await append(log, [command(2, 1)]);
    await append(log, [command(3, 1, 60_000)]);
    const expected = [command(1, 1, 30_000), command(2, 1), command(3, 1, 60_000)];
    expect(await readAll(log)).toEqual(expected);
    const after = await openLog(files.crash());
    expect(after.recovered).toMatchObject({ lastIndex: 3, damage: null });
    expect(await readAll(after.log)).toEqual(expected);
  });

  test("compaction drops whole segments that are covered, never the newest", async () => {
    const { files, log } = await newLog();
    for (let at = 1; at <= 60; at += 1) await append(log, [command(at, 1, 900)]);
    const before = await segments(files);
    await log.compact(logIndex(30));
    const between = await segments(files);
    expect(between.length).toBeLessThan(before.length);
    expect(log.firstIndex).toBeGreaterThan(1);
    expect(log.firstIndex).toBeLessThanOrEqual(31);
    expect(await log.read(logIndex(log.firstIndex - 1), log.lastIndex, 1)).toBeNull();
    expect(await readAll(log, 31)).toEqual(commands(31, 60, 1, 900));
    const after = await openLog(files.crash());
    expect(after.recovered.firstIndex).toBeLessThanOrEqual(31);
    expect(await readAll(after.log, 31)).toEqual(commands(31, 60, 1, 900));
    await after.log.compact(logIndex(60));
    expect(after.log.hardState).toEqual(hardState(1));
    await append(after.log, [command(61, 2)]);
    expect((await readAll(after.log)).at(-1)).toEqual(command(61, 2));
  });

  test("compaction keeps what replaced entries of segments before", async () => {
    const { files, log } = await newLog();
    for (let at = 1; at <= 40; at += 1) await append(log, [command(at, 1, 900)]);
    for (let at = 20; at <= 50; at += 1) await append(log, [command(at, 2, 900)]);
    await log.compact(logIndex(19));
    expect(log.firstIndex).toBeLessThanOrEqual(20);
    await log.compact(logIndex(25));
    const after = await openLog(files.crash());
    expect(after.log.firstIndex).toBeLessThanOrEqual(26);
    expect(await readAll(after.log, 26)).toEqual(commands(26, 50, 2, 900));
  });

  test("the hard state outlives all records that hold it", async () => {
    const { files, log } = await newLog();
    await log.persist(work(9, 2), NOTHING);
    for (let at = 1; at <= 40; at += 1) {
      await log.persist(work(9, 2), encodeEntries([command(at, 1, 900)]));
    }
    await log.compact(logIndex(40));
    expect(await segments(files)).toHaveLength(1);
    const { recovered } = await openLog(files.crash());
    expect(recovered.hardState).toEqual(hardState(9, 2));
  });

  test("a snapshot marker starts the log anew", async () => {
    const { files, log } = await newLog();
    await append(log, commands(1, 10, 1));
    const snapshot = { index: logIndex(500), term: hardState(3).term, membership: MEMBERSHIP };
    await log.persist(work(3, null, snapshot), encodeEntries(commands(501, 502, 3)));
    expect([log.firstIndex, log.lastIndex]).toEqual([501, 502]);
    const after = await openLog(files.crash());
    expect(after.recovered).toMatchObject({ snapshot, firstIndex: 501, lastIndex: 502 });
    expect(await after.log.read(logIndex(501), logIndex(502), 999)).toEqual({
      prevTerm: 3,
      entries: commands(501, 502, 3),
    });
    expect(await after.log.read(logIndex(500), logIndex(502), 999)).toBeNull();
  });

  test("one write at a time, no gap, no falling term", async () => {
    const { log } = await newLog();
    const first = append(log, [command(1, 1)]);
    expect(() => append(log, [command(2, 1)])).toThrow("log_one_write_in_flight");
    await first;
    await expect(append(log, [command(3, 1)])).rejects.toThrow("log_append_without_gap");
    const other = await newLog();
    await append(other.log, [command(1, 5)]);
    await expect(other.log.persist(work(4), NOTHING)).rejects.toThrow("log_term_never_falls");
  });

  test("create and open are not mistaken for each other", async () => {
    const { files, log } = await newLog();
    const lost = openLog(files, {}, "/data/nothing");
    await expect(lost).rejects.toMatchObject({ code: "LOG_CORRUPT" });
    await append(log, [command(1, 1)]);
    await log.close();
    await expect(openLog(files, { create: true })).rejects.toMatchObject({ code: "LOG_CORRUPT" });
    await expect(append(log, [command(2, 1)])).rejects.toMatchObject({ code: "STOPPED" });
  });

  test("the log of another node is refused", async () => {
    const { files } = await newLog();
    const other = openLog(files, { tag: new Uint8Array(16).fill(8) });
    await expect(other).rejects.toMatchObject({ code: "IDENTITY_MISMATCH" });
  });

  test("the same on the machine's own files", async () => {
    const place = await tempDirectory();
    const files = new NodeFiles();
    const directory = `${place.path}/data/log`;
    const { log } = await openLog(files, { create: true }, directory);
    for (let at = 1; at <= 60; at += 1) await append(log, [command(at, 1, 900)]);
    await append(log, commands(40, 45, 2, 900));
    await log.compact(logIndex(20));
    const expected = [...commands(21, 39, 1, 900), ...commands(40, 45, 2, 900)];
    expect(await readAll(log, 21)).toEqual(expected);
    await log.close();
    const after = await openLog(files, {}, directory);
    expect(after.recovered).toMatchObject({ lastIndex: 45, damage: null, torn: 0 });
    expect(await readAll(after.log, 21)).toEqual(expected);
    await append(after.log, [command(46, 3)]);
    await after.log.close();
    await place.remove();
  });

  test("a scan shows every record and changes nothing", async () => {
    const { files, log } = await newLog();
    await append(log, commands(1, 3, 1));
    await log.persist(work(2, 1), NOTHING);
    const items = [];
    for await (const item of scanLog(files, DIRECTORY)) items.push(item);
    expect(items).toMatchObject([
      { status: "ok", sequence: 1, entries: { firstIndex: 1, lastIndex: 3 }, snapshot: null },
      { status: "ok", sequence: 2, entries: null, hardState: hardState(2, 1) },
    ]);
  });
});
