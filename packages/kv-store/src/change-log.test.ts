import { describe, expect, it } from "vitest";

import type { Change } from "./apply-outcome.ts";
import { InvariantError } from "./assert.ts";
import { ChangeLog } from "./change-log.ts";
import { type Stat, zxid } from "./protocol/index.ts";

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
    const log = new ChangeLog({ bytesMax: 1e6, countMax: 100, imagedCountMax: 100 });
    for (const changes of [revision(2), revision(5, 3), revision(9)]) log.append(changes);
    expect(since(log, 0)).toEqual(["/2.0", "/5.0", "/5.1", "/5.2", "/9.0"]);
    expect(since(log, 2)).toEqual(["/5.0", "/5.1", "/5.2", "/9.0"]);
    expect(since(log, 4)).toEqual(["/5.0", "/5.1", "/5.2", "/9.0"]);
    expect(since(log, 5)).toEqual(["/9.0"]);
    expect(since(log, 99)).toEqual([]);
    expect(log.count).toBe(5);
  });

  it("drops whole revisions beyond its count and says how far back it reaches", () => {
    const log = new ChangeLog({ bytesMax: 1e6, countMax: 4, imagedCountMax: 4 });
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
    const log = new ChangeLog({ bytesMax: 3000, countMax: 100, imagedCountMax: 100 });
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

  it("stops at revisions that do not rise", () => {
    const log = new ChangeLog({ bytesMax: 3000, countMax: 100, imagedCountMax: 100 });
    log.append(revision(2));
    expect(() => log.append(revision(2))).toThrow(InvariantError);
  });

  it("tells checkpoints what came and what fell off, once", () => {
    const log = new ChangeLog({ bytesMax: 1e6, countMax: 2, imagedCountMax: 2 });
    const delta = () => {
      const { added, fallen } = log.freeze();
      return { added: added.map((changes) => changes[0]?.zxid), fallen };
    };
    log.append(revision(1));
    log.append(revision(2));
    log.append(revision(3));
    expect(delta()).toEqual({ added: [2, 3], fallen: [] });
    log.append(revision(4));
    log.abandon();
    expect(delta()).toEqual({ added: [3, 4], fallen: [{ zxid: 2, count: 1 }] });
    log.complete();
    log.append(revision(5, 2));
    expect(delta()).toEqual({
      added: [5],
      fallen: [
        { zxid: 3, count: 1 },
        { zxid: 4, count: 1 },
      ],
    });
    log.complete();
    expect(delta()).toEqual({ added: [], fallen: [] });
  });

  it("lets the image hold only the newest", () => {
    const log = new ChangeLog({ bytesMax: 1e6, countMax: 100, imagedCountMax: 3 });
    for (const changes of [revision(1), revision(2, 2), revision(5)]) log.append(changes);
    const first = log.freeze();
    expect(first.added.map((changes) => changes[0]?.zxid)).toEqual([2, 5]);
    expect(first).toMatchObject({ oldestZxid: 1, count: 3, fallen: [] });
    log.complete();
    log.append(revision(6));
    log.append(revision(7));
    const second = log.freeze();
    expect(second.added.map((changes) => changes[0]?.zxid)).toEqual([6, 7]);
    expect(second).toMatchObject({ oldestZxid: 2, count: 3, fallen: [{ zxid: 2, count: 2 }] });
    log.complete();
    expect(since(log, 1)).toEqual(["/2.0", "/2.1", "/5.0", "/6.0", "/7.0"]);
  });
});
