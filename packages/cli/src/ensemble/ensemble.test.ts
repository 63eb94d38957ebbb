import { describe, expect, test } from "vitest";
import { changeLines, viewText, type Snapshot } from "./dev-view.ts";
import { planEnsemble, portsFrom, serverFlags } from "./ensemble-plan.ts";
import { freePorts } from "./free-ports.ts";
import type { NodeReading } from "./local-ensemble.ts";
import { NodeProcess, describeExit, type NodeExit } from "./node-process.ts";
import { findLeader, parseNodeStatus, type NodeStatus } from "./node-status.ts";

const STATUS: NodeStatus = {
  name: "1",
  nodeId: 11,
  role: "follower",
  term: 3,
  leader: "2",
  zxid: 10,
  appliedIndex: 10,
  digest: "d",
  sessions: 0,
  connections: 0,
  znodes: 1,
  treeBytes: 0,
  clusterId: "c",
  notReady: [],
  warnings: [],
};

describe("a plan", () => {
  const plan = planEnsemble("data", portsFrom(7001, 3));

  test("names every member to every node, the same way", () => {
    const [one, two] = plan.nodes.map((node) => serverFlags(plan, node));
    expect(one?.slice(0, 2)).toEqual(["--name", "1"]);
    expect(one?.slice(8)).toEqual(two?.slice(8));
    expect(one).toContain("3=127.0.0.1:7103,127.0.0.1:7003");
  });

  test("takes free ports, each once", async () => {
    const ports = (await freePorts(5)).flatMap(({ peer, client }) => [peer, client]);
    expect(new Set(ports).size).toBe(10);
  });
});

describe("a node's status", () => {
  test("is read from what the server sends, with more fields than known", () => {
    expect(parseNodeStatus(JSON.stringify({ ...STATUS, more: 1 }))).toMatchObject(STATUS);
    expect(parseNodeStatus(JSON.stringify({ ...STATUS, leader: null }))?.leader).toBeNull();
  });

  test.each(["", "{}", "null", "[1]", "<html>", JSON.stringify({ ...STATUS, term: "3" })])(
    "is not taken from %j",
    (body) => {
      expect(parseNodeStatus(body)).toBeNull();
    },
  );

  test("a leader is one of the newest term that anybody knows", () => {
    const old: NodeStatus = { ...STATUS, name: "1", role: "leader", term: 3 };
    const follower: NodeStatus = { ...STATUS, name: "3", term: 4 };
    const current: NodeStatus = { ...STATUS, name: "2", role: "leader", term: 4 };
    expect(findLeader([old])?.name).toBe("1");
    expect(findLeader([old, follower])).toBeNull();
    expect(findLeader([old, follower, current])?.name).toBe("2");
    expect(findLeader([])).toBeNull();
  });
});

describe("the live view", () => {
  test("shows rates from two readings", () => {
    const before = snapshot(0, { ...STATUS, appliedIndex: 10 });
    const now = snapshot(2_000, { ...STATUS, appliedIndex: 110 });
    expect(viewText(now, before)).toMatch(/1 +a:1 +follower +3 +10 +0 +50 +ready/);
    expect(viewText(now, null)).toMatch(/1 +a:1 +follower +3 +10 +0 +- +ready/);
  });

  test("tells of leaders and of nodes that end, once each", () => {
    const up = snapshot(0, { ...STATUS, role: "leader" });
    expect(changeLines(up, null)).toEqual(["node 1 leads in term 3"]);
    expect(changeLines(up, up)).toEqual([]);
    const down = snapshot(1, null, { code: 4, signal: null });
    expect(changeLines(down, up)).toEqual([
      "node 1 ended: exit code 4; it is not started again",
      "no leader",
    ]);
    expect(changeLines(down, down)).toEqual([]);
  });
});

describe("an exit", () => {
  test("is told in words", () => {
    expect(describeExit({ code: 3, signal: null })).toBe("exit code 3");
    expect(describeExit({ code: null, signal: "SIGKILL" })).toBe("signal SIGKILL (9)");
    expect(describeExit({ code: null, signal: null })).toBe("could not be started");
  });
});

function snapshot(atMs: number, status: NodeStatus | null, exit: NodeExit | null = null): Snapshot {
  const node = new NodeProcess({ name: "1", serverMain: "", args: [], logFile: "", env: {} });
  Object.defineProperty(node, "exit", { value: exit });
  const reading: NodeReading = { name: "1", process: node, clientAddress: "a:1", status };
  return { atMs, readings: [reading] };
}
