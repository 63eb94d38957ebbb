import { EXIT_CODES } from "@quorate/cli";
import { SERVER_EXIT_CODES } from "@quorate/server";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { quorate } from "./command.ts";
import { SERVER_MAIN, startEnsemble } from "./ensemble.ts";
import { runProgram } from "./program.ts";

const COMMANDS_PAGE = pageOf("docs/cli.md");
const OPERATIONS_PAGE = pageOf("docs/operations.md");

test("docs/cli.md names every command, every option and every exit code", async () => {
  const commands = await commandsBelow([]);
  expect(commands.map(({ name }) => name)).toContain("wal dump");
  const missing: string[] = [];
  for (const { name, help } of commands) {
    if (!COMMANDS_PAGE.includes(name)) missing.push(name);
    // `server` shows the server's own flags, which its help explains.
    if (name === "server") continue;
    for (const [, option = ""] of help.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)) {
      if (option !== "--help" && !COMMANDS_PAGE.includes(option)) missing.push(`${name} ${option}`);
    }
  }
  expect(missing).toEqual([]);
  expect(codesOf(COMMANDS_PAGE)).toEqual(Object.values(EXIT_CODES).sort((a, b) => a - b));
});

test("docs/operations.md names every exit code of a server, and metrics, settings and paths that exist", async () => {
  expect(codesOf(OPERATIONS_PAGE)).toEqual(Object.values(SERVER_EXIT_CODES).sort((a, b) => a - b));
  const ensemble = await startEnsemble({ nodes: 1 });
  const [server = ""] = ensemble.servers;
  const metrics = await textOf(`http://${server}/metrics`);
  const settings = (await quorate("server", "--help")).output;
  const missing = [
    ...unknownIn(/\bquorate_\w+/g, metrics),
    ...unknownIn(/(?<=`)--[\w-]+(?=`)/g, settings),
  ];
  expect(missing).toEqual([]);
  for (const [path] of OPERATIONS_PAGE.matchAll(/(?<=^\| `)\/\w+/gm)) {
    expect([path, (await fetch(`http://${server}${path}`)).status]).toEqual([path, 200]);
  }
});

test("the configuration in docs/operations.md is one", async () => {
  const directory = mkdtempSync(join(process.env["QUORATE_TEST_DIR"] ?? tmpdir(), "quorate-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const [, toml = ""] = /```toml\n(.*?)```/s.exec(OPERATIONS_PAGE) ?? [];
  const file = join(directory, "node.toml");
  // Addresses that no machine has (RFC 5737), so that what fails is listening and nothing before it.
  writeFileSync(file, toml.replaceAll("10.0.0.", "192.0.2."));
  const flags = ["--config", file, "--data-directory", join(directory, "data")];
  const { exit, output } = await runProgram(SERVER_MAIN, flags);
  expect(output).toContain("ADDRESS_UNAVAILABLE");
  expect(exit).toBe(SERVER_EXIT_CODES.address);
});

interface CommandHelp {
  readonly name: string;
  readonly help: string;
}

/** Every command at the ends of the tree of commands. */
async function commandsBelow(parent: readonly string[]): Promise<readonly CommandHelp[]> {
  const { output } = await quorate(...parent, "--help");
  const names = [...output.matchAll(/^ {2}([a-z]+)(?: \[options\])?(?: [<[][^\n]*?)? {2,}\S/gm)]
    .map(([, name = ""]) => name)
    .filter((name) => name !== "help" && name !== "quorate");
  const name = parent.join(" ");
  if (names.length === 0 || name === "server") return [{ name, help: output }];
  const lists = await Promise.all(names.map((below) => commandsBelow([...parent, below])));
  return lists.flat();
}

/** The numbers in the first column of a page's table of exit codes, ascending. */
function codesOf(page: string): readonly number[] {
  return [...page.matchAll(/^\| ([\d, ]+?) +\|/gm)]
    .flatMap(([, codes = ""]) => codes.split(", ").map(Number))
    .sort((a, b) => a - b);
}

/** What the page on operations names and `known` does not contain. */
function unknownIn(pattern: RegExp, known: string): readonly string[] {
  const names = [...OPERATIONS_PAGE.matchAll(pattern)].map(([name]) => name);
  expect(names).not.toEqual([]);
  return names.filter((name) => !known.includes(name));
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}

function pageOf(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");
}
