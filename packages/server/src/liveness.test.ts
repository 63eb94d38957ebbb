import { sessionId } from "@quorate/kv-store/protocol";
import { nodeId } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { Liveness } from "./liveness.ts";

const L1 = nodeId(1);
const L2 = nodeId(2);

function setUp() {
  const state = { nowMs: 1000 };
  const touches: { to: number; batch: number; sessions: readonly number[] }[] = [];
  const answers: string[] = [];
  const liveness = new Liveness({
    nowMs: () => state.nowMs,
    sendTouches: (to, batch, sessions) => void touches.push({ to, batch, sessions }),
  });
  const ping = (session: number, name = `${session}`): void =>
    liveness.ping(
      sessionId(session),
      () => answers.push(`pong ${name}`),
      () => answers.push(`refused ${name}`),
    );
  const later = (ms: number): void => {
    state.nowMs += ms;
    liveness.flush();
  };
  return { liveness, touches, answers, ping, later };
}

describe("liveness", () => {
  test("answers a ping only once the leader has noted it", () => {
    const { liveness, touches, answers, ping, later } = setUp();
    liveness.setLeader(L1);
    ping(1);
    later(20);
    expect(touches).toEqual([{ to: L1, batch: 1, sessions: [1] }]);
    expect(answers).toEqual([]);
    liveness.onNoted(1, []);
    expect(answers).toEqual(["pong 1"]);
    liveness.onNoted(1, []);
    expect(answers).toEqual(["pong 1"]);
  });

  test("gives no pong for a session that the leader does not keep alive", () => {
    const { liveness, answers, ping, later } = setUp();
    liveness.setLeader(L1);
    ping(1);
    ping(2);
    later(20);
    liveness.onNoted(1, [1]);
    expect(answers).toEqual(["refused 1", "pong 2"]);
  });

  test("sends one batch at a time and not too often", () => {
    const { liveness, touches, ping, later } = setUp();
    liveness.setLeader(L1);
    ping(1);
    later(20);
    ping(2);
    later(20);
    expect(touches).toHaveLength(1);
    liveness.onNoted(1, []);
    later(0);
    expect(touches).toEqual([
      { to: L1, batch: 1, sessions: [1] },
      { to: L1, batch: 2, sessions: [2] },
    ]);
    liveness.onNoted(2, []);
    ping(3);
    later(19);
    expect(touches).toHaveLength(2);
    later(1);
    expect(touches).toHaveLength(3);
  });

  test("asks a new leader, and takes no answer of the old one for it", () => {
    const { liveness, touches, answers, ping, later } = setUp();
    liveness.setLeader(L1);
    ping(1);
    later(20);
    liveness.setLeader(L2);
    later(20);
    expect(touches.at(-1)).toMatchObject({ to: L2, sessions: [1] });
    liveness.onNoted(1, []);
    expect(answers).toEqual([]);
    liveness.onNoted(touches.at(-1)!.batch, []);
    expect(answers).toEqual(["pong 1"]);
  });

  test("asks again, in another batch, when no answer comes", () => {
    const { liveness, touches, answers, ping, later } = setUp();
    liveness.setLeader(L1);
    ping(1);
    later(20);
    later(399);
    expect(touches).toHaveLength(1);
    later(1);
    expect(touches).toHaveLength(2);
    liveness.onNoted(touches[1]!.batch, []);
    liveness.onNoted(touches[0]!.batch, []);
    expect(answers).toEqual(["pong 1"]);
  });

  test("takes answers that always come after the next question", () => {
    const { liveness, touches, answers, ping, later } = setUp();
    liveness.setLeader(L1);
    for (let round = 1; round <= 10; round += 1) {
      ping(1, `${round}`);
      later(1000);
      const late = touches.at(-3);
      if (late !== undefined) liveness.onNoted(late.batch, []);
    }
    expect(answers).toEqual(Array.from({ length: 8 }, (_, at) => `pong ${at + 1}`));
  });

  test("takes no late answer for the end of a session that has been asked about again since", () => {
    const { liveness, touches, answers, ping, later } = setUp();
    liveness.setLeader(L1);
    ping(1);
    later(20);
    later(400);
    expect(touches).toHaveLength(2);
    liveness.onNoted(touches[0]!.batch, [1]);
    expect(answers).toEqual([]);
    liveness.onNoted(touches[1]!.batch, [1]);
    expect(answers).toEqual(["refused 1"]);
  });

  test("waits for a bounded number of answers", () => {
    const { liveness, touches, answers, ping, later } = setUp();
    liveness.setLeader(L1);
    for (let round = 1; round <= 9; round += 1) {
      ping(round);
      later(400);
    }
    expect(touches).toHaveLength(9);
    liveness.onNoted(touches[0]!.batch, []);
    expect(answers).toEqual([]);
    liveness.onNoted(touches[1]!.batch, []);
    expect(answers).toEqual(["pong 1", "pong 2"]);
  });

  test("says nothing while nobody leads, and then answers the last ping of each session", () => {
    const { liveness, touches, answers, ping, later } = setUp();
    for (let round = 0; round < 1000; round += 1) ping(1, `${round}`);
    later(5000);
    expect(touches).toEqual([]);
    liveness.setLeader(L1);
    later(20);
    liveness.onNoted(touches[0]!.batch, []);
    expect(touches[0]?.sessions).toEqual([1]);
    expect(answers).toEqual(["pong 999"]);
  });

  test("lets a later ping take the place of one that was not answered", () => {
    const { liveness, touches, answers, ping, later } = setUp();
    liveness.setLeader(L1);
    ping(1, "early");
    later(20);
    ping(1, "late");
    liveness.setLeader(L2);
    later(20);
    liveness.onNoted(touches.at(-1)!.batch, []);
    expect(answers).toEqual(["pong late"]);
  });
});
