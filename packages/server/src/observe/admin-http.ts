import type { Membership, ProgressState, Role } from "@quorate/raft";
import { ServerError } from "../errors.ts";
import type { MemberPlan } from "../membership/member-plan.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "../ports.ts";
import { answerCommand, isCommandPath } from "./command-http.ts";
import type { UnderWay } from "./under-way.ts";

/** What one node says of itself under `/status`. */
export interface NodeStatus {
  readonly name: string;
  readonly nodeId: number;
  readonly version: string;
  readonly uptimeMs: number;
  /** "" while the ensemble is being formed. */
  readonly clusterId: string;
  readonly historyId: string;
  readonly role: Role | "forming";
  /** Name of the leader, or null while none is known. */
  readonly leader: string | null;
  readonly leaderId: number | null;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  /** Revision of the tree, its digest, and the revision up to which the image on disk stands. */
  readonly zxid: number;
  readonly digest: string;
  readonly checkpointZxid: number;
  readonly sessions: number;
  readonly connections: number;
  readonly watches: number;
  readonly znodes: number;
  readonly treeBytes: number;
  readonly diskFreeBytes: number;
  readonly underWay: UnderWay;
  /** Null while the ensemble is being formed. */
  readonly membership: Membership | null;
  /** How far the others have come; on the leader only. */
  readonly peers: readonly PeerReport[];
  /** Names of nodes that ask to join, and of those that were invited and did not come yet; on the leader only. */
  readonly joining: readonly string[];
  readonly invited: readonly string[];
  readonly priority: number;
  /** Names of peers this node has a link to. */
  readonly connectedPeers: readonly string[];
  /** Reasons why this node is not ready; empty when it is. */
  readonly notReady: readonly string[];
  readonly warnings: readonly string[];
}

/** What a leader knows of another member. */
export interface PeerReport {
  readonly name: string;
  /** One append at a time, a pipeline, or a snapshot on its way. */
  readonly state: ProgressState;
  /** Committed entries that it does not have yet. */
  readonly behind: number;
  /** It was heard of within the last election timeout. */
  readonly isActive: boolean;
}

/** Where the answers come from. All work without a quorum, but for a backup; what waits for one does so for a moment. */
export interface AdminSource {
  /** Reasons to restart the process, such as a loop that stands still; empty when it lives. */
  notAlive(): readonly string[];
  /** Reasons why it may not serve linearizable requests now; empty when it may. Waits a moment for the leader's word. */
  notReady(): Promise<readonly string[]>;
  /** Waits for it too, but less. */
  status(): Promise<NodeStatus>;
  /** Text exposition. */
  metrics(): Promise<string>;
  /**
   * The tree as it is now, as a backup file. `isLocal`: as this node has it, which works without a quorum. Rejects with a
   * `ServerError`: NOT_READY, OVERLOADED, STORAGE_FULL, STOPPED.
   */
  backup(isLocal: boolean): Promise<AsyncIterable<Uint8Array>>;
  /** Throws what `NodeMembership.command` does, NOT_READY and REQUEST_INVALID. */
  changeMembers(command: unknown, dryRun: boolean): MemberPlan;
  /** Rejects with what `Leadership.transfer` does, NOT_READY and REQUEST_INVALID. */
  transferLeadership(to: unknown): Promise<string>;
  /** `host:port` of the leader's client listener; null while none is known. */
  leaderAddress(): string | null;
}

const JSON_TYPE = "application/json; charset=utf-8";
const TEXT_TYPE = "text/plain; charset=utf-8";
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Answers `GET` and `HEAD` of /livez, /readyz, /status and /metrics; `POST` of /snapshot and /snapshot/local with a backup
 * (503 and the reason when there can be none now); `POST` of what {@link answerCommand} does. Anything else is 404 or 405,
 * and what goes wrong inside is 500 without details.
 */
export function createAdminHandler(source: AdminSource): HttpHandler {
  return async (request: HttpRequest): Promise<HttpResponse> => {
    let response: HttpResponse;
    try {
      response = await route(source, request);
    } catch {
      response = text(500, "internal error");
    }
    return request.method === "HEAD" ? { ...response, body: "" } : response;
  };
}

async function route(source: AdminSource, request: HttpRequest): Promise<HttpResponse> {
  const path = request.path.split(/[?#]/, 1)[0] ?? "";
  if (path === "/snapshot" || path === "/snapshot/local") return backup(source, request, path);
  if (isCommandPath(path)) {
    return request.method === "POST"
      ? answerCommand(source, path, request.body)
      : text(405, "method not allowed");
  }
  const answer = ROUTES.get(path);
  if (answer === undefined) return text(404, "not found");
  if (request.method !== "GET" && request.method !== "HEAD") return text(405, "method not allowed");
  return answer(source);
}

const ROUTES: ReadonlyMap<string, (source: AdminSource) => Promise<HttpResponse>> = new Map([
  ["/livez", async (source: AdminSource) => verdict(source.notAlive())],
  ["/readyz", async (source: AdminSource) => verdict(await source.notReady())],
  [
    "/status",
    async (source: AdminSource) => ({
      status: 200,
      contentType: JSON_TYPE,
      body: `${JSON.stringify(await source.status(), null, 2)}\n`,
    }),
  ],
  [
    "/metrics",
    async (source: AdminSource) => ({
      status: 200,
      contentType: METRICS_TYPE,
      body: await source.metrics(),
    }),
  ],
]);

/** Not with GET, which any page in a browser may have sent without asking. */
async function backup(
  source: AdminSource,
  request: HttpRequest,
  path: string,
): Promise<HttpResponse> {
  if (request.method !== "POST") return text(405, "method not allowed");
  try {
    const body = await source.backup(path === "/snapshot/local");
    return { status: 200, contentType: "application/octet-stream", body };
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    return text(503, error.message);
  }
}

function verdict(reasons: readonly string[]): HttpResponse {
  const ok = reasons.length === 0;
  return {
    status: ok ? 200 : 503,
    contentType: JSON_TYPE,
    body: `${JSON.stringify({ ok, reasons })}\n`,
  };
}

function text(status: number, message: string): HttpResponse {
  return { status, contentType: TEXT_TYPE, body: `${message}\n` };
}
