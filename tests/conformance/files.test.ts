import { expect, test } from "vitest";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { NodeFiles } from "../../packages/server/src/storage/node-files.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { filesSuite } from "./files.suite.ts";

filesSuite("the machine's", async () => {
  const directory = await tempDirectory();
  return { files: new NodeFiles(), root: directory.path, release: () => directory.remove() };
});

test("where nothing can be made a directory is refused", async () => {
  const files = new NodeFiles();
  const directory = await tempDirectory();
  const inTheWay = `${directory.path}/file`;
  await (await files.open(inTheWay, { create: true, durable: false })).close();
  // Where there is no /proc it cannot be made either, or only by root.
  for (const path of ["/proc/x/y", "/proc/x", `${inTheWay}/x`, inTheWay]) {
    const making = files.makeDirectory(path);
    await expect(making, path).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  }
  await directory.remove();
});

filesSuite("in memory", async () => {
  const files = new MemoryFiles();
  await files.makeDirectory("/root");
  return { files, root: "/root", release: async () => {} };
});
