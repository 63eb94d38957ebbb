import { QuorateError, type LockOptions } from "@quorate/client";
import { afterEach, expect, test, vi } from "vitest";
import type { CliContext, EndSignal } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { runCli } from "../run-cli.ts";

afterEach(() => vi.useRealTimers());

/** `quorate lock web` against a lock that somebody else holds: what is told after so long, and the exit code once interrupted. */
async function waited(ms: number, isTerminal: boolean) {
  vi.useFakeTimers();
  let told = "";
  let interrupt: (signal: EndSignal) => void = () => undefined;
  const sink = { isTerminal, columns: 80, write: (text: string) => void (told += text) };
  const acquire = ({ signal }: LockOptions): Promise<never> =>
    new Promise((_, reject) => {
      signal?.addEventListener("abort", () => reject(new QuorateError("ABORTED", "aborted")));
    });
  const context = {
    env: {},
    workingDirectory: "/",
    out: sink,
    err: sink,
    connect: async () => ({ lock: () => ({ acquire }), close: async () => undefined }),
    onSignal: (callback: typeof interrupt) => {
      interrupt = callback;
      return { [Symbol.dispose]: () => undefined };
    },
  };
  const argv = ["lock", "web", "-s", "a:1", "--", "true"];
  const exit = runCli(argv, context as unknown as CliContext);
  await vi.advanceTimersByTimeAsync(ms);
  const before = told;
  interrupt("SIGINT");
  return { told: before, exit: await exit };
}

test("who waits for a lock at a terminal is told what for, and how to see who holds it", async () => {
  const { told, exit } = await waited(1_000, true);
  expect(told).toBe(
    "waiting for /locks/web (`quorate ls --long /locks/web` shows who holds it; Ctrl-C gives up)\n",
  );
  expect(exit).toBe(EXIT_CODES.interrupted);
});

test("nothing is told of a short wait, nor where nobody reads it", async () => {
  expect(await waited(999, true)).toMatchObject({ told: "" });
  expect(await waited(5_000, false)).toMatchObject({ told: "" });
});
