import { logIndex } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { one, three, Told, two } from "./told.ts";

const LOST = "nothing durable is lost";

/** Node 1 leads term 1, and its first entry is committed and durable on all three. */
function toldOfAll(): Told {
  const told = new Told();
  told.lead();
  told.enter(three, 1);
  told.append(three, 1, 1);
  told.write(three, 1, null, [1, 1]);
  return told;
}

describe("a disk that forgets", () => {
  test("is forgiven only while the others vouch for what it had", () => {
    const told = new Told();
    told.lead();
    const { forgiven } = told.raft;
    expect([one, two, three].map((id) => forgiven.mayForget(id))).toEqual([false, false, true]);
    told.enter(three, 1);
    told.write(three, 1, null);
    // In the term, without the entry: with it the leader is no majority that has it.
    expect([one, two, three].map((id) => forgiven.mayForget(id))).toEqual([false, false, true]);
    told.append(three, 1, 1);
    told.write(three, 1, null, [1, 1]);
    expect([one, two, three].map((id) => forgiven.mayForget(id))).toEqual([true, true, true]);
    told.append(one, 1, 2);
    told.append(two, 1, 2);
    told.write(two, 1, one, [2, 2]);
    told.acknowledge(two, one, 2);
    // Not committed yet, but counted on.
    expect([one, two, three].map((id) => forgiven.mayForget(id))).toEqual([true, false, true]);
    told.stand(three, 2);
    expect([one, two, three].map((id) => forgiven.mayForget(id))).toEqual([false, false, false]);
    expect(() => forgiven.forget(one, true)).toThrow("may not forget");
  });

  test("may lack the end of the log, once, and is whole when it has it again", () => {
    const told = toldOfAll();
    const { forgiven } = told.raft;
    forgiven.forget(two, false);
    expect([forgiven.mayForget(two), forgiven.isWhole(two)]).toEqual([false, false]);
    told.start(two, 1, one, [0, 0]);
    told.tell(two, { kind: "lossFound", acknowledgedIndex: logIndex(1), lastIndex: logIndex(0) });
    expect(forgiven.isWhole(two)).toBe(false);
    told.append(two, 1, 1);
    told.write(two, 1, one, [1, 1]);
    expect(forgiven.isWhole(two)).toBe(true);
    expect(() => told.start(two, 1, one, [0, 0])).toThrow(LOST);
  });

  test("keeps its vote, unless all of it is of an earlier moment", () => {
    const tail = toldOfAll();
    tail.raft.forgiven.forget(two, false);
    expect(() => tail.start(two, 0, null, [0, 0])).toThrow(LOST);
    const all = toldOfAll();
    all.raft.forgiven.forget(two, true);
    all.start(two, 0, null, [0, 0]);
    const ahead = toldOfAll();
    ahead.raft.forgiven.forget(two, true);
    expect(() => ahead.start(two, 2, null, [0, 0])).toThrow(LOST);
  });

  test("starts with what some leader made, and others forget nothing for its sake", () => {
    const told = toldOfAll();
    told.raft.forgiven.forget(two, true);
    expect(() => told.start(two, 1, one, [1, 2])).toThrow(LOST);
    const other = toldOfAll();
    other.raft.forgiven.forget(two, true);
    expect(() => other.start(three, 1, null, [0, 0])).toThrow(LOST);
    const none = toldOfAll();
    none.raft.forgiven.forget(two, true);
    none.raft.forgiven.remember(two);
    expect(() => none.start(two, 1, one, [0, 0])).toThrow(LOST);
  });
});
