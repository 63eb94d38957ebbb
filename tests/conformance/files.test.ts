import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { NodeFiles } from "../../packages/server/src/storage/node-files.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { filesSuite } from "./files.suite.ts";

filesSuite("the machine's", async () => {
  const directory = await tempDirectory();
  return { files: new NodeFiles(), root: directory.path, release: () => directory.remove() };
});

filesSuite("in memory", async () => {
  const files = new MemoryFiles();
  await files.makeDirectory("/root");
  return { files, root: "/root", release: async () => {} };
});
