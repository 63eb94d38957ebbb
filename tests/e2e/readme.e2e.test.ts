import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { RunningCommand } from "./command.ts";
import { startEnsemble, type TestEnsemble } from "./ensemble.ts";
import { poll } from "./poll.ts";
import { runProgram } from "./program.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const README = readFileSync(join(ROOT, "README.md"), "utf8");
/** Where the reader has started an ensemble. */
const SERVERS_OF_READER = '["127.0.0.1:7001", "127.0.0.1:7002", "127.0.0.1:7003"]';

test("the programs of the README compile strictly and run, more than once", async () => {
  const ensemble = await startEnsemble();
  const application = programOf("In your application");
  expect(application).toContain(SERVERS_OF_READER);
  const build = compile({
    application: application.replace(SERVERS_OF_READER, JSON.stringify(ensemble.servers)),
    test: programOf("In your tests"),
  });
  for (const run of [1, 2]) {
    const { exit, output } = await runProgram(join(build, "application.js"));
    expect([run, exit, output]).toEqual([
      run,
      0,
      expect.stringMatching(/^dataChanged \/config green\nleading with fencing token \d+\n$/),
    ]);
  }
  expect(await runProgram(join(build, "test.js"))).toEqual({ exit: 0, output: "" });
  const plain = join(build, "plain.js");
  writeFileSync(plain, programOf("In your tests", "js"));
  expect(await runProgram(plain)).toEqual({ exit: 0, output: "" });
});

test("the commands of the README do what it says", async () => {
  const ensemble = await startEnsemble();
  const [watch, ...others] = commandsOf(README).sort(watchFirst);
  const create = others.shift() ?? [];
  const outputs = [await run(ensemble, create)];
  const watching = start(ensemble, [...(watch ?? []), "--count", "1"]);
  await poll("the watch to stand", 20_000, () => hasWatch(ensemble));
  for (const command of others) outputs.push(await run(ensemble, command));
  expect(await watching.ended()).toBe(0);

  expect(outputs.slice(0, -1)).toEqual([
    "/greeting\n",
    "hello\n",
    "version 1\n",
    "holding lock /locks/backup\n",
    "I lead\n",
  ]);
  expect(outputs.at(-1)).toMatch(/ leader /);
  expect(watching.output).toMatch(/^zxid \d+ dataChanged \/greeting\n$/);
});

/** All TypeScript, or all JavaScript, of a section, in one program, as its reader would put it together. */
function programOf(title: string, language: "ts" | "js" = "ts"): string {
  const section = README.split("\n## ").find((text) => text.startsWith(`${title}\n`)) ?? "";
  return [...section.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))]
    .map(([, code]) => code)
    .join("\n");
}

/** Compiles programs as an application would, and returns the folder of what came out. */
function compile(programs: Readonly<Record<string, string>>): string {
  const cache = join(ROOT, ".cache");
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, "readme-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(directory, `${name}.ts`), text);
  }
  const [, settings = ""] = /```json\n(.*?)```/s.exec(README) ?? [];
  writeFileSync(join(directory, "tsconfig.json"), settings);
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", directory],
    { encoding: "utf8" },
  );
  expect([stdout, status]).toEqual(["", 0]);
  return directory;
}

type Words = readonly string[];

/** The words of every `npx quorate` line, with its waits shortened. */
function commandsOf(text: string): Words[] {
  const lines = text.match(/^npx quorate [^#\n]*/gm) ?? [];
  return lines.map((line) => {
    const words = line.match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
    return words
      .slice(2)
      .map((word) => word.replace(/^(['"])(.*)\1$/, "$2").replace(/sleep \d+/, "sleep 0"));
  });
}

/** It is left running while the others are typed. */
function watchFirst(a: Words, b: Words): number {
  return Number(b[0] === "watch") - Number(a[0] === "watch");
}

function start(ensemble: TestEnsemble, words: Words): RunningCommand {
  return new RunningCommand(words, { QUORATE_SERVERS: ensemble.servers.join(",") });
}

async function run(ensemble: TestEnsemble, words: Words): Promise<string> {
  const command = start(ensemble, words);
  expect([words, await command.ended()]).toEqual([words, 0]);
  return command.output;
}

async function hasWatch(ensemble: TestEnsemble): Promise<true | null> {
  for (const server of ensemble.servers) {
    const response = await fetch(`http://${server}/status`);
    const status: unknown = await response.json();
    const hasSome = typeof status === "object" && status !== null && "watches" in status;
    if (hasSome && status.watches !== 0) return true;
  }
  return null;
}
