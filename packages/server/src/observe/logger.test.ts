import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ServerError } from "../errors.ts";
import {
  createMemoryLogger,
  createProcessLogger,
  SILENT_LOGGER,
  type ProcessLogger,
  type ProcessLoggerOptions,
} from "./logger.ts";

const wallClock = { nowMs: () => Date.UTC(2024, 0, 2, 3, 4, 5, 6) };
let folder = "";
const descriptors: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quorate-logger-"));
});

afterEach(() => {
  for (const descriptor of descriptors.splice(0)) closeSync(descriptor);
  rmSync(folder, { recursive: true });
});

function open(path: string, flags: number | string): number {
  const descriptor = openSync(path, flags);
  descriptors.push(descriptor);
  return descriptor;
}

function loggerInto(
  fileDescriptor: number,
  options: Partial<ProcessLoggerOptions> = {},
): ProcessLogger {
  return createProcessLogger({
    level: "info",
    format: "json",
    wallClock,
    fileDescriptor,
    ...options,
  });
}

describe("createProcessLogger", () => {
  test("writes one JSON object a line, with the injected time and bound fields", async () => {
    const path = join(folder, "log");
    const logger = loggerInto(open(path, "a"), { format: "auto" });
    logger.debug({}, "not shown");
    logger
      .child({ peer: "2" })
      .warn({ error: new Error("broken", { cause: new Error("wire") }) }, "lost");
    await logger.flush();
    const lines = readFileSync(path, "utf8").trim().split("\n");
    expect(lines).toHaveLength(1);
    const line = JSON.parse(lines[0]!);
    expect(line).toMatchObject({
      level: "warn",
      time: "2024-01-02T03:04:05.006Z",
      peer: "2",
      message: "lost",
    });
    expect(line.error.message).toContain("broken");
    expect(line.error.stack).toContain("logger.test.ts");
  });

  test("tells machines where a bug is, and of what was foreseen what it says, with what the system said", async () => {
    const path = join(folder, "log");
    const logger = loggerInto(open(path, "a"));
    const taken = Object.assign(new Error("listen EADDRINUSE"), { code: "EADDRINUSE" });
    logger.error({ error: new ServerError("ADDRESS_IN_USE", "7001 is taken", taken) }, "no start");
    const bug = new TypeError("boom");
    logger.error({ error: new ServerError("STORAGE_FAILED", "it is broken", bug) }, "no start");
    logger.error({ error: taken }, "nobody saw it coming");
    await logger.flush();
    const lines = readFileSync(path, "utf8").trim().split("\n");
    const [foreseen, caused, raw] = lines.map((line): unknown => JSON.parse(line).error);
    const { message, code } = taken;
    expect(foreseen).toEqual({
      ...{ type: "ServerError", name: "ServerError", code: "ADDRESS_IN_USE" },
      message: "ADDRESS_IN_USE: 7001 is taken",
      cause: { type: "Error", message, code },
    });
    const stack: unknown = expect.stringContaining("logger.test.ts");
    expect(caused).not.toHaveProperty("stack");
    expect(caused).toHaveProperty("cause.stack", stack);
    expect(raw).toHaveProperty("stack", stack);
  });

  test("writes lines for people", async () => {
    const path = join(folder, "log");
    const logger = loggerInto(open(path, "a"), { level: "debug", format: "text" });
    logger.info({ peer: "2", reason: "gone away", count: 3 }, "link lost");
    await logger.flush();
    expect(readFileSync(path, "utf8")).toBe(
      '2024-01-02T03:04:05.006Z INFO  link lost peer=2 reason="gone away" count=3\n',
    );
  });

  test("tells people of an error what it says, and where a bug is", async () => {
    const path = join(folder, "log");
    const logger = loggerInto(open(path, "a"), { format: "text" });
    logger.error({ error: new ServerError("ADDRESS_IN_USE", "7001 is taken") }, "no start");
    logger.error({ error: new TypeError("boom") }, "a bug");
    await logger.flush();
    const [foreseen, bug, frame] = readFileSync(path, "utf8").split("\n");
    expect(foreseen).toMatch(/ERROR no start error="ADDRESS_IN_USE: 7001 is taken"$/);
    expect(bug).toMatch(/ERROR a bug error=boom$/);
    expect(frame).toContain("logger.test.ts");
  });

  test("drops and counts when nobody reads, returns from flush, and tells the count later", async () => {
    const path = join(folder, "pipe");
    execFileSync("mkfifo", [path]);
    const pipe = open(path, constants.O_RDWR | constants.O_NONBLOCK);
    const logger = loggerInto(pipe, { bufferBytesMax: 65_536 });
    const text = "x".repeat(1000);
    for (let count = 0; count < 1000; count += 1) logger.info({ text }, "filler");
    await logger.flush(50);
    for (let count = 0; count < 1000; count += 1) logger.info({ text }, "filler");
    expect(logger.droppedCount).toBeGreaterThan(100);
    let read = "";
    const buffer = Buffer.alloc(65_536);
    const deadline = performance.now() + 10_000;
    while (!read.includes("were dropped") && performance.now() < deadline) {
      await logger.flush(20);
      try {
        read += buffer.toString("latin1", 0, readSync(pipe, buffer));
      } catch (error) {
        expect(error).toMatchObject({ code: "EAGAIN" });
      }
    }
    expect(read).toMatch(/"count":\d+,"message":"log lines were dropped/);
  });

  test("a reader that goes away costs lines, not the process", async () => {
    const path = join(folder, "pipe");
    execFileSync("mkfifo", [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = open(path, constants.O_WRONLY | constants.O_NONBLOCK);
    const logger = loggerInto(writer);
    closeSync(reader);
    logger.info({}, "into the void");
    await logger.flush();
    logger.info({}, "and again");
    await logger.flush();
    expect(logger.droppedCount).toBe(2);
  });
});

describe("createMemoryLogger", () => {
  test("keeps the newest lines with the fields of its children", () => {
    const logger = createMemoryLogger(2);
    logger.info({}, "first");
    logger.child({ a: 1 }).child({ b: 2 }).error({ c: 3 }, "second");
    logger.debug({}, "third");
    expect(logger.lines).toEqual([
      { level: "error", fields: { a: 1, b: 2, c: 3 }, message: "second" },
      { level: "debug", fields: {}, message: "third" },
    ]);
  });

  test("the silent one says nothing", () => {
    expect(SILENT_LOGGER.child({}).info({}, "nothing")).toBeUndefined();
  });
});
