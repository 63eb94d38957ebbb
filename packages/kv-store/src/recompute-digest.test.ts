import { describe, expect, it } from "vitest";
import { TREE_LIMITS } from "./limits.ts";
import { recomputedSum } from "./recompute-digest.ts";
import { SortedNames } from "./sorted-names.ts";
import { enterZnode, newState } from "./tree-state.ts";
import { makeZnode } from "./znode.ts";

/** "/" with one child that it counts as so many. */
function stateWith(childCount: number) {
  const state = newState(TREE_LIMITS);
  const root = state.nodes.get("/");
  if (root === undefined) throw new Error("no root");
  const child = makeZnode("/a", root, {
    data: root.data,
    stat: root.stat,
    created: 0,
    contenderFormat: null,
  });
  enterZnode(state, child);
  root.children = new SortedNames();
  root.children.add(child.path);
  root.stat = { ...root.stat, childCount };
  return state;
}

describe("a sum from scratch", () => {
  it("is of znodes that count the children they have", () => {
    expect(recomputedSum(stateWith(1))).toEqual(stateWith(1).digest);
    for (const childCount of [0, 2]) {
      expect(() => recomputedSum(stateWith(childCount))).toThrow("znodes_count_their_children");
    }
  });
});
