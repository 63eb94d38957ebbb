import type { QuorateClient } from "@quorate/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { CliContext } from "./context.ts";
import { openClient } from "./open-client.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A command's surroundings, of which connecting takes `delayMs`; and what it writes. */
function surroundings(
  isTerminal: boolean,
  delayMs: number,
): { readonly context: CliContext; readonly written: string[] } {
  const written: string[] = [];
  const context = {
    err: { isTerminal, columns: 80, write: (text: string) => void written.push(text) },
    connect: () =>
      new Promise<QuorateClient>((resolve) => {
        setTimeout(() => resolve({} as QuorateClient), delayMs);
      }),
  } as unknown as CliContext;
  return { context, written };
}

const OPTIONS = { servers: ["a:1", "b:1"], connectTimeoutMs: 10_000 };

test("says on a terminal whom it waits for, and until when", async () => {
  const { context, written } = surroundings(true, 3_000);
  const opening = openClient(context, OPTIONS);
  await vi.advanceTimersByTimeAsync(3_000);
  await opening;
  expect(written).toEqual(["no answer yet from a:1, b:1; gives up after 10 s\n"]);
});

test.each([
  ["where nobody looks", false, 3_000],
  ["when a server answers soon", true, 1_000],
])("says nothing %s", async (_when, isTerminal, delayMs) => {
  const { context, written } = surroundings(isTerminal, delayMs);
  const opening = openClient(context, OPTIONS);
  await vi.advanceTimersByTimeAsync(5_000);
  await opening;
  expect(written).toEqual([]);
});
