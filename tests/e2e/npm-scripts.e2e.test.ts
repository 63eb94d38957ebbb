import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { ownPorts } from "../support/own-ports.ts";
import { isRunning } from "./is-running.ts";
import { poll } from "./poll.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const WAIT_MS = 40_000;

test("npm start that is told to end stops its nodes in order", async () => {
  const directory = mkdtempSync(join(process.env["QUORATE_TEST_DIR"] ?? tmpdir(), "quorate-"));
  const [ports] = await ownPorts(1);
  const flags = ["--data", directory, "--port", String(ports?.client)];
  // Without the scripts before it: they would build.
  const npm = spawn("npm", ["start", "--ignore-scripts", "--", ...flags], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  onTestFinished(() => {
    killGroup(npm.pid);
    rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  });
  let output = "";
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  await poll("a leader", WAIT_MS, () => /leads in term/.exec(output));
  const nodes = [...output.matchAll(/node \d +process (\d+)/g)].map(([, id]) => Number(id));
  expect(nodes).toHaveLength(3);

  // npm itself, as a supervisor does, and not its whole group, as a terminal does.
  npm.kill("SIGTERM");
  await poll("npm to end", WAIT_MS, () => npm.exitCode ?? npm.signalCode);
  expect(nodes.filter(isRunning)).toEqual([]);
  for (const name of ["1", "2", "3"]) {
    const log = readFileSync(join(directory, `node-${name}.log`), "utf8");
    expect(log.trimEnd().split("\n").at(-1)).toContain("stopped");
  }
});

/** Whatever is left of it. */
function killGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // All have ended.
  }
}
