import { describe, expect, it } from "vitest";
import {
  acquire,
  bytes,
  create,
  MemoryImage,
  set,
  TreeDriver,
  writeCommand,
} from "../../../tests/support/kv-store/tree-driver.ts";
import { InvariantError } from "./assert.ts";
import { TREE_LIMITS } from "./limits.ts";
import { packValue } from "./protocol/codec-bytes.ts";
import { TreeLoader } from "./tree-loader.ts";

function imaged() {
  const driver = new TreeDriver();
  const session = driver.open();
  driver.do(session, create("/a", "persistent", bytes("x")), create("/a/b"), acquire("/l"));
  driver.apply(writeCommand(session, 2, 0, [set("/a", "y")]));
  const image = new MemoryImage();
  image.checkpoint(driver.tree);
  return { driver, session, image };
}

const code = (expected: string) => expect.objectContaining({ name: "ImageError", code: expected });

describe("TreeLoader", () => {
  it("writes only what changed, and takes away what went", () => {
    const { driver, session, image } = imaged();
    const keys = [...image.records.keys()].sort();
    expect(keys.filter((key) => !key.startsWith("c"))).toEqual([
      "m",
      "n/",
      "n/a",
      "n/a/b",
      "n/l",
      "n/l/contender-0000000000",
      "r0000000000000001.0000000000000001",
      "r0000000000000001.0000000000000002",
      "s0000000000000001",
    ]);
    driver.close(session);
    const checkpoint = driver.tree.freeze();
    const records = checkpoint.next(100, 1e6);
    expect(checkpoint.next(100, 1e6)).toEqual([]);
    checkpoint.complete();
    expect(records.filter(({ value }) => value === null).map(({ key }) => key)).toEqual([
      "n/l/contender-0000000000",
      "s0000000000000001",
      "r0000000000000001.0000000000000001",
      "r0000000000000001.0000000000000002",
    ]);
    expect(records.some(({ key }) => key === "n/a")).toBe(false);
  });

  it("keeps slices within their bounds", () => {
    const { driver } = imaged();
    driver.open();
    const checkpoint = driver.tree.freeze();
    expect(checkpoint.next(1, 1e6)).toHaveLength(1);
    expect(checkpoint.next(1000, 1)).toHaveLength(1);
    expect(() => checkpoint.complete()).toThrow(InvariantError);
    expect(() => driver.tree.freeze()).toThrow(InvariantError);
    checkpoint.abandon();
    expect(() => checkpoint.next(1, 1)).toThrow(InvariantError);
    driver.tree.freeze().abandon();
  });

  it("hands locks on and answers repeats after a load", () => {
    const { driver, session, image } = imaged();
    const again = new TreeDriver({}, image.load());
    expect(again.tree.digest()).toBe(driver.tree.digest());
    const repeat = again.apply(writeCommand(session, 2, 0, [set("/a", "y")]));
    expect(repeat.result).toMatchObject({ fresh: false, outcome: { zxid: driver.zxid } });
    const other = again.open(bytes("other"));
    again.do(other, acquire("/l"));
    expect(again.close(session).grants).toMatchObject([{ session: other }]);
  });

  it("names what is wrong", () => {
    const { image } = imaged();
    const damaged = (key: string, value: Uint8Array | null) => () =>
      image.changed(key, value).load();
    const one = packValue([1]).slice();
    expect(damaged("m", null)).toThrow(code("INCOMPLETE"));
    expect(damaged("m", one)).toThrow(code("BAD_RECORD"));
    expect(damaged("m", packValue([2]).slice())).toThrow(code("UNKNOWN_FORMAT"));
    expect(damaged("n/", null)).toThrow(code("INCOMPLETE"));
    expect(damaged("n/a", null)).toThrow(code("INCOMPLETE"));
    expect(damaged("n/a/b", null)).toThrow(code("INCOMPLETE"));
    expect(damaged("n/a", one)).toThrow(code("BAD_RECORD"));
    expect(damaged("n/a", Uint8Array.of(0x80))).toThrow(code("BAD_RECORD"));
    expect(damaged("s0000000000000001", null)).toThrow(code("INCOMPLETE"));
    expect(damaged("r0000000000000001.0000000000000001", null)).toThrow(code("INCOMPLETE"));
    expect(damaged("x", one)).toThrow(code("BAD_RECORD"));
    expect(damaged("s1", one)).toThrow(code("BAD_RECORD"));
    const attach = [1, "", "", ""];
    for (const impossible of [
      [bytes("v"), 1_000, 1, attach, 1, 1, 1, 2],
      [bytes("v"), 1_000, 0, attach, 1, 1, 2, 0],
      [bytes("v"), 1_000, 1, attach, 2, 1, 2, 0],
    ]) {
      const record = packValue(impossible).slice();
      expect(damaged("s0000000000000001", record)).toThrow(code("BAD_RECORD"));
    }
    const swapped = image.records.get("n/a/b") ?? one;
    expect(damaged("n/l", swapped)).toThrow(code("INCOMPLETE"));
    const data = image.records.get("n/a")?.slice() ?? one;
    data[data.indexOf(0x79)] = 0x7a;
    expect(damaged("n/a", data)).toThrow(code("DIGEST_MISMATCH"));
    expect(() => image.load({ ...TREE_LIMITS, bytesMax: 1e6 })).toThrow(code("LIMITS_MISMATCH"));
    const loader = new TreeLoader(TREE_LIMITS);
    loader.add("n/", image.records.get("n/") ?? one);
    expect(() => loader.add("n/", image.records.get("n/") ?? one)).toThrow(code("BAD_RECORD"));
  });
});
