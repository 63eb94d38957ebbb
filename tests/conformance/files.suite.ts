import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Files } from "../../packages/server/src/ports.ts";

export interface FilesUnderTest {
  readonly files: Files;
  /** A directory that is there and empty. */
  readonly root: string;
  release(): Promise<void>;
}

const NEW = { create: true, durable: false };
const THERE = { create: false, durable: false };
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** What every implementation of the port does. */
export function filesSuite(name: string, setUp: () => Promise<FilesUnderTest>): void {
  describe(`files: ${name}`, () => {
    let context: FilesUnderTest;
    let files: Files;
    let root: string;

    beforeEach(async () => {
      context = await setUp();
      ({ files, root } = context);
    });

    afterEach(() => context.release());

    async function put(path: string, content: Uint8Array): Promise<void> {
      const file = await files.open(path, NEW);
      await file.write(0, content);
      await file.sync();
      await file.close();
    }

    test("directories are made with their parents, and may be there", async () => {
      await files.makeDirectory(`${root}/a/b/c`);
      await files.makeDirectory(`${root}/a/b/c`);
      expect(await files.list(`${root}/a`)).toEqual(["b"]);
      await files.syncDirectory(`${root}/a/b`);
    });

    test("a directory that is not there lists as empty", async () => {
      expect(await files.list(`${root}/nothing`)).toEqual([]);
    });

    test("names are listed in order", async () => {
      for (const each of ["b", "c", "a"]) await put(`${root}/${each}`, bytes());
      expect(await files.list(root)).toEqual(["a", "b", "c"]);
    });

    test("reading the whole of nothing gives null", async () => {
      expect(await files.readWhole(`${root}/nothing`)).toBeNull();
      await put(`${root}/empty`, bytes());
      expect(await files.readWhole(`${root}/empty`)).toEqual(bytes());
    });

    test.each([true, false])("writes land where they are put, durable %s", async (durable) => {
      const file = await files.open(`${root}/x`, { create: true, durable });
      await file.write(0, bytes(1, 2, 3, 4));
      await file.write(2, bytes(9));
      await file.write(6, bytes(7));
      await file.sync();
      expect(await file.size()).toBe(7);
      expect(await file.read(0, 7)).toEqual(bytes(1, 2, 9, 4, 0, 0, 7));
      await file.close();
      expect(await files.readWhole(`${root}/x`)).toEqual(bytes(1, 2, 9, 4, 0, 0, 7));
    });

    test("reads are short only at the end", async () => {
      await put(`${root}/x`, bytes(1, 2, 3));
      const file = await files.open(`${root}/x`, THERE);
      expect(await file.read(1, 10)).toEqual(bytes(2, 3));
      expect(await file.read(3, 10)).toEqual(bytes());
      expect(await file.read(9, 1)).toEqual(bytes());
      expect(await file.read(0, 0)).toEqual(bytes());
      await file.close();
    });

    test("what is read is no Buffer and belongs to the reader", async () => {
      await put(`${root}/x`, bytes(1, 2, 3));
      const file = await files.open(`${root}/x`, THERE);
      const read = await file.read(0, 3);
      read[0] = 9;
      expect(Buffer.isBuffer(read)).toBe(false);
      expect(Buffer.isBuffer(await files.readWhole(`${root}/x`))).toBe(false);
      expect(await file.read(0, 3)).toEqual(bytes(1, 2, 3));
      await file.close();
    });

    test("large writes are written whole", async () => {
      const content = new Uint8Array(3_000_000);
      for (let at = 0; at < content.length; at += 1) content[at] = at % 251;
      await put(`${root}/x`, content);
      const back = await files.readWhole(`${root}/x`);
      expect(Buffer.compare(back!, content)).toBe(0);
    });

    test("creating needs that there is none, opening that there is one", async () => {
      const failed = { name: "ServerError", code: "STORAGE_FAILED" };
      await expect(files.open(`${root}/x`, THERE)).rejects.toMatchObject(failed);
      await put(`${root}/x`, bytes(1));
      await expect(files.open(`${root}/x`, NEW)).rejects.toMatchObject(failed);
      await expect(files.open(`${root}/no/x`, NEW)).rejects.toMatchObject(failed);
    });

    test("renaming replaces, and takes directories along", async () => {
      await put(`${root}/x`, bytes(1));
      await put(`${root}/y`, bytes(2));
      await files.rename(`${root}/x`, `${root}/y`);
      expect(await files.readWhole(`${root}/y`)).toEqual(bytes(1));
      await files.makeDirectory(`${root}/d`);
      await put(`${root}/d/z`, bytes(3));
      await files.rename(`${root}/d`, `${root}/e`);
      expect(await files.readWhole(`${root}/e/z`)).toEqual(bytes(3));
      expect(await files.list(root)).toEqual(["e", "y"]);
      const lost = files.rename(`${root}/x`, `${root}/y`);
      await expect(lost).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    });

    test("removing takes directories with their content, and nothing is no error", async () => {
      await files.makeDirectory(`${root}/d/e`);
      await put(`${root}/d/e/x`, bytes(1));
      await files.remove(`${root}/d`);
      await files.remove(`${root}/d`);
      expect(await files.list(root)).toEqual([]);
    });

    test("a removed file can be used by those who have it open", async () => {
      await put(`${root}/x`, bytes(1, 2));
      const file = await files.open(`${root}/x`, THERE);
      await files.remove(`${root}/x`);
      expect(await file.read(0, 2)).toEqual(bytes(1, 2));
      await file.close();
    });

    test("a closed file is refused, and closing again is nothing", async () => {
      const file = await files.open(`${root}/x`, NEW);
      await file.close();
      await file.close();
      for (const use of [
        () => file.size(),
        () => file.read(0, 1),
        () => file.write(0, bytes(1)),
        () => file.sync(),
      ]) {
        await expect(use()).rejects.toMatchObject({ code: "STORAGE_FAILED" });
      }
    });

    test("space is told", async () => {
      const { freeBytes, totalBytes } = await files.space(root);
      expect(totalBytes).toBeGreaterThan(0);
      expect(freeBytes).toBeLessThanOrEqual(totalBytes);
    });

    test("syncing a directory that is not there fails", async () => {
      const lost = files.syncDirectory(`${root}/nothing`);
      await expect(lost).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    });
  });
}
