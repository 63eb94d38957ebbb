import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { runCli } from "../run-cli.ts";
import { systemContext } from "../system-context.ts";

/** Listens, and answers every request as told; its address. */
async function serve(answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((_request, response) => answer(response));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

/** As a server that dies in the middle of it. */
function breakOff(response: ServerResponse): void {
  response.writeHead(200);
  response.write("QRTBACKP", () => void response.socket?.destroy());
}

/** As a server that stands still in the middle of it. */
function standStill(response: ServerResponse): void {
  response.writeHead(200);
  response.write("QRTBACKP");
}

function refuse(response: ServerResponse): void {
  response.writeHead(503);
  response.end("NOT_READY: no leader\n");
}

/** A folder with `files`, in which command lines run. */
function folderWith(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), "quorate-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

async function run(
  workingDirectory: string,
  ...argv: readonly string[]
): Promise<{ readonly exit: number; readonly output: string }> {
  let output = "";
  const sink = {
    isTerminal: false,
    columns: 80,
    write: (text: string | Uint8Array) => void (output += String(text)),
  };
  const context: CliContext = { ...systemContext(), workingDirectory, out: sink, err: sink };
  const exit = await runCli(argv, context);
  return { exit, output };
}

describe("snapshot save", () => {
  test("whose connection breaks says so, leaves nothing behind and asks the next server", async () => {
    const directory = folderWith({ backup: "of before" });
    const [first, second] = [await serve(breakOff), await serve(refuse)];
    const save = ["snapshot", "save", "backup", "--servers", `${first},${second}`];
    const { exit, output } = await run(directory, ...save);
    expect(exit).toBe(EXIT_CODES.unavailable);
    const broken = `${first}: the backup broke off and was thrown away: the connection broke`;
    expect(output).toContain(`(${broken}; ${second}: NOT_READY: no leader)`);
    expect(output).toContain("try again; another server may do better");
    expect(readdirSync(directory)).toEqual(["backup"]);
    expect(readFileSync(join(directory, "backup"), "utf8")).toBe("of before");
  });

  test("of which nothing comes any more is given up", async () => {
    const directory = folderWith({});
    const [first, second] = [await serve(standStill), await serve(refuse)];
    const save = ["snapshot", "save", "backup", "--servers", `${first},${second}`];
    const { exit, output } = await run(directory, ...save, "--timeout", "2");
    expect(exit).toBe(EXIT_CODES.unavailable);
    expect(output).toContain(`${first}: the backup broke off and was thrown away: nothing came`);
    expect(output).toContain(second);
    expect(readdirSync(directory)).toEqual([]);
  });

  test("that found no room on the servers says so, and promises nothing of --local", async () => {
    const full = await serve((response) => {
      response.writeHead(503);
      response.end("STORAGE_FULL: bringing the image up to date takes room\n");
    });
    const save = ["snapshot", "save", "backup", "--servers", full];
    const { output } = await run(folderWith({}), ...save);
    expect(output).toContain("free disk space on a server");
    expect(output).not.toContain("without a quorum");
  });

  test("takes the place of no device", async () => {
    const { exit, output } = await run(folderWith({}), "snapshot", "save", "/dev/null");
    expect([exit, output]).toEqual([EXIT_CODES.usage, expect.stringContaining("is no file")]);
  });
});
