import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { changeLines, rowsOf, viewText, type Snapshot } from "./dev-view.ts";
import { planEnsemble, portsFrom, serverFlags } from "./ensemble-plan.ts";
import { freePorts, takenAddresses } from "./free-ports.ts";
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
  checkpointZxid: 10,
  digest: "d",
  sessions: 0,
  connections: 0,
  znodes: 1,
  treeBytes: 0,
  clusterId: "c",
  historyId: "c-1",
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

  test("knows which addresses are taken", async () => {
    const [ports] = await freePorts(1);
    const addresses = [`127.0.0.1:${ports?.client}`, `127.0.0.1:${ports?.peer}`];
    expect(await takenAddresses(addresses)).toEqual([]);
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(ports?.peer, "127.0.0.1", resolve);
    });
    expect(await takenAddresses(addresses)).toEqual(addresses.slice(1));
    await new Promise((resolve) => server.close(resolve));
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

  test("shows no rate while a node catches up with what was written before", () => {
    const before = snapshot(0, { ...STATUS, appliedIndex: 10, notReady: ["it catches up"] });
    const now = snapshot(2_000, { ...STATUS, appliedIndex: 110 });
    expect(viewText(now, before)).toMatch(/1 +a:1 +follower +3 +10 +0 +- +ready/);
  });

  test("tells of leaders and of nodes that end, once each", () => {
    const up = snapshot(0, { ...STATUS, role: "leader" });
    expect(changeLines(up, null)).toEqual(["node 1 leads in term 3"]);
    expect(changeLines(up, up)).toEqual([]);
    const down = snapshot(1, null, { code: 4, signal: null });
    expect(changeLines(down, up)).toEqual([
      "node 1 ended: exit code 4, its data are damaged or lost; it is not started again",
      "no leader",
    ]);
    expect(changeLines(down, down)).toEqual([]);
  });

  test("tells of a node that ends before it ever answered", () => {
    const starting = snapshot(0, null);
    const down = snapshot(1, null, { code: 3, signal: null });
    expect(changeLines(down, starting)).toEqual([
      "node 1 ended: exit code 3, its address is taken; it is not started again",
    ]);
    expect(changeLines(down, null)).toHaveLength(1);
  });

  test("tells a node that stands still from one that starts", () => {
    const starting = snapshot(0, null);
    const up = snapshot(1, STATUS);
    const still: Snapshot = { ...snapshot(2, null), answered: new Set(["1"]) };
    expect(viewText(starting, null)).toContain("starting");
    expect(viewText(still, up)).toContain("does not answer");
    expect(changeLines(up, starting)).toEqual([]);
    expect(changeLines(still, up)).toEqual(["node 1 does not answer"]);
    expect(changeLines(up, still)).toEqual(["node 1 answers"]);
  });

  test("counts the rows it takes, wrapped and without colours", () => {
    expect(rowsOf("", 80)).toBe(0);
    expect(rowsOf("one\n\nthree\n", 80)).toBe(3);
    expect(rowsOf(`${"x".repeat(80)}\n${"x".repeat(81)}\n`, 80)).toBe(3);
    expect(rowsOf(`\u001b[31m${"x".repeat(80)}\u001b[39m\n`, 80)).toBe(1);
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
  const reading: NodeReading = { name: "1", process: node, clientAddress: "a:1", status, exit };
  return { atMs, readings: [reading], answered: new Set(status === null ? [] : ["1"]) };
}
