import { QuorateError, type Lock } from "@quorate/client";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { heldEnvironment, runWhileHeld } from "./held-command.ts";

const NODE = process.execPath;
const KILL_AFTER_MS = 200;

describe("a command under a lock", () => {
  test("gives its own exit code", async () => {
    expect(await run(new FakeLock(), "process.exit(7)")).toBe(7);
    expect(await run(new FakeLock(), "")).toBe(0);
  });

  test("that dies of a signal gives 128 and its number", async () => {
    expect(await run(new FakeLock(), "process.kill(process.pid, 'SIGKILL')")).toBe(137);
  });

  test("finds the lock in its environment", async () => {
    const script =
      "process.exit(process.env.QUORATE_LOCK_TOKEN === '42' && process.env.QUORATE_LOCK_PATH === '/l' ? 0 : 1)";
    expect(await run(new FakeLock(), script)).toBe(0);
  });

  test("that cannot be found says so", async () => {
    const lock = new FakeLock();
    const held = { lock, command: ["no-such-command-here"], env: {}, killAfterMs: KILL_AFTER_MS };
    await expect(runWhileHeld(fakeContext(), held)).rejects.toMatchObject({
      exitCode: EXIT_CODES.commandNotFound,
    });
  });

  test("is stopped when the lock is lost, with its own code for it", async () => {
    const lock = new FakeLock();
    const whenUp = "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000);";
    await expect(runUntilLost(lock, whenUp)).rejects.toMatchObject({ exitCode: EXIT_CODES.lost });
  });

  test("is killed when it does not stop", async () => {
    const lock = new FakeLock();
    const whenUp = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);";
    const startedMs = performance.now();
    await expect(runUntilLost(lock, whenUp)).rejects.toMatchObject({ exitCode: EXIT_CODES.lost });
    expect(performance.now() - startedMs).toBeGreaterThan(KILL_AFTER_MS);
  });

  test("gets this process's signals", async () => {
    const context = fakeContext();
    const script = "process.on('SIGTERM', () => process.exit(9)); setInterval(() => {}, 1000);";
    const exit = whenReady(
      script,
      () => context.raise("SIGTERM"),
      (command) =>
        runWhileHeld(context, {
          lock: new FakeLock(),
          command,
          env: {},
          killAfterMs: KILL_AFTER_MS,
        }),
    );
    expect(await exit).toBe(9);
  });
});

function run(lock: FakeLock, script: string): Promise<number> {
  const env = heldEnvironment({ PATH: process.env["PATH"] }, lock, ["s:1"]);
  const held = { lock, command: [NODE, "-e", script], env, killAfterMs: KILL_AFTER_MS };
  return runWhileHeld(fakeContext(), held);
}

function runUntilLost(lock: FakeLock, script: string): Promise<number> {
  return whenReady(
    script,
    () => lock.lose(),
    (command) =>
      runWhileHeld(fakeContext(), { lock, command, env: {}, killAfterMs: KILL_AFTER_MS }),
  );
}

/** Calls `then` once the script's handlers are in place, which it tells through a file. */
async function whenReady<T>(
  script: string,
  then: () => void,
  start: (command: readonly string[]) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "quorate-held-"));
  const file = join(directory, "ready");
  const told = `${script} require("node:fs").writeFileSync(${JSON.stringify(file)}, "ready");`;
  const timer = setInterval(() => {
    if (!isReady(file)) return;
    clearInterval(timer);
    then();
  }, 5);
  try {
    return await start([NODE, "-e", told]);
  } finally {
    clearInterval(timer);
    rmSync(directory, { recursive: true });
  }
}

function isReady(file: string): boolean {
  try {
    return readFileSync(file, "utf8") === "ready";
  } catch {
    return false;
  }
}

class FakeLock implements Lock {
  readonly path = "/l";
  readonly contender = "/l/c";
  readonly token = JSON.parse("42");
  readonly #abort = new AbortController();

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  lose(): void {
    this.#abort.abort(new QuorateError("LOCK_LOST", "gone"));
  }

  guard = (): never => {
    throw new Error("not in this double");
  };
  assertHeld = (): void => undefined;
  release = async (): Promise<void> => undefined;
  [Symbol.asyncDispose] = async (): Promise<void> => undefined;
}

function fakeContext(): CliContext & { raise(signal: "SIGINT" | "SIGTERM"): void } {
  const listeners = new Set<(signal: "SIGINT" | "SIGTERM") => void>();
  const unused = (): never => {
    throw new Error("not in this double");
  };
  const sink = { write: () => undefined, isTerminal: false, columns: 80 };
  return {
    env: {},
    workingDirectory: tmpdir(),
    out: sink,
    err: sink,
    isInputTerminal: false,
    ask: unused,
    readInput: unused,
    readFile: unused,
    connect: unused,
    fetchText: unused,
    postJson: unused,
    postStream: unused,
    spawn: (command, args, options) => spawn(command, args, options),
    onSignal: (callback) => {
      listeners.add(callback);
      return { [Symbol.dispose]: () => void listeners.delete(callback) };
    },
    raise: (signal) => {
      for (const listener of listeners) listener(signal);
    },
  };
}
