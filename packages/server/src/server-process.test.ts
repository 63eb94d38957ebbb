import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { expect, test } from "vitest";
import { SERVER_EXIT_CODES } from "./exit-codes.ts";

/** A program that is not ended by force: it goes when nothing keeps it. */
const PROGRAM = `
  import { runServerProcess } from ${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)};
  process.exitCode = await runServerProcess(process.argv.slice(1), {});
`;

test("a node that is over keeps no process alive whose standard input stays open", async () => {
  // No directory can be made there: the node does not start.
  const flags = ["--stop-with-stdin", "--data-directory", "/proc/none", "--log-level", "silent"];
  const program = ["--input-type=module", "-e", PROGRAM, "--", ...flags];
  const child = spawn(process.execPath, program, { stdio: ["pipe", "ignore", "inherit"] });
  try {
    const [code]: readonly unknown[] = await once(child, "exit");
    expect(code).toBe(SERVER_EXIT_CODES.storage);
  } finally {
    child.kill("SIGKILL");
  }
}, 30_000);

test("a data directory that a file is in the way of is told like every other wrong setting", async () => {
  const flags = ["--data-directory", "/dev/null/none"];
  const program = ["--input-type=module", "-e", PROGRAM, "--", ...flags];
  const child = spawn(process.execPath, program, { stdio: ["ignore", "pipe", "pipe"] });
  try {
    const errors: Buffer[] = [];
    child.stderr.on("data", (bytes: Buffer) => errors.push(bytes));
    const [code]: readonly unknown[] = await once(child, "close");
    expect(Buffer.concat(errors).toString()).toMatch(/^CONFIG_INVALID: .*name another folder/m);
    expect(code).toBe(SERVER_EXIT_CODES.usage);
  } finally {
    child.kill("SIGKILL");
  }
}, 30_000);

test("on a terminal a node that cannot start says why in words", async () => {
  const flags = ["--data-directory", "/proc/none"];
  const program = [process.execPath, "--input-type=module", "-e", PROGRAM, "--", ...flags];
  const command = program.map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    const output: Buffer[] = [];
    child.stdout.on("data", (bytes: Buffer) => output.push(bytes));
    const [code]: readonly unknown[] = await once(child, "close");
    const lines = Buffer.concat(output).toString().trim().split("\r\n");
    expect(lines.at(-1)).toMatch(/ ERROR the node could not start error="STORAGE_FAILED: /);
    expect(code).toBe(SERVER_EXIT_CODES.storage);
  } finally {
    child.kill("SIGKILL");
  }
}, 30_000);

test("help whose reader has gone ends without a word, as programs do that die of SIGPIPE", async () => {
  const program = ["--input-type=module", "-e", PROGRAM, "--", "--help"];
  const child = spawn(process.execPath, program, { stdio: ["ignore", "pipe", "pipe"] });
  try {
    child.stdout.destroy();
    const errors: Buffer[] = [];
    child.stderr.on("data", (bytes: Buffer) => errors.push(bytes));
    const [code]: readonly unknown[] = await once(child, "close");
    expect(Buffer.concat(errors).toString()).toBe("");
    expect(code).toBe(128 + constants.signals.SIGPIPE);
  } finally {
    child.kill("SIGKILL");
  }
}, 30_000);
