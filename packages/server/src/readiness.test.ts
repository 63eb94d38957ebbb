import { logIndex, nodeId, term, type SoftState } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { ManualClock } from "./memory/manual-clock.ts";
import { LEADER_NOT_HEARD, Readiness } from "./readiness.ts";
import type { WaitingRead } from "./reads.ts";

/** A node that follows node 2 in term 3 and has applied up to 10, and everything it asks. */
function lab() {
  const clock = new ManualClock();
  const asked: WaitingRead[] = [];
  const state = {
    soft: { role: "follower", leader: nodeId(2), term: term(3) } as SoftState,
    commit: 10,
    applied: 10,
    appliedTerm: 3,
  };
  const made = new Readiness({
    clock,
    soft: () => state.soft,
    commitIndex: () => logIndex(state.commit),
    applied: () => ({
      appliedIndex: logIndex(state.applied),
      appliedTerm: term(state.appliedTerm),
    }),
    confirm: (read) => void asked.push(read),
  });
  const answer = (index: number): void => asked.at(-1)?.run?.(logIndex(index));
  const follow = (leader: number | null, ofTerm: number): void => {
    const id = leader === null ? null : nodeId(leader);
    state.soft = { role: "follower", leader: id, term: term(ofTerm) };
  };
  /** Looks; `isOver()` once that has come to an end. */
  const look = (patienceMs: number) => {
    const found = { isOver: false };
    const ended = made.look(patienceMs).then(() => {
      found.isOver = true;
    });
    const isOver = async (): Promise<boolean> => {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      return found.isOver;
    };
    return { ended, isOver };
  };
  return { made, clock, asked, state, answer, follow, look };
}

const BEHIND = ["not caught up with the leader"];

describe("a node is ready", () => {
  test("once it has applied what the leader says is committed, whatever it knows of that itself", () => {
    const { made, state, answer } = lab();
    expect(made.reasons()).toEqual([LEADER_NOT_HEARD]);
    made.ask();
    expect(made.reasons()).toEqual([LEADER_NOT_HEARD]);
    answer(12);
    expect(made.reasons()).toEqual(BEHIND);
    state.commit = 12;
    expect(made.reasons()).toEqual(["applying the log"]);
    state.applied = 12;
    expect(made.reasons()).toEqual([]);
  });

  test("not without a leader, and not before it has applied anything of the term", () => {
    const { made, state, answer, follow } = lab();
    made.ask();
    answer(10);
    state.appliedTerm = 2;
    expect(made.reasons()).toEqual(BEHIND);
    state.appliedTerm = 3;
    follow(null, 3);
    expect(made.reasons()).toEqual(["no leader is known"]);
  });

  test.each([
    ["another leader", 1, 3],
    ["another term", 2, 4],
  ])("not by what was asked before %s", (_what, leader, ofTerm) => {
    const { made, asked, state, answer, follow } = lab();
    made.ask();
    answer(10);
    follow(leader, ofTerm);
    state.appliedTerm = ofTerm;
    expect(made.reasons()).toEqual([LEADER_NOT_HEARD]);
    made.ask();
    follow(2, 5);
    state.appliedTerm = 5;
    answer(10);
    expect(made.reasons()).toEqual([LEADER_NOT_HEARD]);
    expect(asked).toHaveLength(2);
  });

  test("by the last word of the leader: one that has fallen behind since is not", () => {
    const { made, answer } = lab();
    made.ask();
    answer(10);
    expect(made.reasons()).toEqual([]);
    made.ask();
    expect(made.reasons()).toEqual([]);
    answer(11);
    expect(made.reasons()).toEqual(BEHIND);
  });
});

describe("the leader is asked", () => {
  test("by nobody who only wants the reasons, and one question at a time", () => {
    const { made, asked, answer } = lab();
    made.reasons();
    expect(asked).toEqual([]);
    for (let n = 0; n < 5; n += 1) made.ask();
    expect(asked).toHaveLength(1);
    answer(10);
    made.ask();
    expect(asked).toHaveLength(2);
  });

  test("only if there is one", async () => {
    const { made, asked, follow } = lab();
    follow(null, 3);
    made.ask();
    await made.look(1_000);
    expect(asked).toEqual([]);
  });
});

describe("a look", () => {
  test("waits for what was asked, and until that is applied", async () => {
    const { clock, state, answer, look } = lab();
    const { isOver, ended } = look(1_000);
    clock.advance(100);
    answer(11);
    clock.advance(100);
    expect(await isOver()).toBe(false);
    state.applied = 11;
    clock.advance(5);
    await ended;
  });

  test("does not go by an earlier word", async () => {
    const { made, clock, asked, answer, look } = lab();
    made.ask();
    answer(10);
    const { isOver, ended } = look(1_000);
    clock.advance(100);
    expect(await isOver()).toBe(false);
    expect(asked).toHaveLength(2);
    answer(10);
    clock.advance(5);
    await ended;
  });

  test("asks again where the leader that was asked leads no more", async () => {
    const { made, clock, asked, state, answer, follow, look } = lab();
    const { isOver, ended } = look(1_000);
    follow(1, 4);
    state.appliedTerm = 4;
    answer(10);
    clock.advance(5);
    expect(await isOver()).toBe(false);
    expect(asked).toHaveLength(2);
    answer(10);
    clock.advance(5);
    await ended;
    expect(made.reasons()).toEqual([]);
  });

  test.each([
    ["after its patience", ({ clock }: ReturnType<typeof lab>) => clock.advance(1_000)],
    ["without a leader", ({ follow }: ReturnType<typeof lab>) => follow(null, 4)],
    ["when the node stops", ({ made }: ReturnType<typeof lab>) => made.stop()],
  ])("ends %s", async (_when, happen) => {
    const all = lab();
    const { isOver, ended } = all.look(1_000);
    all.clock.advance(500);
    expect(await isOver()).toBe(false);
    happen(all);
    all.clock.advance(5);
    await ended;
  });

  test("of too many at once ends at once, until others have ended", async () => {
    const { clock, answer, look } = lab();
    const waiting = Array.from({ length: 32 }, () => look(1_000));
    await look(1_000).ended;
    expect(await waiting[0]?.isOver()).toBe(false);
    answer(10);
    clock.advance(5);
    await Promise.all(waiting.map(({ ended }) => ended));
    expect(await look(1_000).isOver()).toBe(false);
  });
});
