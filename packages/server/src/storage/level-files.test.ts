import { beforeEach, describe, expect, test } from "vitest";
import { MemoryFiles } from "../memory/memory-files.ts";
import { LevelFiles, type LiveTables } from "./level-files.ts";

const CORRUPT = { code: "IMAGE_CORRUPT" };

let files: MemoryFiles;
let image: LevelFiles;

beforeEach(async () => {
  files = new MemoryFiles();
  await files.makeDirectory("/i");
  image = new LevelFiles(files, "/i");
});

async function write(name: string, content: string): Promise<void> {
  await files.remove(`/i/${name}`);
  const file = await files.open(`/i/${name}`, { create: true, durable: true });
  await file.write(0, new TextEncoder().encode(content));
  await file.close();
}

describe("the tables of an image", () => {
  const live = (name: string, bytes: number): LiveTables => new Map([[name, bytes]]);

  test("are whole, or one is too short, or has gone", async () => {
    await write("000005.ldb", "12345");
    await image.checkTables(() => live("000005.ldb", 5));
    await expect(image.checkTables(() => live("000005.ldb", 6))).rejects.toMatchObject(CORRUPT);
    await expect(image.checkTables(() => live("000007.ldb", 6))).rejects.toMatchObject(CORRUPT);
  });

  test("may go once LevelDB stands on others: it is asked again before one counts as lost", async () => {
    const answers = [live("000005.ldb", 5), live("000008.ldb", 9)];
    await image.checkTables(() => answers.shift() ?? new Map());
    expect(answers).toEqual([]);
  });
});

describe("the manifest of an image", () => {
  test("is the one that CURRENT names", async () => {
    await expect(image.checkManifest()).rejects.toMatchObject(CORRUPT);
    await write("CURRENT", "MANIFEST-000004\n");
    await expect(image.checkManifest()).rejects.toMatchObject(CORRUPT);
    await write("MANIFEST-000004", "");
    await image.checkManifest();
    await write("CURRENT", "MANIFEST-000004");
    await expect(image.checkManifest()).rejects.toMatchObject(CORRUPT);
  });

  test("may become another one meanwhile, as whenever an image is opened", async () => {
    await write("CURRENT", "MANIFEST-000004\n");
    const held = files.holdNext("readWhole");
    const checked = image.checkManifest();
    await held.reached;
    await write("MANIFEST-000006", "");
    await write("CURRENT", "MANIFEST-000006\n");
    held.release();
    await checked;
  });
});

test("all of an image is read, and nothing that LevelDB holds locks on", async () => {
  await write("000005.ldb", "x".repeat(10));
  await write("000006.log", "");
  await write("CURRENT", "12");
  await write("MANIFEST-000004", "123");
  for (const name of ["LOCK", "LOG", "LOG.old", "000009.dbtmp"]) await write(name, "no");
  const opened: string[] = [];
  files.setOnStep(({ operation, path, phase }) => {
    if (operation === "open" && phase === "before") opened.push(path);
    return null;
  });
  const read: number[] = [];
  for await (const bytes of image.read(4)) read.push(bytes);
  expect(read).toEqual([4, 4, 2, 2, 3]);
  expect(opened.map((path) => path.slice(3))).toEqual([
    "000005.ldb",
    "000006.log",
    "CURRENT",
    "MANIFEST-000004",
  ]);
});
