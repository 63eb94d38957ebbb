import { nodeId } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { member } from "../../../../tests/support/members.ts";
import { FORMATION_BYTES_MAX } from "../storage/identity.ts";
import {
  checkFormation,
  clusterIdOf,
  encodeFormation,
  firstHistoryOf,
  Formation,
  memberById,
  memberNamed,
} from "./formation.ts";

const NAMES = ["a", "b", "c"];

const [A, B, C] = [member("a", 30), member("b", 10), member("c", 20)];

describe("a formation", () => {
  test("finds the same membership on all nodes, in whatever order they met", () => {
    const onA = new Formation(NAMES, A);
    const onC = new Formation(["c", "b", "a"], C);
    expect([onA.meet(B), onA.meet(C), onC.meet(A), onC.meet(B)]).toEqual([true, true, true, true]);
    expect(onA.result()).toEqual(onC.result());
    const membership = onA.result()!.membership;
    expect(membership.voters).toEqual([10, 20, 30]);
    expect(membership.members.map(({ name }) => name)).toEqual(["b", "c", "a"]);
    expect(membership.learners).toEqual([]);
    expect(clusterIdOf(membership)).toBe(clusterIdOf(onC.result()!.membership));
    expect(memberNamed(membership, "b")).toEqual(B);
    expect(memberById(membership, nodeId(20))).toEqual(C);
  });

  test("waits for everybody", () => {
    const formation = new Formation(NAMES, A);
    formation.meet(B);
    expect(formation.missing).toEqual(["c"]);
    expect(formation.result()).toBeNull();
  });

  test("takes no stranger, and nobody under a known name with another identity", () => {
    const formation = new Formation(NAMES, A);
    expect(formation.meet(member("d", 40))).toBe(false);
    expect(formation.meet(B)).toBe(true);
    expect(formation.meet(member("b", 11))).toBe(false);
    expect(formation.meet(member("a", 31))).toBe(false);
    expect(formation.meet(B)).toBe(true);
    formation.meet(C);
    expect(formation.result()!.membership.voters).toEqual([10, 20, 30]);
  });

  test("of one node is complete at once", () => {
    expect(new Formation(["a"], A).result()!.membership.voters).toEqual([30]);
  });

  test("founds another ensemble with another set of ids", () => {
    const one = new Formation(["a"], A).result()!.membership;
    const other = new Formation(["a"], member("a", 31)).result()!.membership;
    expect(clusterIdOf(one)).not.toBe(clusterIdOf(other));
  });

  test("is kept up to a length, which is known before the ids are", () => {
    const founders = (length: number) => [{ ...A, clientAddress: "x".repeat(length) }, B, C];
    const kept = (length: number): Uint8Array => {
      const formation = new Formation(NAMES, { ...founders(length)[0]!, id: nodeId(2 ** 48 - 3) });
      formation.meet({ ...B, id: nodeId(2 ** 48 - 2) });
      formation.meet({ ...C, id: nodeId(2 ** 48 - 1) });
      const snapshot = formation.result()!;
      const clusterId = clusterIdOf(snapshot.membership);
      return encodeFormation({ clusterId, historyId: firstHistoryOf(clusterId), snapshot });
    };
    const longest = FORMATION_BYTES_MAX - kept(0).length;
    expect(kept(longest)).toHaveLength(FORMATION_BYTES_MAX);
    expect(() => checkFormation(founders(longest))).not.toThrow();
    for (const tooLong of [kept, (length: number) => checkFormation(founders(length))]) {
      expect(() => tooLong(longest + 1)).toThrow(/CONFIG_INVALID: .* 12289 bytes .* 12288 at most/);
    }
  });
});
