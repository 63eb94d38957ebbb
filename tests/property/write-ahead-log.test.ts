import { logIndex } from "@quorate/raft";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { MEMBERSHIP, commands, hardState, openLog } from "../support/log-fixture.ts";
import { EMPTY, after, difference, perform, type LogAction } from "../support/log-model.ts";

/** A step in numbers; what it does follows from them and from what the log holds then. */
interface Step {
  readonly kind: "append" | "replace" | "vote" | "compact" | "snapshot" | "restart" | "tear";
  readonly a: number;
  readonly b: number;
}

const stepArbitrary: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    "append",
    "append",
    "append",
    "replace",
    "vote",
    "compact",
    "snapshot",
    "restart",
    "tear",
  ),
  a: fc.nat(9),
  b: fc.oneof(fc.nat(100), fc.nat(3_000)),
});

class Session {
  files: MemoryFiles;
  #content = EMPTY;
  #term = 1;
  #covered = 0;
  #log: Awaited<ReturnType<typeof openLog>>["log"] | null = null;

  constructor(seed: number) {
    this.files = new MemoryFiles({ seed });
  }

  async begin(): Promise<void> {
    this.#log = (await openLog(this.files, { create: true })).log;
  }

  async take(step: Step): Promise<void> {
    if (step.kind === "restart") return this.#restart(null);
    if (step.kind === "tear") return this.#restart(this.#action({ ...step, kind: "append" }));
    const action = this.#action(step);
    if (action.kind === "compact") this.#covered = Math.max(this.#covered, action.upTo);
    await perform(this.#open(), action);
    this.#content = after(this.#content, action);
    expect(await difference(this.#open(), this.#content, this.#covered)).toBeNull();
  }

  /** Power is lost, perhaps while something is being written. */
  async #restart(under: LogAction | null): Promise<void> {
    if (under !== null) {
      const held = this.files.holdNext("write");
      void perform(this.#open(), under);
      await held.reached;
    }
    this.files = this.files.crash();
    const { log, recovered } = await openLog(this.files);
    expect(recovered.damage).toBeNull();
    this.#log = log;
    const possible =
      under === null ? [this.#content] : [this.#content, after(this.#content, under)];
    const found = [];
    for (const content of possible) found.push(await difference(log, content, this.#covered));
    expect(found).toContain(null);
    this.#content = possible[found.indexOf(null)]!;
  }

  #action({ kind, a, b }: Step): LogAction {
    const { last, base } = this.#content;
    const floor = Math.max(base, this.#covered);
    if (kind === "compact") {
      return { kind: "compact", upTo: logIndex(floor + Math.floor(((last - floor) * a) / 10)) };
    }
    // What an image covers is never replaced.
    const back = kind === "replace" ? Math.min(a, last - floor) : 0;
    if (kind === "replace" || kind === "vote") this.#term += 1;
    const marker = kind === "snapshot" ? last + a : null;
    const from = (marker ?? last - back) + 1;
    const count = kind === "vote" ? 0 : kind === "snapshot" ? a % 3 : 1 + (a % 4);
    return {
      kind: "persist",
      hardState: hardState(this.#term, kind === "vote" ? a + 1 : null),
      snapshot:
        marker === null
          ? null
          : { index: logIndex(marker), term: hardState(this.#term).term, membership: MEMBERSHIP },
      entries: commands(from, from + count - 1, this.#term, b),
    };
  }

  #open(): Awaited<ReturnType<typeof openLog>>["log"] {
    if (this.#log === null) throw new Error("not begun");
    return this.#log;
  }
}

describe("write-ahead log", () => {
  test("holds what a plain model holds, over restarts and torn writes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(stepArbitrary, { minLength: 5, maxLength: 60 }),
        fc.nat(1_000_000),
        async (steps, seed) => {
          const session = new Session(seed);
          await session.begin();
          for (const step of steps) await session.take(step);
        },
      ),
      { numRuns: 150 },
    );
  });
});
