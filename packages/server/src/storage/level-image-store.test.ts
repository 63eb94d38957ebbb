import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemError } from "../memory/system-error.ts";
import type { Files, ImageStore } from "../ports.ts";
import { fileError } from "./file-error.ts";
import { LevelImageStores } from "./level-image-store.ts";
import { NodeFiles } from "./node-files.ts";

const VALUES = 200;
const CORRUPT = { name: "ServerError", code: "IMAGE_CORRUPT" };

let folder = "";
let image = "";
const opened: ImageStore[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "quorate-level-"));
  image = join(folder, "image-1");
  const store = await new LevelImageStores(new NodeFiles()).open(image, { create: true });
  await fill(store, 0);
  await store.close();
  // Opening moves the batch from LevelDB's log into a table.
  await (await open()).close();
});

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  rmSync(folder, { recursive: true });
});

const keyOf = (at: number): string => `key ${at}`;
const valueOf = (round: number, at: number): Uint8Array => new Uint8Array(500).fill(round + at);

async function fill(store: ImageStore, round: number): Promise<void> {
  const batch = store.batch();
  for (let at = 0; at < VALUES; at += 1) batch.put(keyOf(at), valueOf(round, at));
  await batch.write();
}

async function open(files: Files = new NodeFiles()): Promise<ImageStore> {
  const store = await new LevelImageStores(files).open(image, { create: false });
  opened.push(store);
  return store;
}

async function allOf(store: ImageStore): Promise<number> {
  const view = store.view();
  try {
    let count = 0;
    for (;;) {
      const page = await view.next(1_000, 1_000_000);
      if (page.length === 0) return count;
      count += page.length;
    }
  } finally {
    await view.close();
  }
}

async function checked(store: ImageStore): Promise<number> {
  let bytes = 0;
  for await (const count of store.check()) bytes += count;
  return bytes;
}

/** Leaves these rounds, a batch each, in a log: the path of that. */
async function leaveLog(rounds: readonly number[]): Promise<string> {
  const store = await open();
  for (const round of rounds) await fill(store, round);
  await store.close();
  return pathOf(LOG);
}

async function roundOf(store: ImageStore): Promise<number | undefined> {
  const [value] = await store.getMany([keyOf(0)]);
  return value?.[0];
}

function pathOf(pattern: RegExp): string {
  const name = readdirSync(image).find((each) => pattern.test(each));
  expect(name).toBeDefined();
  return join(image, name ?? "");
}

const TABLE = /\.ldb$/;
const MANIFEST = /^MANIFEST-/;
const CURRENT = /^CURRENT$/;
const LOG = /\.log$/;

function flip(path: string, at: number, bits: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ bits;
  writeFileSync(path, bytes);
}

/** The system's error of this code wherever a file of that name is asked for this. */
function failing(operation: "open" | "read", code: string, pattern: RegExp): Files {
  const files = new NodeFiles();
  const fail = (path: string): never => {
    throw fileError(operation, path, systemError(code));
  };
  const isMeant = (path: string): boolean => pattern.test(path.slice(image.length + 1));
  const failingOpen: Files["open"] = async (path, options) => {
    if (operation === "open" && isMeant(path)) fail(path);
    const file = await files.open(path, options);
    if (isMeant(path)) file.read = async () => fail(path);
    return file;
  };
  return Object.assign(Object.create(files), {
    open: failingOpen,
    readWhole: async (path: string) => (isMeant(path) ? fail(path) : files.readWhole(path)),
  });
}

describe("an image that is damaged when it is opened", () => {
  test.each([
    ["a table that has gone", () => rmSync(pathOf(TABLE))],
    ["an empty table", () => truncateSync(pathOf(TABLE), 0)],
    ["a table without its second half", () => truncateSync(pathOf(TABLE), 50_000)],
    [
      "a table without its last byte",
      () => truncateSync(pathOf(TABLE), readFileSync(pathOf(TABLE)).length - 1),
    ],
    ["a manifest that has gone", () => rmSync(pathOf(MANIFEST))],
    ["an empty manifest", () => truncateSync(pathOf(MANIFEST), 0)],
    ["a manifest cut short", () => truncateSync(pathOf(MANIFEST), 40)],
    ["a manifest with another bit", () => flip(pathOf(MANIFEST), 30, 1)],
    ["CURRENT that has gone", () => rmSync(pathOf(CURRENT))],
    ["CURRENT that is empty", () => truncateSync(pathOf(CURRENT), 0)],
    ["CURRENT of zeros", () => writeFileSync(pathOf(CURRENT), new Uint8Array(16))],
    ["CURRENT that begins with a zero", () => flip(pathOf(CURRENT), 0, 0x4d)],
    ["CURRENT that names a table", () => writeFileSync(pathOf(CURRENT), "000005.ldb\n")],
    ["no directory", () => rmSync(image, { recursive: true })],
  ])("is IMAGE_CORRUPT with %s", async (_what, damage) => {
    damage();
    await expect(open()).rejects.toMatchObject(CORRUPT);
  });

  test("that is not there is not made by whoever looks for it", async () => {
    rmSync(image, { recursive: true });
    await expect(open()).rejects.toMatchObject(CORRUPT);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("is IMAGE_CORRUPT with any bit of CURRENT changed", async () => {
    const path = pathOf(CURRENT);
    const { length } = readFileSync(path);
    for (let bit = 0; bit < 8 * length; bit += 1) {
      flip(path, bit >> 3, 1 << (bit & 7));
      await expect(open(), `bit ${bit}`).rejects.toMatchObject(CORRUPT);
      flip(path, bit >> 3, 1 << (bit & 7));
    }
    expect(await allOf(await open())).toBe(VALUES);
  });

  test("is IMAGE_CORRUPT with any bit of a table's index changed", async () => {
    const path = pathOf(TABLE);
    // The index is the last block, its checksum and the footer behind it.
    const end = readFileSync(path).length - 48;
    for (let at = end - 120; at < end; at += 1) {
      flip(path, at, 1 << (at & 7));
      await expect(open(), `byte ${at}`).rejects.toMatchObject(CORRUPT);
      flip(path, at, 1 << (at & 7));
    }
    expect(await allOf(await open())).toBe(VALUES);
  });

  test("is IMAGE_CORRUPT with any bit of a table's blocks changed: LevelDB, which believes them, is not asked", async () => {
    const path = pathOf(TABLE);
    const { length } = readFileSync(path);
    for (let at = 0; at < length - 10_000; at += at < 40 ? 1 : 1_009) {
      flip(path, at, 1 << (at & 7));
      await expect(open(), `byte ${at}`).rejects.toMatchObject(CORRUPT);
      flip(path, at, 1 << (at & 7));
    }
    await (await open()).close();
  });

  test("is whole beside a table that no manifest names and that was never written to its end", async () => {
    const leftOver = join(image, "009999.ldb");
    const bytes = readFileSync(pathOf(TABLE));
    bytes.fill(0, 0, 8_192);
    writeFileSync(leftOver, bytes);
    await (await open()).close();
    expect(existsSync(leftOver)).toBe(false);
  });

  test("is IMAGE_CORRUPT with a bit of a batch changed that another follows, and LevelDB has not passed over it", async () => {
    const path = await leaveLog([1, 2, 3]);
    const { length } = readFileSync(path);
    for (let at = 0; at < (2 * length) / 3; at += 997) {
      flip(path, at, 1 << (at & 7));
      await expect(open(), `byte ${at}`).rejects.toMatchObject(CORRUPT);
      flip(path, at, 1 << (at & 7));
    }
    expect(await roundOf(await open())).toBe(3);
  });

  test("is whole where its last batch was never written to its end", async () => {
    for (const kept of [0.4, 0.7, 0.99]) {
      const path = await leaveLog([1, 2, 3]);
      truncateSync(path, Math.floor(kept * readFileSync(path).length));
      const store = await open();
      expect(await roundOf(store)).toBe(Math.floor(kept * 3));
      await store.close();
    }
  });

  test.each([TABLE, MANIFEST, CURRENT, LOG])(
    "is IMAGE_CORRUPT where %s cannot be read, before LevelDB has touched it",
    async (pattern) => {
      const notes = join(image, "LOG");
      expect(readFileSync(notes, "utf8")).toContain("Recovering");
      await expect(open(failing("read", "EIO", pattern))).rejects.toMatchObject(CORRUPT);
      expect(readFileSync(notes, "utf8")).not.toContain("Recovering");
      expect(await allOf(await open())).toBe(VALUES);
    },
  );

  test.each([TABLE, MANIFEST, CURRENT, LOG])(
    "is IMAGE_CORRUPT where the system says EIO of %s",
    async (pattern) => {
      const path = pathOf(pattern);
      rmSync(path);
      // Nothing is mapped at the beginning of a process's memory: reading there is an EIO.
      symlinkSync("/proc/self/mem", path);
      await expect(open()).rejects.toMatchObject({
        ...CORRUPT,
        message: expect.stringContaining("EIO"),
      });
    },
  );

  test.each(["EMFILE", "ENFILE", "EACCES"])("is STORAGE_FAILED for an %s", async (code) => {
    await expect(open(failing("open", code, TABLE))).rejects.toMatchObject({
      code: "STORAGE_FAILED",
    });
  });

  test("is STORAGE_FULL for want of room", async () => {
    for (let number = 5; number < 12; number += 1) {
      symlinkSync("/dev/full", join(image, `${String(number).padStart(6, "0")}.dbtmp`));
    }
    await expect(open()).rejects.toMatchObject({ code: "STORAGE_FULL" });
  });

  test("is STORAGE_LOCKED while another has it, whatever it looks like", async () => {
    const store = await open();
    rmSync(pathOf(CURRENT));
    await expect(open()).rejects.toMatchObject({ code: "STORAGE_LOCKED" });
    // Nor does looking at it take the lock away.
    await expect(open()).rejects.toMatchObject({ code: "STORAGE_LOCKED" });
    expect(await allOf(store)).toBe(VALUES);
  });
});

describe("an image that is damaged while it is open", () => {
  test.each([
    ["shrank", (path: string) => truncateSync(path, 8_192)],
    ["has gone", (path: string) => renameSync(path, `${path}.gone`)],
  ])(
    "is IMAGE_CORRUPT where a table that is mapped %s: LevelDB does not touch it",
    async (_what, damage) => {
      const store = await open();
      expect(await allOf(store)).toBe(VALUES);
      damage(pathOf(TABLE));
      await expect(allOf(store)).rejects.toMatchObject(CORRUPT);
      const again = await new Promise<unknown>((resolve) => {
        checked(store).catch(resolve);
      });
      expect(again).toMatchObject(CORRUPT);
      await expect(store.getMany([keyOf(199)])).rejects.toMatchObject(CORRUPT);
    },
  );

  test.each([
    ["shrank", (path: string) => truncateSync(path, 8_192), "Invalid argument"],
    ["has gone", (path: string) => renameSync(path, `${path}.gone`), "No such file"],
  ])("is IMAGE_CORRUPT where LevelDB finds that a table %s", async (_what, damage, text) => {
    const store = await open();
    damage(pathOf(TABLE));
    await expect(store.getMany([keyOf(199)])).rejects.toMatchObject({
      ...CORRUPT,
      message: expect.stringContaining(text),
    });
  });

  test("is IMAGE_CORRUPT where an index promises more than there is memory: LevelDB is not asked for it", async () => {
    const store = await open();
    const path = pathOf(TABLE);
    const bytes = readFileSync(path);
    // Where it is, and that it has 2^56 - 1 bytes: as much LevelDB would take, and no checksum speaks against it.
    bytes.fill(0, bytes.length - 48, bytes.length - 8);
    bytes.set([0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 127], bytes.length - 48);
    writeFileSync(path, bytes);
    await expect(allOf(store)).rejects.toMatchObject(CORRUPT);
    await expect(open()).rejects.toMatchObject({ code: "STORAGE_LOCKED" });
    await store.close();
    await expect(open()).rejects.toMatchObject(CORRUPT);
  });

  test.each([
    ["a table that shrank", () => truncateSync(pathOf(TABLE), 8_192)],
    ["a table with another bit in a block", () => flip(pathOf(TABLE), 1, 8)],
    [
      "a table whose index changed",
      () => flip(pathOf(TABLE), readFileSync(pathOf(TABLE)).length - 200, 1),
    ],
    ["a table that has gone", () => rmSync(pathOf(TABLE))],
    ["a manifest that has gone", () => rmSync(pathOf(MANIFEST))],
    ["CURRENT that has gone", () => rmSync(pathOf(CURRENT))],
    ["CURRENT with another bit", () => flip(pathOf(CURRENT), 12, 2)],
    ["a manifest that shrank", () => truncateSync(pathOf(MANIFEST), 40)],
    ["a manifest with another bit", () => flip(pathOf(MANIFEST), 30, 1)],
  ])("is found by a check: %s", async (_what, damage) => {
    const store = await open();
    expect(await checked(store)).toBeGreaterThan(VALUES * 500);
    damage();
    await expect(checked(store)).rejects.toMatchObject(CORRUPT);
    // The first damage of a store is its last.
    expect(() => store.batch()).toThrow("IMAGE_CORRUPT");
  });

  test.each([0, 5, 6, 7, 3_000, 32_760, 32_768, 50_000, 120_000])(
    "is found by a check where a batch changed that is in no table yet, %i bytes from either end",
    async (distance) => {
      for (const isAtEnd of [false, true]) {
        const store = await open();
        await fill(store, 1);
        await fill(store, 2);
        expect(await checked(store)).toBeGreaterThan(VALUES * 1_000);
        const path = pathOf(LOG);
        const at = isAtEnd ? readFileSync(path).length - 1 - distance : distance;
        flip(path, at, 1);
        await expect(checked(store)).rejects.toMatchObject(CORRUPT);
        flip(path, at, 1);
        await store.close();
      }
    },
  );

  test.each([
    ["has gone", (path: string) => rmSync(path)],
    ["is empty", (path: string) => truncateSync(path, 0)],
    ["lacks its last batch", (path: string, bytes: number) => truncateSync(path, bytes)],
  ])("is found by a check where the log of batches %s", async (_what, damage) => {
    const store = await open();
    await fill(store, 1);
    const { length } = readFileSync(pathOf(LOG));
    await fill(store, 2);
    damage(pathOf(LOG), length);
    await expect(checked(store)).rejects.toMatchObject(CORRUPT);
  });

  test("is found by a check where the manifest lacks what it said at the check before", async () => {
    const store = await open();
    await checked(store);
    const path = pathOf(MANIFEST);
    const whole = readFileSync(path);
    // Each record is shorter than a block: its length follows its checksum.
    const first = 7 + whole.readUInt16LE(4);
    expect(first).toBeLessThan(whole.length);
    truncateSync(path, first);
    await expect(checked(store)).rejects.toMatchObject(CORRUPT);
  });

  test("is whole while batches are written", async () => {
    const store = await open();
    let isDone = false;
    const writing = (async () => {
      for (let round = 1; round < 60; round += 1) await fill(store, round);
      isDone = true;
    })();
    let looks = 0;
    while (!isDone) {
      await checked(store);
      looks += 1;
    }
    await writing;
    expect(looks).toBeGreaterThan(3);
  });

  test.each([TABLE, MANIFEST, CURRENT, LOG])(
    "is found by a check that cannot read %s",
    async (pattern) => {
      let files: Files = new NodeFiles();
      const store = await open({ ...methodsOf(() => files) });
      await fill(store, 1);
      expect(await checked(store)).toBeGreaterThan(0);
      files = failing("read", "EIO", pattern);
      await expect(checked(store)).rejects.toMatchObject(CORRUPT);
      await expect(store.getMany([keyOf(1)])).rejects.toMatchObject(CORRUPT);
    },
  );

  test("is not damaged for want of descriptors, and goes on", async () => {
    let files: Files = new NodeFiles();
    const store = await open({ ...methodsOf(() => files) });
    files = failing("open", "EMFILE", TABLE);
    await expect(checked(store)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    files = new NodeFiles();
    expect(await checked(store)).toBeGreaterThan(0);
    expect(await allOf(store)).toBe(VALUES);
  });

  test("is whole while LevelDB makes one table of several", async () => {
    const names = new Set<string>();
    for (let round = 1; round < 12; round += 1) {
      const store = await new LevelImageStores(new NodeFiles()).open(image, { create: false });
      await fill(store, round);
      // Those that came with the start are being made into one meanwhile.
      for (let time = 0; time < 3; time += 1) await checked(store);
      expect(await allOf(store)).toBe(VALUES);
      await store.close();
      for (const name of readdirSync(image)) if (TABLE.test(name)) names.add(name);
    }
    expect(readdirSync(image).filter((name) => TABLE.test(name)).length).toBeLessThan(names.size);
  });

  test("is not checked any more once it is closed", async () => {
    const store = await open();
    const check = store.check()[Symbol.asyncIterator]();
    await check.next();
    await store.close();
    await expect(check.next()).rejects.toMatchObject({ code: "STOPPED" });
    await expect(checked(store)).rejects.toMatchObject({ code: "STOPPED" });
  });
});

/** Files that are those of the moment. */
function methodsOf(files: () => Files): Files {
  return {
    makeDirectory: (path) => files().makeDirectory(path),
    list: (path) => files().list(path),
    readWhole: (path) => files().readWhole(path),
    open: (path, options) => files().open(path, options),
    rename: (from, to) => files().rename(from, to),
    remove: (path) => files().remove(path),
    syncDirectory: (path) => files().syncDirectory(path),
    space: (path) => files().space(path),
  };
}
