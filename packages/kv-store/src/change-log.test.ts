import { describe, expect, it } from "vitest";
import type { Change } from "./apply-outcome.ts";
import { InvariantError } from "./assert.ts";
import { ChangeLog } from "./change-log.ts";
import { decodePiece, encodePiece } from "./change-piece.ts";
import { type Stat, zxid } from "./protocol/index.ts";
import { ProtocolError } from "./protocol/protocol-error.ts";
import { ValueWriter } from "./protocol/value-writer.ts";

const STAT: Stat = {
  czxid: zxid(1),
  mzxid: zxid(1),
  pzxid: zxid(1),
  ctimeMs: 0,
  mtimeMs: 0,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0,
  dataBytes: 0,
  childCount: 0,
};

function revision(at: number, count = 1, dataBytes = 0): readonly Change[] {
  return Array.from({ length: count }, (_, i) => ({
    zxid: zxid(at),
    kind: "created",
    path: `/${at}.${i}`,
    data: new Uint8Array(dataBytes),
    stat: STAT,
    before: null,
    author: 0,
  }));
}

function since(log: ChangeLog, at: number): readonly string[] | number {
  const result = log.since(zxid(at));
  return result.ok ? Array.from(result.changes, (change) => change.path) : result.oldestZxid;
}

describe("ChangeLog", () => {
  it("gives everything after a revision, in order", () => {
    const log = new ChangeLog({
      bytesMax: 1e6,
      countMax: 100,
      imagedCountMax: 100,
      imagedBytesMax: 1e9,
    });
    for (const changes of [revision(2), revision(5, 3), revision(9)]) log.append(changes);
    expect(since(log, 0)).toEqual(["/2.0", "/5.0", "/5.1", "/5.2", "/9.0"]);
    expect(since(log, 2)).toEqual(["/5.0", "/5.1", "/5.2", "/9.0"]);
    expect(since(log, 4)).toEqual(["/5.0", "/5.1", "/5.2", "/9.0"]);
    expect(since(log, 5)).toEqual(["/9.0"]);
    expect(since(log, 99)).toEqual([]);
    expect(log.count).toBe(5);
  });

  it("drops whole revisions beyond its count and says how far back it reaches", () => {
    const log = new ChangeLog({
      bytesMax: 1e6,
      countMax: 4,
      imagedCountMax: 4,
      imagedBytesMax: 1e9,
    });
    for (const changes of [revision(2, 2), revision(5, 2), revision(9)]) log.append(changes);
    expect(log.oldestZxid).toBe(2);
    expect(since(log, 1)).toBe(2);
    expect(since(log, 2)).toEqual(["/5.0", "/5.1", "/9.0"]);
    for (let at = 10; at < 9000; at += 1) log.append(revision(at));
    expect(log.count).toBe(4);
    expect(since(log, 8994)).toBe(8995);
    expect(since(log, 8995)).toEqual(["/8996.0", "/8997.0", "/8998.0", "/8999.0"]);
  });

  it("drops what is beyond its bytes, even all of it", () => {
    const log = new ChangeLog({
      bytesMax: 3000,
      countMax: 100,
      imagedCountMax: 100,
      imagedBytesMax: 1e9,
    });
    log.append(revision(1));
    log.append(revision(2, 1, 1500));
    expect(log.oldestZxid).toBe(0);
    log.append(revision(3, 1, 1500));
    expect(log.oldestZxid).toBe(2);
    log.append(revision(4, 1, 5000));
    expect(log.oldestZxid).toBe(4);
    expect(log.bytes).toBe(0);
    expect(since(log, 4)).toEqual([]);
    log.append(revision(5));
    expect(since(log, 4)).toEqual(["/5.0"]);
  });

  it("leaves what somebody reads as it was, however much comes after it", () => {
    const log = new ChangeLog({
      bytesMax: 1e7,
      countMax: 2000,
      imagedCountMax: 10,
      imagedBytesMax: 1e9,
    });
    const filled = (at: number): readonly Change[] =>
      revision(at, 1, 100).map((change) => ({ ...change, data: change.data.fill(at % 251) }));
    for (let at = 1; at <= 2000; at += 1) log.append(filled(at));
    const early = log.since(zxid(0));
    for (let at = 2001; at <= 12_000; at += 1) log.append(filled(at));
    expect(log.oldestZxid).toBe(10_000);
    const expected = Array.from({ length: 2000 }, (_, index) => filled(index + 1)).flat();
    expect(early.ok ? [...early.changes] : null).toEqual(expected);
    const late = log.since(zxid(10_000));
    expect(late.ok ? [...late.changes].at(-1) : null).toEqual(filled(12_000)[0]);
  });

  it("copies small data and shares large data with the tree", () => {
    const log = new ChangeLog({
      bytesMax: 1e7,
      countMax: 100,
      imagedCountMax: 10,
      imagedBytesMax: 1e9,
    });
    const given = [...revision(1, 1, 512), ...revision(2, 1, 513)];
    for (const change of given) log.append([change]);
    const result = log.since(zxid(0));
    const data = result.ok ? Array.from(result.changes, (change) => change.data) : [];
    expect(data.map((bytes, at) => bytes === given[at]?.data)).toEqual([false, true]);
  });

  it("stops at revisions that do not rise", () => {
    const log = new ChangeLog({
      bytesMax: 3000,
      countMax: 100,
      imagedCountMax: 100,
      imagedBytesMax: 1e9,
    });
    log.append(revision(2));
    expect(() => log.append(revision(2))).toThrow(InvariantError);
  });

  it("gives back what it was given, whatever the kind and size", () => {
    const log = new ChangeLog({
      bytesMax: 1e7,
      countMax: 10_000,
      imagedCountMax: 100,
      imagedBytesMax: 1e9,
    });
    const before = { data: new Uint8Array([7]), stat: { ...STAT, version: 3 } };
    const changes: Change[] = [
      { ...revision(1)[0]!, data: new Uint8Array([1, 2]), author: 5 as Change["author"] },
      { ...revision(1)[0]!, kind: "dataChanged", path: "/é", before },
      { ...revision(1)[0]!, kind: "deleted", data: before.data, stat: before.stat, before },
    ];
    log.append(changes);
    const large: Change[][] = [];
    for (let at = 2; at < 40; at += 1) large.push([...revision(at, 1, 300 * (at % 5))]);
    for (const one of large) log.append(one);
    const result = log.since(zxid(0));
    expect(result.ok ? [...result.changes] : null).toEqual([...changes, ...large.flat()]);
  });

  const delta = (log: ChangeLog) => {
    const { added, fallen, count, oldestZxid } = log.freeze();
    return {
      added: added.map(({ firstZxid, lastZxid }) => [firstZxid, lastZxid]),
      fallen: fallen.map(({ firstZxid }) => firstZxid),
      count,
      oldestZxid,
    };
  };

  it("tells checkpoints what came and what fell off, once", () => {
    const log = new ChangeLog({
      bytesMax: 1e6,
      countMax: 2,
      imagedCountMax: 2,
      imagedBytesMax: 1e9,
    });
    for (const at of [1, 2, 3]) log.append(revision(at));
    expect(delta(log)).toEqual({ added: [[2, 3]], fallen: [], count: 2, oldestZxid: 1 });
    log.append(revision(4));
    log.abandon();
    // The record may be there, and another one takes its place.
    expect(delta(log)).toEqual({ added: [[3, 4]], fallen: [2], count: 2, oldestZxid: 2 });
    log.complete();
    log.append(revision(5));
    expect(delta(log)).toEqual({ added: [[5, 5]], fallen: [], count: 3, oldestZxid: 2 });
    log.complete();
    log.append(revision(6, 2));
    expect(delta(log)).toEqual({ added: [[6, 6]], fallen: [3, 5], count: 2, oldestZxid: 5 });
    log.complete();
    expect(delta(log)).toEqual({ added: [], fallen: [], count: 2, oldestZxid: 5 });
    log.complete();
  });

  it("lets the image hold only the newest, and the rest of the record they begin in", () => {
    const log = new ChangeLog({
      bytesMax: 1e6,
      countMax: 100,
      imagedCountMax: 3,
      imagedBytesMax: 1e9,
    });
    for (const changes of [revision(1), revision(2, 2), revision(5)]) log.append(changes);
    expect(delta(log)).toEqual({ added: [[2, 5]], fallen: [], count: 3, oldestZxid: 1 });
    log.complete();
    for (const at of [6, 7]) log.append(revision(at));
    expect(delta(log)).toEqual({ added: [[6, 7]], fallen: [], count: 5, oldestZxid: 1 });
    log.complete();
    log.append(revision(8));
    expect(delta(log)).toEqual({ added: [[8, 8]], fallen: [2], count: 3, oldestZxid: 5 });
    log.complete();
    expect(since(log, 1)).toEqual(["/2.0", "/2.1", "/5.0", "/6.0", "/7.0", "/8.0"]);
  });

  it("lets the image hold no more bytes than it may, whole revisions", () => {
    const log = new ChangeLog({
      bytesMax: 1e6,
      countMax: 100,
      imagedCountMax: 100,
      imagedBytesMax: 2000,
    });
    log.append(revision(1, 1, 1000));
    log.append(revision(2, 2, 200));
    log.append(revision(3, 1, 200));
    expect(delta(log)).toEqual({ added: [[2, 3]], fallen: [], count: 3, oldestZxid: 1 });
    log.complete();
    log.append(revision(4, 1, 5000));
    expect(delta(log)).toEqual({ added: [], fallen: [2], count: 0, oldestZxid: 4 });
    log.complete();
    expect(since(log, 3)).toEqual(["/4.0"]);
  });

  it("comes back from its records, in records of a bounded size", () => {
    const limits = { bytesMax: 1e7, countMax: 1000, imagedCountMax: 500, imagedBytesMax: 1e9 };
    const log = new ChangeLog(limits);
    for (let at = 1; at <= 600; at += 1) log.append(revision(at, 1, 1000));
    const { added, oldestZxid, count } = log.freeze();
    expect(oldestZxid).toBe(100);
    expect(added.length).toBeGreaterThan(7);
    const again = new ChangeLog(limits, oldestZxid);
    for (const piece of added) {
      const bytes = encodePiece(new ValueWriter(), piece);
      expect(bytes.length).toBeLessThanOrEqual(65_536);
      again.restore(decodePiece(bytes, piece, (data) => data.slice()));
    }
    expect(again.count).toBe(count);
    expect(since(again, 99)).toBe(100);
    expect(since(again, 100)).toEqual(since(log, 100));
    again.append(revision(601));
    expect(since(again, 599)).toEqual(["/600.0", "/601.0"]);
    expect(delta(again)).toEqual({ added: [[601, 601]], fallen: [], count: 501, oldestZxid: 100 });
  });

  it("refuses records that are none of its own", () => {
    const log = new ChangeLog({
      bytesMax: 1e6,
      countMax: 100,
      imagedCountMax: 100,
      imagedBytesMax: 1e9,
    });
    for (const changes of [revision(3), revision(5)]) log.append(changes);
    const piece = log.freeze().added[0];
    const bytes = piece === undefined ? new Uint8Array() : encodePiece(new ValueWriter(), piece);
    const restore = (first: number, record: Uint8Array, after = 0) => {
      const place = { firstZxid: zxid(first), afterZxid: zxid(after) };
      return () => decodePiece(record, place, (data) => data);
    };
    expect([...restore(3, bytes)().changes]).toEqual([...(piece?.changes ?? [])]);
    expect(restore(4, bytes)).toThrow(ProtocolError);
    expect(restore(3, bytes, 3)).toThrow(ProtocolError);
    expect(restore(3, new Uint8Array())).toThrow(ProtocolError);
    for (let cut = 1; cut < bytes.length; cut += 1) {
      expect(restore(3, bytes.subarray(0, cut))).toThrow(ProtocolError);
    }
  });
});
