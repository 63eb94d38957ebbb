import { beforeEach, describe, expect, test } from "vitest";
import { MemoryFiles } from "../memory/memory-files.ts";
import { LevelFiles, type LiveTables } from "./level-files.ts";

const CORRUPT = { code: "IMAGE_CORRUPT" };
/** As LevelDB writes a block without entries, and here it is both the meta index and the index. */
const EMPTY_BLOCK = "000000000100000000c0f2a1b0";
const FOOTER = `00080008${"00".repeat(36)}57fb808b247547db`;
const EMPTY_TABLE: Uint8Array = Buffer.from(EMPTY_BLOCK + FOOTER, "hex");

let files: MemoryFiles;
let image: LevelFiles;

beforeEach(async () => {
  files = new MemoryFiles();
  await files.makeDirectory("/i");
  image = new LevelFiles(files, "/i");
});

async function write(name: string, content: string | Uint8Array): Promise<void> {
  await files.remove(`/i/${name}`);
  const file = await files.open(`/i/${name}`, { create: true, durable: true });
  await file.write(0, Buffer.from(content));
  await file.close();
}

describe("the tables of an image", () => {
  const live = (name: string, bytes: number): LiveTables => new Map([[name, bytes]]);

  test("are whole, or one is too short, or has gone", async () => {
    await write("000005.ldb", EMPTY_TABLE);
    const bytes = EMPTY_TABLE.length;
    await image.checkTables(() => live("000005.ldb", bytes));
    await expect(image.checkTables(() => live("000005.ldb", bytes + 1))).rejects.toMatchObject({
      ...CORRUPT,
      message: expect.stringContaining(`${bytes} bytes left of ${bytes + 1}`),
    });
    await expect(image.checkTables(() => live("000007.ldb", 6))).rejects.toMatchObject(CORRUPT);
  });

  test("are found damaged by any bit of their index, and of where it is", async () => {
    // Of the footer what is used: not the zeros.
    const used = [...EMPTY_TABLE.keys()].filter((at) => at < 17 || at >= 53);
    for (const at of used) {
      const changed = EMPTY_TABLE.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      await write("000005.ldb", changed);
      const checked = image.checkTables(() => live("000005.ldb", changed.length));
      await expect(checked, `byte ${at}`).rejects.toMatchObject(CORRUPT);
    }
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

describe("the manifest of an image in use", () => {
  /** A record of LevelDB's without content. */
  const RECORD = Buffer.from("052b2843000001", "hex");
  let looks = 0;
  let onLook = async (_look: number): Promise<void> => undefined;

  beforeEach(async () => {
    looks = 0;
    image = new LevelFiles(files, "/i", () => onLook((looks += 1)));
    await write("CURRENT", "MANIFEST-000004\n");
  });

  const set = (...parts: readonly Uint8Array[]) => write("MANIFEST-000004", Buffer.concat(parts));

  test("is whole, or is looked at again while a record is written to it", async () => {
    await set(RECORD);
    await image.checkManifestInUse();
    expect(looks).toBe(0);
    onLook = (look) => set(RECORD, look < 30 ? RECORD.subarray(0, look % 7) : RECORD);
    await set(RECORD, RECORD.subarray(0, 3));
    await image.checkManifestInUse();
    expect(looks).toBeGreaterThan(5);
  });

  test("is damaged where its last record stays a part of one", async () => {
    onLook = async () => undefined;
    await set(RECORD, RECORD.subarray(0, 3));
    await expect(image.checkManifestInUse()).rejects.toMatchObject(CORRUPT);
    expect(looks).toBeGreaterThan(5);
  });

  test("is damaged at once where another record follows one that is not whole, or one has gone", async () => {
    const changed = Buffer.from(RECORD);
    changed[0] = 0;
    await set(changed, RECORD);
    await expect(image.checkManifestInUse()).rejects.toMatchObject(CORRUPT);
    await set(RECORD, RECORD);
    await image.checkManifestInUse();
    await set(RECORD);
    await expect(image.checkManifestInUse()).rejects.toMatchObject(CORRUPT);
    expect(looks).toBe(0);
  });
});

test("all of an image is read, and nothing that LevelDB holds locks on", async () => {
  await write("000005.ldb", "x".repeat(65_538));
  await write("000006.log", "");
  await write("CURRENT", "MANIFEST-000004\n");
  await write("MANIFEST-000004", "123");
  for (const name of ["LOCK", "LOG", "LOG.old", "000009.dbtmp"]) await write(name, "no");
  const opened: string[] = [];
  files.setOnStep(({ operation, path, phase }) => {
    if (operation === "open" && phase === "before") opened.push(path);
    return null;
  });
  const read: number[] = [];
  for await (const bytes of image.read(32_768, null)) read.push(bytes);
  expect(read).toEqual([32_768, 32_768, 2, 16, 3]);
  expect(opened.map((path) => path.slice(3))).toEqual([
    "000005.ldb",
    "000006.log",
    "CURRENT",
    "MANIFEST-000004",
  ]);
});
