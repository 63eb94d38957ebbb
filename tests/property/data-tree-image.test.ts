import {
  type Checkpoint,
  type Command,
  DataTree,
  decodeCommand,
  encodeCommand,
  stampCommand,
  TREE_LIMITS,
} from "@quorate/kv-store";
import { zxid } from "@quorate/kv-store/protocol";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { commandOf, step, type Step } from "../support/kv-store/tree-arbitrary.ts";
import { MemoryImage, openCommand } from "../support/kv-store/tree-driver.ts";

const TERM = 3;
/** So small that the change log drops revisions all the time. */
const LIMITS = { ...TREE_LIMITS, changeLogCountMax: 12, changeLogImagedMax: 12 };

const steps = fc.array(step, { minLength: 1, maxLength: 60, size: "max" });

/** Applies commands through their bytes, as a server does. */
function applyTo(tree: DataTree, index: number, command: Command) {
  const bytes = encodeCommand(command);
  stampCommand(bytes, { timeMs: 1000 + index, clockMs: index * 10 });
  const decoded = decodeCommand(bytes);
  return tree.apply(zxid(index), TERM, decoded.stamp, decoded.command);
}

function newTree(): DataTree {
  const tree = new DataTree(LIMITS);
  for (let i = 1; i <= 3; i += 1) applyTo(tree, i, openCommand(Uint8Array.of(i)));
  return tree;
}

function commandFor(tree: DataTree, drawn: Step): Command {
  return commandOf(drawn, { sessions: [...tree.sessions()], zxid: tree.lastZxid, term: TERM });
}

function changesOf(tree: DataTree) {
  const from = tree.changesSince(0);
  const floor = from.ok ? 0 : from.oldestZxid;
  const since = tree.changesSince(floor);
  return { floor, changes: since.ok ? [...since.changes] : null };
}

function expectSame(left: DataTree, right: DataTree): void {
  expect(left.digest()).toBe(right.digest());
  expect(left.recomputeDigest()).toBe(right.digest());
  expect(left.lastZxid).toBe(right.lastZxid);
  expect(left.clockMs).toBe(right.clockMs);
  expect(left.approximateBytes).toBe(right.approximateBytes);
  expect([...left.sessions()]).toEqual([...right.sessions()]);
  expect(changesOf(left)).toEqual(changesOf(right));
}

it("gives the same state, step by step, to the same commands", () => {
  fc.assert(
    fc.property(steps, (drawn) => {
      const left = newTree();
      const right = newTree();
      for (const one of drawn) {
        const command = commandFor(left, one);
        const index = left.lastZxid + 1;
        expect(applyTo(left, index, command)).toEqual(applyTo(right, index, command));
        expect(left.digest()).toBe(right.digest());
      }
    }),
    { numRuns: 100 },
  );
});

/** What a host does between two commands. */
type Host = "nothing" | "freeze" | "drain" | "finish" | "abandon" | "reload" | "lose";

const host: fc.Arbitrary<Host> = fc.oneof(
  { weight: 3, arbitrary: fc.constant("nothing" as const) },
  { weight: 3, arbitrary: fc.constant("drain" as const) },
  {
    weight: 3,
    arbitrary: fc.constantFrom("freeze" as const, "finish" as const),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("abandon" as const, "reload" as const, "lose" as const),
  },
);

/** A tree with its image: slices become durable together, when the checkpoint completes. */
class Node {
  tree = newTree();
  readonly image = new MemoryImage();
  /** What the tree was at the last completed checkpoint, to be compared with what the image says. */
  imaged = "";
  #checkpoint: Checkpoint | null = null;
  #batch: Parameters<MemoryImage["write"]>[0][] = [];

  do(what: Host): void {
    if (what === "freeze") this.#checkpoint ??= this.tree.freeze();
    if (what === "drain" && this.#checkpoint !== null) {
      this.#batch.push(copied(this.#checkpoint.next(2, 200)));
    }
    if (what === "finish") this.finish();
    if (what === "abandon") {
      this.#checkpoint?.abandon();
      this.#end();
    }
    if (what === "lose") this.#lose();
    if (what === "reload") {
      this.#checkpoint?.abandon();
      this.#end();
      this.image.checkpoint(this.tree);
      this.tree = this.image.load(LIMITS);
    }
  }

  /** The image is gone, and a new one takes its place. */
  #lose(): void {
    this.#checkpoint?.abandon();
    this.#end();
    this.tree.forgetImage();
    this.image.records.clear();
    this.image.checkpoint(this.tree);
    this.imaged = this.tree.digest();
    expectSame(this.image.load(LIMITS), this.tree);
  }

  finish(): void {
    const checkpoint = this.#checkpoint;
    if (checkpoint === null) return;
    for (;;) {
      const records = copied(checkpoint.next(3, 10_000));
      if (records.length === 0) break;
      this.#batch.push(records);
    }
    checkpoint.complete();
    for (const records of this.#batch) this.image.write(records);
    this.imaged = checkpoint.digest;
    this.#end();
    const loaded = this.image.load(LIMITS);
    expect(loaded.digest()).toBe(this.imaged);
    expect(loaded.lastZxid).toBe(checkpoint.zxid);
  }

  #end(): void {
    this.#checkpoint = null;
    this.#batch = [];
  }
}

function copied(records: ReturnType<Checkpoint["next"]>): ReturnType<Checkpoint["next"]> {
  return records.map(({ key, value }) => ({ key, value: value?.slice() ?? null }));
}

it("loads from any interleaving of checkpoints and commands what it was, and goes on alike", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(step, host), { maxLength: 80, size: "max" }), (script) => {
      const node = new Node();
      const twin = newTree();
      for (const [drawn, what] of script) {
        const command = commandFor(twin, drawn);
        const index = twin.lastZxid + 1;
        expect(applyTo(node.tree, index, command)).toEqual(applyTo(twin, index, command));
        node.do(what);
        expect(node.tree.digest()).toBe(twin.digest());
      }
      node.do("freeze");
      node.finish();
      node.do("freeze");
      node.finish();
      expectSame(node.image.load(LIMITS), twin);
      expectSame(node.tree, twin);
    }),
    { numRuns: 120 },
  );
});

it("leaves no key behind and drops none", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(step, host), { maxLength: 80, size: "max" }), (script) => {
      const node = new Node();
      for (const [drawn, what] of script) {
        applyTo(node.tree, node.tree.lastZxid + 1, commandFor(node.tree, drawn));
        if (what !== "reload") node.do(what);
      }
      node.do("freeze");
      node.finish();
      node.do("freeze");
      node.finish();
      const sessions = [...node.tree.sessions()];
      const replies = sessions.reduce((sum, one) => sum + one.lastWriteSeq - one.ackedSeq, 0);
      const keys = [...node.image.records.keys()].filter((key) => !key.startsWith("c"));
      expect(keys).toHaveLength(1 + node.tree.nodeCount + sessions.length + replies);
      // A record of the change log that does not belong there would break the order or the count of changes.
      expectSame(node.image.load(LIMITS), node.tree);
    }),
    { numRuns: 100 },
  );
});

it("loads records in any order", () => {
  fc.assert(
    fc.property(steps, fc.infiniteStream(fc.nat()), (drawn, order) => {
      const tree = newTree();
      for (const one of drawn) applyTo(tree, tree.lastZxid + 1, commandFor(tree, one));
      const image = new MemoryImage();
      image.checkpoint(tree);
      const keys = [...image.records.keys()]
        .map((key) => ({ key, rank: order.next().value }))
        .sort((a, b) => a.rank - b.rank)
        .map(({ key }) => key);
      expectSame(image.load(LIMITS, keys), tree);
    }),
    { numRuns: 50 },
  );
});

it("notices any one record that is missing or altered", () => {
  fc.assert(
    fc.property(steps, fc.nat(), fc.nat(), (drawn, which, where) => {
      const tree = newTree();
      for (const one of drawn) applyTo(tree, tree.lastZxid + 1, commandFor(tree, one));
      const image = new MemoryImage();
      image.checkpoint(tree);
      const keys = [...image.records.keys()].filter((key) => !key.startsWith("c"));
      const key = keys[which % keys.length] ?? "";
      const value = image.records.get(key)?.slice() ?? new Uint8Array(1);
      image.records.delete(key);
      expect(() => image.load(LIMITS)).toThrow(expect.objectContaining({ name: "ImageError" }));
      const at = where % value.length;
      value[at] = (value[at] ?? 0) ^ 1;
      image.records.set(key, value);
      expect(() => image.load(LIMITS)).toThrow(expect.objectContaining({ name: "ImageError" }));
    }),
    { numRuns: 100 },
  );
});
