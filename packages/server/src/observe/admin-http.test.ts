import { describe, expect, test, vi } from "vitest";
import { ServerError } from "../errors.ts";
import type { MemberPlan } from "../membership/member-plan.ts";
import type { HttpRequest, HttpResponse } from "../ports.ts";
import { createAdminHandler, type AdminSource, type NodeStatus } from "./admin-http.ts";
import { NOTHING_UNDER_WAY } from "./under-way.ts";

const STATUS: NodeStatus = {
  name: "a",
  nodeId: 1,
  version: "1",
  uptimeMs: 5,
  clusterId: "c",
  historyId: "h",
  role: "leader",
  leader: "a",
  leaderId: 1,
  term: 2,
  commitIndex: 7,
  appliedIndex: 7,
  zxid: 7,
  digest: "d",
  checkpointZxid: 0,
  sessions: 0,
  connections: 0,
  watches: 0,
  znodes: 1,
  treeBytes: 10,
  diskFreeBytes: 10,
  underWay: NOTHING_UNDER_WAY,
  membership: null,
  peers: [],
  joining: [],
  invited: [],
  priority: 100,
  connectedPeers: [],
  notReady: [],
  warnings: [],
};

function handler(source: Partial<AdminSource> = {}): ReturnType<typeof createAdminHandler> {
  return createAdminHandler({
    notAlive: () => [],
    notReady: async () => [],
    status: async () => STATUS,
    metrics: async () => "m 1\n",
    backup: async (isLocal) => bytesOf(isLocal ? "local" : "confirmed"),
    changeMembers: () => PLAN,
    transferLeadership: async () => "b",
    leaderAddress: () => "b:2",
    ...source,
  });
}

const PLAN: MemberPlan = {
  step: { kind: "withdraw", name: "d" },
  before: { voters: ["a"], learners: [], quorum: 1, tolerates: 0, reachable: 1 },
  after: { voters: ["a", "b"], learners: [], quorum: 2, tolerates: 0, reachable: 1 },
};

const request = (method: string, path: string, body: string = ""): HttpRequest => ({
  method,
  path,
  body: new TextEncoder().encode(body),
});

function jsonOf({ body }: HttpResponse): unknown {
  return typeof body === "string" ? JSON.parse(body) : null;
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

describe("createAdminHandler", () => {
  test.each([
    ["/snapshot", "confirmed"],
    ["/snapshot/local", "local"],
  ])("gives a backup for POST %s", async (path, expected) => {
    const { status, body } = await handler()(request("POST", path));
    expect(status).toBe(200);
    const pieces: Uint8Array[] = [];
    if (typeof body !== "string") for await (const piece of body) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toBe(expected);
  });

  test("gives no backup for GET, and the reason where there can be none", async () => {
    expect((await handler()(request("GET", "/snapshot"))).status).toBe(405);
    const lonely = handler({
      backup: async () => {
        throw new ServerError("NOT_READY", "no quorum");
      },
    });
    expect(await lonely(request("POST", "/snapshot"))).toMatchObject({
      status: 503,
      body: "NOT_READY: no quorum\n",
    });
  });

  test.each([
    ["/livez", 200, '{"ok":true,"reasons":[]}\n'],
    ["/readyz", 200, '{"ok":true,"reasons":[]}\n'],
    ["/metrics", 200, "m 1\n"],
    ["/metrics?x=1", 200, "m 1\n"],
  ])("answers GET %s", async (path, status, body) => {
    expect(await handler()(request("GET", path))).toMatchObject({ status, body });
  });

  test("tells the status as JSON", async () => {
    const response = await handler()(request("GET", "/status"));
    expect(response.contentType).toContain("application/json");
    expect(jsonOf(response)).toEqual(STATUS);
  });

  test("tells the reasons when it is not ready or not alive", async () => {
    const sick = handler({
      notReady: async () => ["no leader"],
      notAlive: () => ["the loop stands still"],
    });
    const ready = await sick(request("GET", "/readyz"));
    expect(ready.status).toBe(503);
    expect(jsonOf(ready)).toEqual({ ok: false, reasons: ["no leader"] });
    expect((await sick(request("GET", "/livez"))).status).toBe(503);
  });

  test("HEAD has no body", async () => {
    expect(await handler()(request("HEAD", "/livez"))).toMatchObject({
      status: 200,
      body: "",
    });
  });

  test.each(["POST", "PUT", "DELETE", "OPTIONS", "get"])("refuses %s", async (method) => {
    expect((await handler()(request(method, "/status"))).status).toBe(405);
  });

  test.each(["/", "", "/status/", "/../status", "//livez", "/constructor", "/__proto__"])(
    "does not know %s",
    async (path) => {
      expect((await handler()(request("GET", path))).status).toBe(404);
    },
  );

  test("what goes wrong inside is told without details", async () => {
    const broken = handler({
      metrics: async () => {
        throw new Error("secret");
      },
    });
    const response = await broken(request("GET", "/metrics"));
    expect(response).toMatchObject({ status: 500, body: "internal error\n" });
  });

  test("carries out a change of the members, or only says what it would do", async () => {
    const changeMembers = vi.fn(() => PLAN);
    const body = '{"kind":"remove","name":"d"}';
    const response = await handler({ changeMembers })(request("POST", "/members", body));
    expect(response.status).toBe(200);
    expect(jsonOf(response)).toEqual({ step: "withdraw", before: PLAN.before, after: PLAN.after });
    const trial = '{"kind":"remove","name":"d","dryRun":true}';
    await handler({ changeMembers })(request("POST", "/members", trial));
    expect(changeMembers.mock.calls).toEqual([
      [{ kind: "remove", name: "d" }, false],
      [{ kind: "remove", name: "d" }, true],
    ]);
  });

  test("hands leadership over, to a named node or to any", async () => {
    const transferLeadership = vi.fn(async () => "b");
    const response = await handler({ transferLeadership })(
      request("POST", "/leader", '{"to":"b"}'),
    );
    expect(jsonOf(response)).toEqual({ leader: "b" });
    await handler({ transferLeadership })(request("POST", "/leader", "{}"));
    expect(transferLeadership.mock.calls).toEqual([["b"], [null]]);
  });

  test.each([
    ["REQUEST_INVALID", 400],
    ["MEMBER_UNKNOWN", 404],
    ["QUORUM_AT_RISK", 409],
    ["NOT_LEADER", 421],
    ["NOT_READY", 503],
  ] as const)("tells %s as %d, and who leads", async (code, status) => {
    const refusing = handler({
      changeMembers: () => {
        throw new ServerError(code, "no");
      },
    });
    const response = await refusing(request("POST", "/members", "{}"));
    expect(response.status).toBe(status);
    expect(jsonOf(response)).toEqual({ code, message: "no", leader: "b:2" });
  });

  test.each(["", "{", "null", "[]", "7", '{"dryRun":1}'])(
    "takes %j for no command",
    async (body) => {
      const changeMembers = vi.fn(() => PLAN);
      const response = await handler({ changeMembers })(request("POST", "/members", body));
      expect(response.status).toBe(400);
      expect(changeMembers).not.toHaveBeenCalled();
    },
  );

  test("takes commands with POST only", async () => {
    expect((await handler()(request("GET", "/members"))).status).toBe(405);
    expect((await handler()(request("PUT", "/leader", "{}"))).status).toBe(405);
  });
});
