import { TREE_LIMITS } from "@quorate/kv-store";
import { expect, test } from "vitest";
import { withUnreadable } from "../../../../tests/support/faulty-files.ts";
import { DIRECTORY, metaAt, newDisk, portsOf } from "../../../../tests/support/node-disk.ts";
import { NodeStorage, openIdentity } from "../node-storage.ts";
import { loadIdentity, type IdentityFile } from "../storage/identity.ts";
import { openImage } from "./open-image.ts";

const OPTIONS = { formation: metaAt(0), limits: TREE_LIMITS, segmentBytes: 65_536 };

/** A disk that a node begins on, and what another process that begins there too finds at the same time. */
async function setUp() {
  const disk = newDisk();
  const ports = portsOf(disk);
  await disk.files.makeDirectory(DIRECTORY);
  const identity = await openIdentity(ports, DIRECTORY, "one");
  const look = async (): Promise<IdentityFile> => {
    const found = await loadIdentity(disk.files, DIRECTORY);
    if (found === null) throw new Error("no identity");
    return found;
  };
  return { disk, ports, identity, look };
}

test("an image that another process has made since the identity was read is not taken away", async () => {
  const { disk, ports, identity, look } = await setUp();
  const late = await look();
  const { image } = await openImage(ports, DIRECTORY, identity);
  // Where nothing is locked, as in some networks' file systems.
  await image.close();
  await expect(openImage(ports, DIRECTORY, late)).rejects.toMatchObject({ code: "STORAGE_LOCKED" });
  expect(disk.files.namesIn(DIRECTORY)).toContain("image-1");
  await (await disk.images.open(`${DIRECTORY}/image-1`, { create: false })).close();
});

test("nor is its log", async () => {
  const { disk, ports, identity, look } = await setUp();
  const { image } = await openImage(ports, DIRECTORY, identity);
  await image.close();
  const late = await look();
  const { storage } = await NodeStorage.open(ports, DIRECTORY, identity, OPTIONS);
  await storage.close();
  const log = disk.files.namesIn(`${DIRECTORY}/log`);
  await expect(NodeStorage.open(ports, DIRECTORY, late, OPTIONS)).rejects.toMatchObject({
    code: "STORAGE_LOCKED",
  });
  expect(disk.files.namesIn(`${DIRECTORY}/log`)).toEqual(log);
  await expect(NodeStorage.open(ports, DIRECTORY, identity, OPTIONS)).resolves.toBeDefined();
});

test("an identity that was read and is not given back any more is no damage", async () => {
  const { ports, identity } = await setUp();
  const broken = withUnreadable(ports, `${DIRECTORY}/identity`);
  const failed = { code: "STORAGE_FAILED" };
  await expect(openImage(broken, DIRECTORY, identity)).rejects.toMatchObject(failed);
  await (await openImage(ports, DIRECTORY, identity)).image.close();
  await expect(openImage(broken, DIRECTORY, identity)).rejects.toMatchObject(failed);
});

test("nor is one that another process has put away", async () => {
  const { disk, ports, identity } = await setUp();
  await (await openImage(ports, DIRECTORY, identity)).image.close();
  await disk.files.remove(`${DIRECTORY}/identity`);
  await expect(openImage(ports, DIRECTORY, identity)).rejects.toMatchObject({
    code: "STORAGE_LOCKED",
  });
});

test("whatever another process has written to an identity, it is not gone on with", async () => {
  const { ports, identity, look } = await setUp();
  const late = await look();
  await identity.update({ clusterId: "c" });
  await expect(openImage(ports, DIRECTORY, late)).rejects.toMatchObject({ code: "STORAGE_LOCKED" });
  await expect(openImage(ports, DIRECTORY, identity)).resolves.toBeDefined();
});
