import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ImageStore, ImageStores } from "../../packages/server/src/ports.ts";

export interface ImageStoresUnderTest {
  readonly images: ImageStores;
  readonly root: string;
  release(): Promise<void>;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** What every implementation of the port does. */
export function imageStoresSuite(name: string, setUp: () => Promise<ImageStoresUnderTest>): void {
  describe(`image stores: ${name}`, () => {
    let context: ImageStoresUnderTest;
    let images: ImageStores;
    let directory: string;
    const opened: ImageStore[] = [];

    beforeEach(async () => {
      context = await setUp();
      images = context.images;
      directory = `${context.root}/image-1`;
    });

    afterEach(async () => {
      for (const store of opened.splice(0)) await store.close();
      await context.release();
    });

    async function open(create: boolean): Promise<ImageStore> {
      const store = await images.open(directory, { create });
      opened.push(store);
      return store;
    }

    async function put(store: ImageStore, values: Readonly<Record<string, string>>): Promise<void> {
      const batch = store.batch();
      for (const [key, value] of Object.entries(values)) batch.put(key, text(value));
      await batch.write();
    }

    async function all(store: ImageStore, countMax = 1_000): Promise<readonly string[]> {
      const view = store.view();
      const keys: string[] = [];
      for (;;) {
        const page = await view.next(countMax, 100_000);
        if (page.length === 0) break;
        expect(page.length).toBeLessThanOrEqual(countMax);
        for (const [key, value] of page) keys.push(`${key}=${new TextDecoder().decode(value)}`);
      }
      await view.close();
      return keys;
    }

    test("creating needs that there is none, opening that there is one", async () => {
      await expect(images.open(directory, { create: false })).rejects.toMatchObject({
        name: "ServerError",
        code: "IMAGE_CORRUPT",
      });
      const store = await open(true);
      await store.close();
      await expect(images.open(directory, { create: true })).rejects.toMatchObject({
        name: "ServerError",
        code: "STORAGE_FAILED",
      });
    });

    test("is open once at a time", async () => {
      await open(true);
      await expect(images.open(directory, { create: false })).rejects.toMatchObject({
        code: "STORAGE_LOCKED",
      });
    });

    test("a batch is there as a whole, also after opening again", async () => {
      const store = await open(true);
      await put(store, { a: "1", b: "2", c: "3" });
      const batch = store.batch();
      batch.put("a", text("9"));
      batch.delete("b");
      batch.delete("nothing");
      batch.put("d", text(""));
      expect(await store.getMany(["a"])).toEqual([text("1")]);
      await batch.write();
      await store.close();
      const again = await open(false);
      expect(await all(again)).toEqual(["a=9", "c=3", "d="]);
      expect(await again.getMany(["d", "b", "a"])).toEqual([text(""), null, text("9")]);
    });

    test("within a batch the later word wins", async () => {
      const store = await open(true);
      const batch = store.batch();
      batch.put("a", text("1"));
      batch.delete("a");
      batch.put("b", text("1"));
      batch.put("b", text("2"));
      await batch.write();
      expect(await all(store)).toEqual(["b=2"]);
    });

    test("a batch that was given up leaves nothing", async () => {
      const store = await open(true);
      const batch = store.batch();
      batch.put("a", text("1"));
      await batch.discard();
      await batch.discard();
      expect(await all(store)).toEqual([]);
    });

    test("the bytes may change once they were put", async () => {
      const store = await open(true);
      const value = text("before");
      const batch = store.batch();
      batch.put("a", value);
      value.fill(0);
      await batch.write();
      expect((await store.getMany(["a"]))[0]).toEqual(text("before"));
    });

    test("batches filled side by side keep their bytes apart, whatever the sizes", async () => {
      const store = await open(true);
      const keys = Array.from({ length: 24 }, (_, at) => `k${at}`);
      const bytesOf = (round: number, at: number): Uint8Array =>
        new Uint8Array([0, 1, 700, 70_000, 400_000, 3_000][at % 6] ?? 0).fill(round * 31 + at);
      for (let round = 0; round < 3; round += 1) {
        const batches = [store.batch(), store.batch()];
        for (const [at, key] of keys.entries()) {
          batches[at % 2]?.put(key, bytesOf(round, at));
          // What was handed over may come back meanwhile.
          if (at % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        for (const batch of batches) await batch.write();
        for (const [at, value] of (await store.getMany(keys)).entries()) {
          const isWhole = value !== null && Buffer.compare(value, bytesOf(round, at)) === 0;
          expect(isWhole, `k${at} in round ${round}`).toBe(true);
        }
      }
    });

    test("keys come in the order of their UTF-8 bytes", async () => {
      const store = await open(true);
      // U+1F600 is a pair of surrogates, whose code units are lower than U+FF5E's.
      const keys = ["\u{1F600}", "～", "b", "a", "ab", "é", "a\u0000", "z/1", "z"];
      await put(store, Object.fromEntries(keys.map((key) => [key, "x"])));
      const expected = [...keys].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
      expect(await all(store, 2)).toEqual(expected.map((key) => `${key}=x`));
    });

    test("a view stays as it was", async () => {
      const store = await open(true);
      await put(store, { a: "1", b: "1", c: "1" });
      const view = store.view();
      await put(store, { b: "2", d: "2" });
      expect((await view.next(1, 1_000)).map(([key]) => key)).toEqual(["a"]);
      await put(store, { c: "3" });
      const rest = await view.next(10, 1_000);
      expect(rest.map(([key, value]) => [key, ...value])).toEqual([
        ["b", 49],
        ["c", 49],
      ]);
      expect(await view.next(10, 1_000)).toEqual([]);
      await view.close();
    });

    test("pages keep about their bound in bytes, and hold one entry at least", async () => {
      const store = await open(true);
      const value = "v".repeat(1_000);
      const keys = Array.from({ length: 50 }, (_, at) => `k${String(at).padStart(2, "0")}`);
      await put(store, Object.fromEntries(keys.map((key) => [key, value])));
      const view = store.view();
      const first = await view.next(50, 4_000);
      expect(first.length).toBeGreaterThan(1);
      expect(first.length).toBeLessThan(8);
      const seen = first.map(([key]) => key);
      for (;;) {
        const page = await view.next(50, 1);
        if (page.length === 0) break;
        expect(page.length).toBeLessThan(3);
        seen.push(...page.map(([key]) => key));
      }
      await view.close();
      expect(seen).toEqual(keys);
    });

    test("a check reads what is there, and may be given up", async () => {
      const store = await open(true);
      await put(store, { a: "1", b: "2".repeat(600_000) });
      const reads: number[] = [];
      for await (const bytes of store.check()) reads.push(bytes);
      expect(reads.length).toBeGreaterThan(0);
      expect(Math.min(...reads)).toBeGreaterThan(0);
      for await (const bytes of store.check()) {
        expect(bytes).toBe(reads[0]);
        break;
      }
      // Side by side, while the store goes on.
      const checks = [store.check(), store.check()].map(async (check) => {
        for await (const bytes of check) expect(bytes).toBeGreaterThan(0);
      });
      await put(store, { c: "3" });
      await Promise.all(checks);
      expect((await all(store)).length).toBe(3);
    });

    test("closed, it refuses", async () => {
      const store = await open(true);
      await store.close();
      await expect(store.getMany(["a"])).rejects.toMatchObject({ code: "STOPPED" });
      await expect(store.check()[Symbol.asyncIterator]().next()).rejects.toMatchObject({
        code: "STOPPED",
      });
      expect(() => store.batch()).toThrow("STOPPED");
    });
  });
}
