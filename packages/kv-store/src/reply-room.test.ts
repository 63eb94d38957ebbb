import { describe, expect, it } from "vitest";
import {
  create,
  MemoryImage,
  openCommand,
  outcomeOf,
  remove,
  set,
  TreeDriver,
  writeCommand,
} from "../../../tests/support/kv-store/tree-driver.ts";
import { TREE_LIMITS } from "./limits.ts";
import { type SessionId, type WriteOp, writeSeq } from "./protocol/index.ts";
import { OWN_REPLY_BYTES } from "./reply-room.ts";

const MIB = 1_048_576;
const LIMITS = { ...TREE_LIMITS, bytesMax: 16 * MIB };
/** As `reply-room.ts` has it. */
const COMMON_BYTES = LIMITS.bytesMax / 4;
const SESSION_BYTES = 1600;

const sets = (count: number): WriteOp[] => Array.from({ length: count }, () => set("/x", ""));

/** Writes of a session that acknowledges none, until one is not taken; how many were. */
function writeUnacknowledged(driver: TreeDriver, session: SessionId, count: number): number {
  const ops = sets(count);
  const first = (driver.tree.session(session)?.lastWriteSeq ?? 0) + 1;
  for (let seq = first; ; seq += 1) {
    const { result } = driver.apply(writeCommand(session, seq, 0, ops));
    if (result.kind === "write") continue;
    expect(result).toMatchObject({ kind: "writeSkipped", reason: "windowFull" });
    return seq - first;
  }
}

/** A tree whose sessions but the first, which has written, hold all that they may. */
function exhausted(others: number) {
  const driver = new TreeDriver(LIMITS);
  const session = driver.open();
  driver.do(session, create("/x"));
  const holders = Array.from({ length: others }, () => driver.open());
  for (const count of [1024, 100, 10, 1]) {
    for (const holder of holders) writeUnacknowledged(driver, holder, count);
  }
  return { driver, session, holders };
}

describe("replies that nobody acknowledges", () => {
  it("take a part of the tree's bytes, and of each session what is its own", () => {
    const { driver, holders } = exhausted(50);
    const { approximateBytes } = driver.tree;
    const own = holders.length * (SESSION_BYTES + OWN_REPLY_BYTES);
    expect(approximateBytes).toBeGreaterThan(COMMON_BYTES / 2);
    expect(approximateBytes).toBeLessThan(COMMON_BYTES + own + 10_000);
  });

  it("leave every session room for a write at a time, of any one op or of some small ones", () => {
    const { driver, session } = exhausted(200);
    const name = `/${"p".repeat(250)}`;
    driver.do(session, create(name), create(name + name), create(name + name + name));
    const longest = name + name + name + name + "/0123456789".padEnd(20, "0");
    expect(longest.length).toBe(1024);
    driver.do(session, create(name + name + name + name));
    for (let round = 0; round < 100; round += 1) {
      driver.do(session, create(longest));
      driver.do(session, remove(longest));
      driver.do(session, ...sets(19));
    }
    const bytesBefore = driver.tree.approximateBytes;
    const newcomer = driver.open();
    driver.do(newcomer, set("/x", ""));
    // Nine more make 4,000 bytes; what little is left of the shares comes to that.
    expect(writeUnacknowledged(driver, newcomer, 1)).toBeGreaterThanOrEqual(9);
    driver.close(newcomer);
    expect(driver.tree.approximateBytes).toBe(bytesBefore);
  });

  it("leave every session room for deletes where znodes fill the tree, too", () => {
    const { driver, session } = exhausted(100);
    const filler = new Uint8Array(500_000);
    let made = 0;
    while (driver.codeOf(session, create(`/f${made}`, "persistent", filler)) === null) made += 1;
    while (driver.codeOf(session, create(`/g${made}`)) === null) made += 1;
    const larger = create("/g", "persistent", new Uint8Array(2_000));
    expect(driver.codeOf(session, larger)).toBe("TREE_FULL");
    for (let at = 0; at < 5; at += 1) driver.do(session, remove(`/f${at}`));
    driver.do(session, remove("/f5"), larger);
  });

  it("leave shares of a part of the room to those who hold nothing", () => {
    const { driver, session } = exhausted(9);
    driver.do(session, ...sets(400));
    const last = driver.tree.session(session)?.lastWriteSeq ?? 0;
    // Not acknowledged, the same does not fit in once more.
    const again = writeCommand(session, last + 1, 0, sets(400));
    expect(driver.apply(again).result).toMatchObject({ reason: "windowFull", lastWriteSeq: last });
    expect(outcomeOf(driver.apply({ ...again, ackedSeq: writeSeq(last) })).ok).toBe(true);
  });

  it("give their room back when they are acknowledged, and with their session", () => {
    const { driver, session, holders } = exhausted(400);
    const seq = (driver.tree.session(session)?.lastWriteSeq ?? 0) + 1;
    const large = writeCommand(session, seq, seq - 1, sets(1024));
    const meetsNoRoom = { kind: "writeSkipped", reason: "windowFull" };
    expect(driver.apply(large).result).toMatchObject(meetsNoRoom);
    const sessionBefore = driver.tree.session(session);
    expect(driver.apply(large).result).toMatchObject(meetsNoRoom);
    expect(driver.tree.session(session)).toEqual(sessionBefore);
    for (const [at, holder] of holders.entries()) {
      const last = driver.tree.session(holder)?.lastWriteSeq ?? 0;
      if (at % 2 === 0) driver.close(holder);
      else driver.apply(writeCommand(holder, last + 1, last, []));
    }
    expect(driver.apply(large).result).toMatchObject({ kind: "write", fresh: true });
  });

  it("are bounded out of an image as they were before", () => {
    const { driver, session, holders } = exhausted(30);
    const image = new MemoryImage();
    image.checkpoint(driver.tree);
    const other = new TreeDriver(LIMITS, image.load(LIMITS));
    expect(other.tree.approximateBytes).toBe(driver.tree.approximateBytes);
    const both = (apply: (each: TreeDriver) => unknown): void => {
      expect(apply(other)).toEqual(apply(driver));
      expect(other.tree.digest()).toBe(driver.tree.digest());
    };
    for (const count of [1, 20, 100, 200, 500, 1024]) {
      for (const id of [session, ...holders.slice(0, 3)]) {
        const last = driver.tree.session(id)?.lastWriteSeq ?? 0;
        const ops = sets(count);
        both((each) => each.apply(writeCommand(id, last + 1, id === session ? last : 0, ops)));
      }
    }
    both((each) => each.close(holders[5] ?? session));
    both((each) => each.apply(openCommand(Uint8Array.of(9))));
    both((each) => writeUnacknowledged(each, holders[6] ?? session, 50));
  });
});
