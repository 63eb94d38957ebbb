import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../../../../tests/support/temp-directory.ts";
import { ServerError } from "../errors.ts";
import { MemoryFiles } from "../memory/memory-files.ts";
import { makeDataDirectory, refuseUsed } from "./make-data-directory.ts";
import { NodeFiles } from "./node-files.ts";

test("a data directory is made with its parents, and one that is there stays", async () => {
  const path = join(tempFolder(), "a", "b");
  await makeDataDirectory(new NodeFiles(), path);
  writeFileSync(join(path, "file"), "");
  await makeDataDirectory(new NodeFiles(), path);
  expect(existsSync(join(path, "file"))).toBe(true);
});

test("where a file is in the way the configuration is wrong, and the error says what to do", async () => {
  const folder = tempFolder();
  writeFileSync(join(folder, "file"), "");
  mkdirSync(join(folder, "there"));
  for (const inTheWay of ["file", "file/below", "there/../file/far/below"]) {
    const path = join(folder, inTheWay);
    await expect(makeDataDirectory(new NodeFiles(), path)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(new RegExp(`${path}.*name another folder`)),
    });
  }
});

test("a link whose target is not there yet is no wrong setting: its volume may come", async () => {
  const link = join(tempFolder(), "link");
  symlinkSync(join(link, "..", "nowhere"), link);
  await expect(makeDataDirectory(new NodeFiles(), link)).rejects.toMatchObject({
    code: "STORAGE_FAILED",
  });
});

test("in memory it is as on disk", async () => {
  const files = new MemoryFiles();
  await (await files.open("/file", { create: true, durable: true })).close();
  await expect(makeDataDirectory(files, "/file/below")).rejects.toMatchObject({
    code: "CONFIG_INVALID",
  });
});

test("a data directory that holds something is in use; one that is not there, or empty, is not", async () => {
  const folder = tempFolder();
  const files = new NodeFiles();
  await refuseUsed(files, join(folder, "none"));
  await refuseUsed(files, folder);
  writeFileSync(join(folder, "file"), "");
  await expect(refuseUsed(files, folder)).rejects.toMatchObject({
    code: "DIRECTORY_IN_USE",
    message: expect.stringContaining("it holds file"),
  });
  await expect(refuseUsed(files, join(folder, "file"))).rejects.toMatchObject({
    code: "CONFIG_INVALID",
  });
});

test("whatever else the file system says stays as it is", async () => {
  const error = new ServerError("STORAGE_FULL", "make directory /data: ENOSPC");
  const files = new MemoryFiles();
  files.makeDirectory = () => Promise.reject(error);
  await expect(makeDataDirectory(files, "/data")).rejects.toBe(error);
});
