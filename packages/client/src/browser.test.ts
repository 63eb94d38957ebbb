import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const TSC = fileURLToPath(new URL("bin/tsc", import.meta.resolve("typescript/package.json")));
const PROJECT = fileURLToPath(new URL("../tsconfig.browser.json", import.meta.url));

/** Everything that a page loads, by the compiler: with a browser's globals and without Node's. */
test("nothing that a page loads names what a browser lacks", async () => {
  const { stdout } = await run(process.execPath, [TSC, "-p", PROJECT, "--listFiles"]);
  expect(stdout).toContain("client/src/browser-socket.ts");
  expect(stdout).not.toMatch(/ws-socket|@types\/node/);
});
