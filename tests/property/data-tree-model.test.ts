import { DataTree, TREE_LIMITS, type TreeLimits } from "@quorate/kv-store";
import { type WriteOp, zxid } from "@quorate/kv-store/protocol";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { commandOf, step, type Step } from "../support/kv-store/tree-arbitrary.ts";
import { openCommand } from "../support/kv-store/tree-driver.ts";
import { summary, TreeModel } from "../support/kv-store/tree-model.ts";

const TERM = 3;

interface Real {
  readonly tree: DataTree;
  zxid: number;
}

/** Applies one step to the tree and to its naive twin, and compares everything there is to see. */
class Apply implements fc.Command<TreeModel, Real> {
  readonly #step: Step;

  constructor(drawn: Step) {
    this.#step = drawn;
  }

  check(): boolean {
    return true;
  }

  run(model: TreeModel, real: Real): void {
    const { tree } = real;
    const sessions = [...tree.sessions()];
    const command = commandOf(this.#step, { sessions, zxid: real.zxid, term: TERM });
    real.zxid += 1;
    const stamp = { timeMs: real.zxid, clockMs: real.zxid };
    const outcome = tree.apply(zxid(real.zxid), TERM, stamp, command);
    expect(summary(outcome)).toEqual(model.apply(real.zxid, TERM, command));
    compare(tree, model);
    expect(tree.digest()).toBe(tree.recomputeDigest());
  }

  toString(): string {
    return JSON.stringify(this.#step);
  }
}

function compare(tree: DataTree, model: TreeModel): void {
  expect(tree.nodeCount).toBe(model.nodes.size);
  expect(tree.approximateBytes).toBe(model.bytes());
  for (const [path, node] of model.nodes) {
    const result = tree.read({ kind: "get", path });
    if (!result.ok || result.value.kind !== "get") throw new Error(`no ${path}`);
    const { data, stat } = result.value;
    expect([path, String(data), stat]).toMatchObject([
      path,
      node.data,
      {
        czxid: node.czxid,
        mzxid: node.mzxid,
        pzxid: node.pzxid,
        version: node.version,
        cversion: node.cversion,
        ephemeralOwner: node.owner,
        childCount: model.children(path).length,
        dataBytes: data.length,
      },
    ]);
  }
  expect(
    Array.from(tree.sessions(), (session) => [
      session.id,
      session.epoch,
      session.lastWriteSeq,
      session.ackedSeq,
      session.lastActZxid,
      session.ephemeralCount,
    ]),
  ).toEqual(
    Array.from(model.sessions, ([id, session]) => [
      id,
      session.epoch,
      session.lastSeq,
      session.ackedSeq,
      session.lastAct,
      [...model.nodes.values()].filter((node) => node.owner === id).length,
    ]),
  );
}

/** A tree and its twin under the same limits, with three sessions. */
function twins(limits: TreeLimits): { readonly model: TreeModel; readonly real: Real } {
  const model = new TreeModel(limits);
  const real = { tree: new DataTree(limits), zxid: 0 };
  for (let i = 0; i < 3; i += 1) {
    real.zxid += 1;
    const command = openCommand(Uint8Array.of(i));
    real.tree.apply(zxid(real.zxid), TERM, { timeMs: 1, clockMs: 1 }, command);
    model.apply(real.zxid, TERM, command);
  }
  return { model, real };
}

it("behaves as a tree of two maps does", () => {
  fc.assert(
    fc.property(
      fc.commands([step.map((drawn) => new Apply(drawn))], { maxCommands: 60, size: "max" }),
      (commands) => fc.modelRun(() => twins(TREE_LIMITS), commands),
    ),
    { numRuns: 150 },
  );
});

it("behaves as one does where the tree and the room for replies are full", () => {
  const check: WriteOp = { kind: "check", path: "/", version: null };
  // With what always succeeds and has a reply, behind one op of any kind.
  const wordy = fc.tuple(step, fc.nat({ max: 40 })).map(([drawn, count]) => {
    const checks = Array.from({ length: count }, () => [check, 0] as const);
    return new Apply({ ...drawn, ops: [...drawn.ops.slice(0, 1), ...checks] });
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 12_000, max: 60_000 }),
      fc.commands([wordy], { maxCommands: 60, size: "max" }),
      (bytesMax, commands) => fc.modelRun(() => twins({ ...TREE_LIMITS, bytesMax }), commands),
    ),
    { numRuns: 100 },
  );
});
