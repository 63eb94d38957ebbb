import { describe, expect, test } from "vitest";
import { ServerError } from "../errors.ts";
import type { HttpResponse } from "../ports.ts";
import { createAdminHandler, type AdminSource, type NodeStatus } from "./admin-http.ts";

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
  membership: null,
  connectedPeers: [],
  notReady: [],
  warnings: [],
};

function handler(source: Partial<AdminSource> = {}): ReturnType<typeof createAdminHandler> {
  return createAdminHandler({
    notAlive: () => [],
    notReady: () => [],
    status: () => STATUS,
    metrics: async () => "m 1\n",
    backup: async (isLocal) => bytesOf(isLocal ? "local" : "confirmed"),
    ...source,
  });
}

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
    const { status, body } = await handler()({ method: "POST", path });
    expect(status).toBe(200);
    const pieces: Uint8Array[] = [];
    if (typeof body !== "string") for await (const piece of body) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toBe(expected);
  });

  test("gives no backup for GET, and the reason where there can be none", async () => {
    expect((await handler()({ method: "GET", path: "/snapshot" })).status).toBe(405);
    const lonely = handler({
      backup: async () => {
        throw new ServerError("NOT_READY", "no quorum");
      },
    });
    expect(await lonely({ method: "POST", path: "/snapshot" })).toMatchObject({
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
    expect(await handler()({ method: "GET", path })).toMatchObject({ status, body });
  });

  test("tells the status as JSON", async () => {
    const response = await handler()({ method: "GET", path: "/status" });
    expect(response.contentType).toContain("application/json");
    expect(jsonOf(response)).toEqual(STATUS);
  });

  test("tells the reasons when it is not ready or not alive", async () => {
    const sick = handler({
      notReady: () => ["no leader"],
      notAlive: () => ["the loop stands still"],
    });
    const ready = await sick({ method: "GET", path: "/readyz" });
    expect(ready.status).toBe(503);
    expect(jsonOf(ready)).toEqual({ ok: false, reasons: ["no leader"] });
    expect((await sick({ method: "GET", path: "/livez" })).status).toBe(503);
  });

  test("HEAD has no body", async () => {
    expect(await handler()({ method: "HEAD", path: "/livez" })).toMatchObject({
      status: 200,
      body: "",
    });
  });

  test.each(["POST", "PUT", "DELETE", "OPTIONS", "get"])("refuses %s", async (method) => {
    expect((await handler()({ method, path: "/status" })).status).toBe(405);
  });

  test.each(["/", "", "/status/", "/../status", "//livez", "/constructor", "/__proto__"])(
    "does not know %s",
    async (path) => {
      expect((await handler()({ method: "GET", path })).status).toBe(404);
    },
  );

  test("what goes wrong inside is told without details", async () => {
    const broken = handler({
      metrics: async () => {
        throw new Error("secret");
      },
    });
    const response = await broken({ method: "GET", path: "/metrics" });
    expect(response).toMatchObject({ status: 500, body: "internal error\n" });
  });
});
