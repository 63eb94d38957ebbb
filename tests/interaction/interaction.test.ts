import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parseScript, runScript } from "./datadriven.ts";
import { InteractionEnv } from "./interaction-env.ts";

const folder = fileURLToPath(new URL("./scripts/", import.meta.url));
const rewrite = process.env["UPDATE_SCRIPTS"] === "1";
const scripts = readdirSync(folder).filter((name) => name.endsWith(".txt"));

describe("Raft scenarios", () => {
  test.each(scripts)("%s", (name) => {
    const env = new InteractionEnv();
    const result = runScript(`${folder}${name}`, (command) => env.run(command), { rewrite });
    expect(result.actual).toBe(rewrite ? result.actual : result.expected);
  });
});

describe("scripts", () => {
  test("commands, expectation and comments are told apart", () => {
    expect(parseScript("# why\nfirst 1\nsecond\n----\nline\n\n# end\n")).toEqual([
      { comments: ["# why"], commands: ["first 1", "second"], expected: "line" },
      { comments: ["# end"], commands: [], expected: "" },
    ]);
  });

  test("a command without its separator is an error", () => {
    expect(() => parseScript("lost\n\n")).toThrow("no ----");
  });
});
