import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { NodeFiles } from "./node-files.ts";
import { readOnlyFiles } from "./read-only-files.ts";

function folderWithFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "quorate-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "file"), "content");
  return folder;
}

test("who only looks reads what is there, and leaves it as it is", async () => {
  const folder = folderWithFile();
  const path = join(folder, "file");
  const files = readOnlyFiles(new NodeFiles());
  const file = await files.open(path, { create: false, durable: true });
  await file.write(0, new Uint8Array(4));
  await file.sync();
  expect(Buffer.from(await file.read(0, 100)).toString()).toBe("content");
  expect(await file.size()).toBe(7);
  await file.close();
  await files.makeDirectory(join(folder, "made"));
  await files.rename(path, join(folder, "renamed"));
  await files.remove(path);
  await files.syncDirectory(folder);
  expect(await files.list(folder)).toEqual(["file"]);
  expect(readdirSync(folder)).toEqual(["file"]);
  expect(readFileSync(path, "utf8")).toBe("content");
});

test("a file that is opened for reading alone takes no writes", async () => {
  const path = join(folderWithFile(), "file");
  const options = { create: false, durable: false, readOnly: true };
  const file = await new NodeFiles().open(path, options);
  await expect(file.write(0, new Uint8Array(4))).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  await file.close();
});
