import { encodeCommand } from "@quorate/kv-store";
import { sessionId } from "@quorate/kv-store/protocol";
import {
  logIndex,
  nodeId,
  term,
  type Entry,
  type HardState,
  type PersistWork,
  type RaftInput,
  type Ready,
  type StepResult,
} from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { ServerError } from "./errors.ts";
import { ManualClock } from "./memory/manual-clock.ts";
import { NodeLoop, type FetchedEntries, type LoopHooks, type LoopLog } from "./node-loop.ts";
import { ProposalIntake } from "./proposal-intake.ts";
import { encodeEntries } from "./storage/entry-codec.ts";

const TICK_MS = 10;
const HARD_STATE: HardState = { term: term(1), votedFor: null };
const MIB = 1_048_576;

const entry = (index: number): Entry => ({ kind: "noop", term: term(1), index: logIndex(index) });

function ready(changes: Partial<Ready>): Ready {
  const none = { softState: null, persist: null, installSnapshot: null } as const;
  return { ...none, messages: [], committed: [], reads: [], fetches: [], ...changes };
}

function work(seq: number, changes: Partial<PersistWork> = {}): PersistWork {
  return {
    ticket: { seq },
    hardState: HARD_STATE,
    entries: [entry(seq)],
    snapshot: null,
    ...changes,
  };
}

/** A core that hands out what the test has put in. */
class ScriptedRaft {
  readonly steps: RaftInput[] = [];
  readonly script: Ready[] = [];
  proposal: StepResult = { ok: true, index: null };
  failure: Error | null = null;

  step(input: RaftInput): StepResult {
    if (this.failure !== null) throw this.failure;
    this.steps.push(input);
    return input.kind === "propose" ? this.proposal : { ok: true, index: null };
  }
  takeReady(): Ready | null {
    return this.script.shift() ?? null;
  }
  kinds(): readonly string[] {
    return this.steps.splice(0).map(({ kind }) => kind);
  }
}

interface Write {
  readonly seq: number;
  readonly block: Uint8Array;
  readonly done: () => void;
  readonly fail: (error: Error) => void;
}

/** A disk that answers when the test says so. */
class SlowLog implements LoopLog {
  readonly writes: Write[] = [];
  fetched: Promise<FetchedEntries | null> = Promise.resolve(null);
  fetches = 0;

  persist(work: PersistWork, block: Uint8Array): Promise<void> {
    return new Promise((done, fail) => {
      this.writes.push({ seq: work.ticket.seq, block, done, fail });
    });
  }
  fetch(): Promise<FetchedEntries | null> {
    this.fetches += 1;
    return this.fetched;
  }
}

function setUp(hasLeases = false) {
  const clock = new ManualClock();
  const raft = new ScriptedRaft();
  const log = new SlowLog();
  const calls: string[] = [];
  const intake = new ProposalIntake({
    ...{ bytesMax: MIB, countMax: 100, batchBytesMax: MIB, batchCountMax: 100 },
  });
  const votes: (() => void)[] = [];
  const hooks: LoopHooks = {
    gather: () => void calls.push("gather"),
    onSoftState: () => void calls.push("soft"),
    onHardState: () => {
      calls.push("vote");
      return new Promise((resolve) => votes.push(resolve));
    },
    send: () => void calls.push("send"),
    installSnapshot: () => void calls.push("install"),
    apply: (entries) => void calls.push(`apply ${entries.map(({ index }) => index).join(" ")}`),
    onReadState: () => void calls.push("read"),
    stamp: () => ({ timeMs: 1, clockMs: 1 }),
    flush: () => void calls.push("flush"),
    onTick: ({ elapsedMs, stalledMs, admittedMs }) =>
      void calls.push(`tick ${elapsedMs} ${stalledMs} ${admittedMs}`),
    onPersisted: () => void calls.push("persisted"),
    onDamage: ({ code }) => void calls.push(`damage ${code}`),
    onFatal: (error) => void calls.push(`fatal ${String(error)}`),
  };
  const options = { log, clock, intake, tickMs: TICK_MS, hasLeases, hooks };
  const loop = new NodeLoop({ raft, ...options }, HARD_STATE);
  const turn = (...script: readonly Ready[]): readonly string[] => {
    raft.script.push(...script);
    loop.wake();
    clock.finishTurn();
    return calls.splice(0);
  };
  return { clock, raft, log, calls, intake, hooks, votes, loop, turn };
}

/** Lets promises that are settled already have their say. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

const command = () => encodeCommand({ kind: "closeSession", session: sessionId(1) });

describe("a turn", () => {
  test("works off one list of work along the spine, and answers at its end", () => {
    const { turn, raft, log } = setUp();
    const snapshot = { index: logIndex(4), term: term(1), membership: null as never };
    const heard = turn(
      ready({
        softState: { role: "follower", leader: null, term: term(1) },
        persist: work(7),
        messages: [{ kind: "timeoutNow", from: nodeId(1), to: nodeId(2), term: term(1) }],
        installSnapshot: snapshot,
        committed: [entry(5), entry(6)],
        reads: [{ context: { nonce: 1, counter: 1 }, index: null }],
      }),
    );
    expect(heard).toEqual(["gather", "soft", "send", "install", "apply 5 6", "read", "flush"]);
    expect(log.writes.map(({ seq }) => seq)).toEqual([7]);
    expect(raft.steps).toEqual([
      { kind: "applied", index: 4 },
      { kind: "applied", index: 6 },
    ]);
  });

  test("takes in all that came before it asks for work", () => {
    const { loop, turn, raft } = setUp();
    loop.push({ kind: "tick" });
    loop.push({ kind: "peerUnreachable", peer: nodeId(2) });
    turn();
    expect(raft.kinds()).toEqual(["tick", "peerUnreachable"]);
  });

  test("tells a core with leases the time before anything that came", () => {
    const { loop, turn, raft, clock } = setUp(true);
    clock.stall(5);
    loop.push({ kind: "tick" });
    turn();
    expect(raft.steps).toEqual([{ kind: "clock", nowMs: clock.nowMs() }, { kind: "tick" }]);
  });

  test("lets the sockets have a turn when the work takes long", () => {
    const { clock, turn, hooks, calls } = setUp();
    hooks.apply = () => clock.stall(9);
    const list = () => ready({ committed: [entry(1)] });
    hooks.flush = () => void calls.push("flush");
    const turns = ["gather", "flush", "gather", "flush", "gather", "flush"];
    expect(turn(list(), list())).toEqual(turns);
    hooks.apply = () => clock.stall(1);
    expect(turn(list(), list())).toEqual(["gather", "flush"]);
  });
});

describe("the disk", () => {
  test("is not waited for: its answer is an input of its own", async () => {
    const { turn, log, raft, clock, calls } = setUp();
    turn(ready({ persist: work(1) }));
    expect(turn(ready({ committed: [entry(1)] }))).toEqual(["gather", "apply 1", "flush"]);
    raft.steps.length = 0;
    log.writes[0]!.done();
    await settled();
    expect(raft.steps).toEqual([]);
    clock.finishTurn();
    expect(raft.steps).toEqual([{ kind: "persisted", ticket: { seq: 1 } }]);
    expect(calls).toContain("persisted");
  });

  test("has term and vote durable only once both copies are", async () => {
    const { turn, log, votes, raft, clock } = setUp();
    const hardState = { term: term(2), votedFor: nodeId(1) };
    expect(turn(ready({ persist: work(1, { hardState }) }))).toContain("vote");
    await settled();
    log.writes[0]!.done();
    await settled();
    clock.finishTurn();
    expect(raft.kinds()).toEqual([]);
    votes[0]!();
    await settled();
    clock.finishTurn();
    expect(raft.kinds()).toEqual(["persisted"]);
    expect(turn(ready({ persist: work(2, { hardState }) }))).not.toContain("vote");
    expect(log.writes).toHaveLength(2);
    log.writes[1]!.done();
    await settled();
    clock.finishTurn();
    const next = { term: term(3), votedFor: null };
    expect(turn(ready({ persist: work(3, { hardState: next }) }))).toContain("vote");
    votes[1]!();
    await settled();
    clock.finishTurn();
    expect(raft.kinds()).toEqual(["persisted"]);
    log.writes[2]!.done();
    await settled();
    clock.finishTurn();
    expect(raft.kinds()).toEqual(["persisted"]);
  });

  test("holds proposals back while it writes: they are the next write", async () => {
    const { turn, log, raft, intake, clock, loop } = setUp();
    intake.add([command()]);
    turn(ready({ persist: work(1) }));
    expect(raft.kinds()).toEqual(["propose"]);
    intake.add([command(), command()]);
    turn();
    expect(loop.isPersisting).toBe(true);
    expect(raft.kinds()).toEqual([]);
    log.writes[0]!.done();
    await settled();
    clock.finishTurn();
    expect(raft.steps.find((step) => step.kind === "propose")?.commands).toHaveLength(2);
    expect(intake.count).toBe(0);
  });

  test("that fails ends the node, once, and lets nothing happen afterwards", async () => {
    const { turn, log, raft, calls, loop, clock } = setUp();
    loop.start();
    turn(ready({ persist: work(1) }));
    log.writes[0]!.fail(new Error("EIO"));
    await loop.settled();
    expect(calls.splice(0)).toEqual(["fatal Error: EIO"]);
    raft.steps.length = 0;
    loop.push({ kind: "tick" });
    clock.advance(1000);
    expect(calls).toEqual([]);
    expect(raft.steps).toEqual([]);
  });

  test("lends its block to the messages that carry the same entries, and to no others", () => {
    const { turn, log, loop } = setUp();
    const entries = [entry(1), entry(2)];
    turn(ready({ persist: work(1, { entries }) }));
    const { block } = log.writes[0]!;
    expect(loop.blockFor(entries)).toBe(block);
    expect(loop.blockFor([...entries])).toBe(block);
    expect(loop.blockFor([entry(1), entry(2)])).not.toBe(block);
    expect(loop.blockFor(entries.slice(0, 1))).toEqual(encodeEntries(entries.slice(0, 1)));
  });

  test("hands back what a laggard lacks, or that it is gone", async () => {
    const { turn, log, raft, clock } = setUp();
    const fetch = { peer: nodeId(2), from: logIndex(3), to: logIndex(4), bytesMax: 10 };
    log.fetched = Promise.resolve({ prevTerm: term(1), entries: [entry(3)] });
    turn(ready({ fetches: [fetch] }));
    await settled();
    log.fetched = Promise.resolve(null);
    turn(ready({ fetches: [fetch] }));
    await settled();
    clock.finishTurn();
    expect(raft.steps).toEqual([
      { kind: "fetched", peer: 2, from: 3, prevTerm: 1, entries: [entry(3)] },
      { kind: "fetched", peer: 2, from: 3, prevTerm: 0, entries: null },
    ]);
  });

  test("reads once for a laggard, however often the core asks, and not again once the node has ended", async () => {
    const { turn, log, raft, clock, loop } = setUp();
    const fetch = (from: number) => {
      const work = { peer: nodeId(2), from: logIndex(from), to: logIndex(9), bytesMax: 10 };
      return ready({ fetches: [work] });
    };
    const answers: (() => void)[] = [];
    const next = (): void => {
      log.fetched = new Promise((resolve) => answers.push(() => resolve(null)));
    };
    next();
    for (const from of [3, 3, 4, 5]) turn(fetch(from));
    expect(log.fetches).toBe(1);
    next();
    answers[0]?.();
    await settled();
    expect(log.fetches).toBe(2);
    clock.finishTurn();
    expect(raft.steps).toMatchObject([{ kind: "fetched", peer: 2, from: 3 }]);
    turn(fetch(6));
    loop.stop();
    answers[1]?.();
    await settled();
    expect(log.fetches).toBe(2);
  });

  test("goes on where damage keeps it from a laggard, who gets a snapshot", async () => {
    const { turn, log, raft, clock, calls } = setUp();
    const fetch = { peer: nodeId(2), from: logIndex(3), to: logIndex(4), bytesMax: 10 };
    log.fetched = Promise.reject(new ServerError("LOG_CORRUPT", "planned"));
    turn(ready({ fetches: [fetch] }));
    await settled();
    expect(calls).toContain("damage LOG_CORRUPT");
    expect(calls.some((call) => call.startsWith("fatal"))).toBe(false);
    clock.finishTurn();
    expect(raft.steps).toEqual([{ kind: "fetched", peer: 2, from: 3, prevTerm: 0, entries: null }]);
  });
});

describe("proposals", () => {
  test("stay for a later turn when the core has no room, and go when it does not lead", () => {
    const { turn, raft, intake } = setUp();
    intake.add([command()]);
    raft.proposal = { ok: false, reason: "uncommittedLimit", leader: null };
    turn();
    expect(intake.count).toBe(1);
    raft.proposal = { ok: false, reason: "notLeader", leader: null };
    turn();
    expect(intake.count).toBe(0);
  });
});

describe("time", () => {
  const ticks = (calls: string[]) => calls.splice(0).filter((call) => call.startsWith("tick"));

  /** Ticks that the core gets in the first turn after a delay. */
  function ticksAfter(delayMs: number): { readonly inTurn: number; readonly told: string } {
    const { loop, clock, raft, calls, hooks } = setUp();
    const perTurn: number[] = [];
    hooks.gather = () => void perTurn.push(raft.kinds().filter((kind) => kind === "tick").length);
    loop.start();
    clock.finishTurn();
    clock.stall(delayMs);
    clock.advance(0);
    return { inTurn: perTurn[1] ?? 0, told: ticks(calls)[0] ?? "" };
  }

  test("passes in ticks, and makes up for short delays", () => {
    expect(ticksAfter(TICK_MS)).toEqual({ inTurn: 1, told: "tick 10 0 10" });
    expect(ticksAfter(2 * TICK_MS)).toEqual({ inTurn: 2, told: "tick 20 0 20" });
    expect(ticksAfter(9 * TICK_MS)).toEqual({ inTurn: 3, told: "tick 90 0 90" });
  });

  test("does not pass while the process stands still: what waits in the sockets comes first", () => {
    expect(ticksAfter(2000)).toEqual({ inTurn: 1, told: "tick 2000 1900 100" });
  });

  test("lets nobody age while the disk does not answer, but passes", async () => {
    const { loop, clock, raft, log, calls } = setUp();
    loop.start();
    raft.script.push(ready({ persist: work(1) }));
    clock.advance(100);
    expect(ticks(calls)).toEqual(Array.from({ length: 10 }, () => "tick 10 0 10"));
    clock.advance(50);
    expect(ticks(calls)).toEqual(Array.from({ length: 5 }, () => "tick 10 0 0"));
    log.writes[0]!.done();
    await settled();
    clock.advance(TICK_MS);
    expect(ticks(calls)).toEqual(["tick 10 0 10"]);
  });
});

describe("an end", () => {
  test("lets no turn follow, not even one that was due", () => {
    const { loop, clock, raft, calls } = setUp();
    loop.start();
    loop.push({ kind: "tick" });
    loop.stop();
    clock.advance(1000);
    expect(calls).toEqual([]);
    expect(raft.steps).toEqual([]);
    expect(clock.nextDueMs()).toBeNull();
  });

  test("within a turn begins nothing more in it", () => {
    const { loop, turn, hooks, log } = setUp();
    hooks.apply = () => loop.stop();
    turn(ready({ committed: [entry(1)] }), ready({ persist: work(1) }));
    expect(log.writes).toEqual([]);
  });

  test("comes when the core's state cannot be trusted", () => {
    const { loop, turn, raft, clock, calls } = setUp();
    raft.failure = new Error("invariant");
    loop.push({ kind: "tick" });
    expect(turn()).toEqual(["fatal Error: invariant"]);
    raft.failure = null;
    loop.wake();
    clock.finishTurn();
    expect(calls).toEqual([]);
  });

  test("waits for the write under way, whose answer nobody hears any more", async () => {
    const { loop, turn, log, raft, clock } = setUp();
    turn(ready({ persist: work(1) }));
    raft.steps.length = 0;
    loop.stop();
    let isSettled = false;
    const waiting = loop.settled().then(() => {
      isSettled = true;
    });
    await settled();
    expect(isSettled).toBe(false);
    log.writes[0]!.done();
    await waiting;
    clock.finishTurn();
    expect(raft.steps).toEqual([]);
  });
});
