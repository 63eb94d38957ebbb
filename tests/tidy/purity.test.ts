import { describe, expect, test } from "vitest";
import { blankComments } from "./blank-text.ts";
import { findBreaches, type LineRule } from "./line-rule.ts";
import { packageOf, productFiles } from "./source-files.ts";

const CLOCK = "time enters as a tick or as a stamp in the command";
const CHANCE = "randomness enters as a seed";
const SYNCHRONOUS = "a pure core is synchronous: its host does what takes time";
const REPLICAS = "replicas must compute alike on every machine and in every locale";

const rule = (name: string, pattern: RegExp, reason: string): LineRule => ({
  name,
  pattern,
  reason,
});

/** What raft and kv-store may not even name. */
const PURITY_RULES: readonly LineRule[] = [
  rule("Date", /\bDate\b(?!\s*:)/, CLOCK),
  rule("performance", /\bperformance\b/, CLOCK),
  rule("timers", /\b(?:set|clear)(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/, CLOCK),
  rule("Math.random", /\bMath\s*\.\s*random\b/, CHANCE),
  rule("crypto", /\bcrypto\b/, CHANCE),
  rule("promises", /\bPromise\b|\basync\b|\bawait\b/, SYNCHRONOUS),
  rule("console", /\bconsole\b/, "a pure core has no output beside its results"),
  rule("process", /\bprocess\s*[.[]/, "a pure core knows nothing of its process"),
  rule("Buffer", /\bBuffer\b/, "bytes are Uint8Array: a Buffer is Node's"),
  rule("locale", /\blocaleCompare\b|\bIntl\b|\btoLocale\w*\b/, REPLICAS),
  rule("garbage collection", /\bWeakRef\b|\bFinalizationRegistry\b/, REPLICAS),
  rule("global state", /\bglobalThis\b/, "state belongs to an instance"),
];

const withoutText = (text: string): string => blankComments(text, { strings: true });

describe("raft and kv-store", () => {
  test("name no clock, no chance, no input and no output", () => {
    const pure = productFiles().filter(({ path }) =>
      ["raft", "kv-store"].includes(packageOf(path)),
    );
    expect(pure.length).toBeGreaterThan(30);
    expect(findBreaches(pure, PURITY_RULES, withoutText)).toEqual([]);
  });
});

describe("the client's core", () => {
  test("takes time and chance from its ports alone", () => {
    const rules = PURITY_RULES.filter(({ name }) =>
      ["Date", "timers", "Math.random", "crypto", "console", "Buffer", "process"].includes(name),
    );
    const core = productFiles().filter(
      ({ path }) => packageOf(path) === "client" && !CLIENT_PORT_FILES.has(path),
    );
    expect(core.length).toBeGreaterThan(5);
    expect(findBreaches(core, rules, withoutText)).toEqual([]);
  });
});

/** The files that give the client its real socket, clock and randomness. */
const CLIENT_PORT_FILES: ReadonlySet<string> = new Set([
  "packages/client/src/ws-socket.ts",
  "packages/client/src/system-ports.ts",
]);

describe("the rules", () => {
  test.each([
    "const now = Date.now();",
    "setTimeout(run, 1);",
    "return Math.random();",
    "async function run() {}",
    "console.log(1);",
    "const bytes = Buffer.alloc(1);",
    "names.sort((a, b) => a.localeCompare(b));",
    "process.exit(1);",
  ])("catch %s", (line) => {
    const file = { path: "packages/raft/src/a.ts", text: line };
    expect(findBreaches([file], PURITY_RULES, withoutText)).toHaveLength(1);
  });

  test.each([
    "// what Date.now() would say",
    'const text = "setTimeout(run, 1)";',
    "/* async\n await */",
    "const processed = process;",
    "const pattern = /Buffer/;",
  ])("leave alone %s", (line) => {
    const file = { path: "packages/raft/src/a.ts", text: line };
    expect(findBreaches([file], PURITY_RULES, withoutText)).toEqual([]);
  });
});
