import { DataTree, TREE_LIMITS } from "@quorate/kv-store";
import { zxid } from "@quorate/kv-store/protocol";
import * as fc from "fast-check";
import { afterEach, expect, it, vi } from "vitest";
import { commandOf, step } from "../support/kv-store/tree-arbitrary.ts";
import { MemoryImage, openCommand } from "../support/kv-store/tree-driver.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

function forbidden(name: string): () => never {
  return () => {
    throw new Error(`${name} was called`);
  };
}

it("asks no clock, no timer and no dice", () => {
  const scripts = fc.sample(fc.array(step, { minLength: 40, maxLength: 40 }), {
    numRuns: 20,
    seed: 7,
  });
  vi.spyOn(Math, "random").mockImplementation(forbidden("Math.random"));
  vi.spyOn(Date, "now").mockImplementation(forbidden("Date.now"));
  vi.spyOn(performance, "now").mockImplementation(forbidden("performance.now"));
  for (const name of ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"] as const) {
    vi.spyOn(globalThis, name).mockImplementation(forbidden(name));
  }
  const digests: string[] = [];
  for (const script of scripts) {
    const tree = new DataTree(TREE_LIMITS);
    const run = (command: Parameters<DataTree["apply"]>[3]) =>
      tree.apply(zxid(tree.lastZxid + 1), 1, { timeMs: 5, clockMs: 5 }, command);
    run(openCommand(Uint8Array.of(1)));
    for (const one of script) {
      run(commandOf(one, { sessions: [...tree.sessions()], zxid: tree.lastZxid, term: 1 }));
    }
    const image = new MemoryImage();
    image.checkpoint(tree);
    digests.push(image.load().digest());
  }
  vi.restoreAllMocks();
  expect(digests).toHaveLength(scripts.length);
});
