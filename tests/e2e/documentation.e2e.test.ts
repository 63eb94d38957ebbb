import { EXIT_CODES } from "@quorate/cli";
import { SERVER_EXIT_CODES } from "@quorate/server";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { quorate } from "./command.ts";
import { startEnsemble } from "./ensemble.ts";

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
