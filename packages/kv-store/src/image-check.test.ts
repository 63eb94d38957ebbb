import { describe, expect, it } from "vitest";
import {
  acquire,
  bytes,
  create,
  MemoryImage,
  TreeDriver,
} from "../../../tests/support/kv-store/tree-driver.ts";
import { ImageCheck } from "./image-check.ts";
import { decodeZnode, encodeZnode } from "./image-codec.ts";
import { packValue } from "./protocol/codec-bytes.ts";
import { ValueWriter } from "./protocol/value-writer.ts";

function imaged() {
  const driver = new TreeDriver();
  const session = driver.open();
  driver.do(session, create("/a", "persistent", bytes("x")), create("/a/b"), acquire("/l"));
  const image = new MemoryImage();
  image.checkpoint(driver.tree);
  return { driver, image };
}

function check({ records }: MemoryImage): number {
  const images = new ImageCheck();
  for (const key of [...records.keys()].sort()) {
    images.add(key, records.get(key) ?? new Uint8Array(0));
  }
  return images.finish();
}

const code = (expected: string) => expect.objectContaining({ name: "ImageError", code: expected });

describe("a look through an image", () => {
  it("finds it whole, at its revision, after every checkpoint", () => {
    const { driver, image } = imaged();
    expect(check(image)).toBe(driver.zxid);
    driver.close(driver.open());
    image.checkpoint(driver.tree);
    expect(check(image)).toBe(driver.zxid);
  });

  it("misses any record that is gone", () => {
    const { image } = imaged();
    for (const key of image.records.keys()) {
      expect(() => check(image.changed(key, null)), key).toThrow(code("INCOMPLETE"));
    }
  });

  it("notices any bit of a record that changed, but for changes that read as others", () => {
    const { image } = imaged();
    for (const [key, value] of image.records) {
      if (key.startsWith("c")) continue;
      for (let bit = 0; bit < value.length * 8; bit += 1) {
        const flipped = value.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(() => check(image.changed(key, flipped)), `${key} bit ${bit}`).toThrow(
          expect.objectContaining({ name: "ImageError" }),
        );
      }
    }
  });

  it("notices a znode that counts other children than there are", () => {
    const { image } = imaged();
    for (const [key, value] of image.records) {
      if (!key.startsWith("n")) continue;
      const znode = decodeZnode(value);
      const { childCount } = znode.stat;
      for (const counted of [0, childCount - 1, childCount + 1, 2 ** 40]) {
        if (counted < 0 || counted === childCount) continue;
        const other = { ...znode, stat: { ...znode.stat, childCount: counted } };
        const changed = image.changed(key, encodeZnode(new ValueWriter(), other));
        expect(() => check(changed), `${key} ${counted}`).toThrow(code("INCOMPLETE"));
        expect(() => changed.load(), `${key} ${counted}`).toThrow(code("INCOMPLETE"));
      }
    }
  });

  it("knows no keys and no formats but its own", () => {
    const { image } = imaged();
    expect(() => check(image.changed("x", bytes("y")))).toThrow(code("BAD_RECORD"));
    expect(() => check(image.changed("m", packValue([2])))).toThrow(code("UNKNOWN_FORMAT"));
  });
});
