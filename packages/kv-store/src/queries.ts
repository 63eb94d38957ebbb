import { assert, unreachable } from "./assert.ts";
import { contenderOf, holderOf } from "./lock-directory.ts";
import { reached } from "./points.ts";
import {
  type ErrorCode,
  type FencingToken,
  fencingToken,
  isReserved,
  joinPath,
  nameOf,
  PROTOCOL_LIMITS,
  type Query,
  type QueryReply,
  type Result,
  type SessionInfo,
} from "./protocol/index.ts";
import type { Session } from "./session.ts";
import { type TreeState, whyMissing } from "./tree-state.ts";

const NO_NAMES: readonly string[] = [];

/** Answers a query from the state as it is. Codes: BAD_PATH, NO_NODE. */
export function answer(state: TreeState, query: Query): Result<QueryReply> {
  switch (query.kind) {
    case "get": {
      const node = state.nodes.get(query.path);
      if (node === undefined) return failure(whyUnreadable(query.path));
      assert(node.data.length === node.stat.dataBytes, "data_bytes_counted");
      return success({ kind: "get", data: node.data, stat: node.stat });
    }
    case "exists": {
      const node = state.nodes.get(query.path);
      if (node !== undefined) return success({ kind: "exists", stat: node.stat });
      const code = whyUnreadable(query.path);
      return code === "NO_NODE" ? success({ kind: "exists", stat: null }) : failure(code);
    }
    case "children":
      return children(state, query);
    case "holder":
      return holder(state, query.path);
    case "contender":
      return contender(state, query.path, query.token);
    case "sessions": {
      const { sessions, more } = state.sessions.page(query.after, pageLimit(query.limit));
      return success({ kind: "sessions", sessions: sessions.map(sessionInfo), more });
    }
    case "sync":
      return success({ kind: "sync" });
    default:
      return unreachable(query);
  }
}

function success(value: QueryReply): Result<QueryReply> {
  return { ok: true, value };
}

function failure(code: ErrorCode): Result<QueryReply> {
  return { ok: false, code };
}

/** Reserved paths may be read, there is just nothing there. */
function whyUnreadable(path: string): ErrorCode {
  const code = isReserved(path) ? "NO_NODE" : whyMissing(path);
  assert(code === "NO_NODE" || code === "BAD_PATH", "reads_fail_for_two_reasons");
  return code;
}

function pageLimit(limit: number): number {
  const bounded = Math.min(Math.max(limit, 1), PROTOCOL_LIMITS.pageMax);
  assert(bounded >= 1, "page_limit_positive");
  return bounded;
}

function children(
  state: TreeState,
  query: Extract<Query, { kind: "children" }>,
): Result<QueryReply> {
  const node = state.nodes.get(query.path);
  if (node === undefined) return failure(whyUnreadable(query.path));
  const after = query.after === null ? null : joinPath(query.path, query.after);
  const page = node.children?.page(after, pageLimit(query.limit));
  assert((node.children?.size ?? 0) === node.stat.childCount, "children_counted");
  return success({
    kind: "children",
    names: page?.names.map(nameOf) ?? NO_NAMES,
    more: page?.more ?? false,
    stat: node.stat,
  });
}

/** Where nobody has ever lined up, nobody holds: that is no error. */
function holder(state: TreeState, path: string): Result<QueryReply> {
  const node = holderOf(state, path);
  if (node === undefined) {
    const code = state.nodes.has(path) ? "NO_NODE" : whyUnreadable(path);
    if (code !== "NO_NODE") return failure(code);
    return success({ kind: "holder", holder: null, waiting: 0 });
  }
  const session = node.stat.ephemeralOwner;
  assert(session !== 0, "contenders_are_ephemeral");
  const waiting = (node.parent?.stat.childCount ?? 1) - 1;
  assert(waiting >= 0, "holder_is_in_line");
  return success({
    kind: "holder",
    holder: {
      contender: node.path,
      token: fencingToken(node.stat.czxid),
      session,
      data: node.data,
    },
    waiting,
  });
}

function contender(state: TreeState, path: string, token: FencingToken): Result<QueryReply> {
  const node = contenderOf(state, path, token);
  if (node !== undefined) {
    const isHolder = holderOf(state, path) === node;
    assert(node.stat.ephemeralOwner !== 0, "contenders_are_ephemeral");
    return success({ kind: "contender", state: isHolder ? "held" : "waiting" });
  }
  reached("contender_asked_for_is_gone");
  const code = state.nodes.has(path) ? "NO_NODE" : whyUnreadable(path);
  return code === "NO_NODE" ? success({ kind: "contender", state: "gone" }) : failure(code);
}

function sessionInfo(session: Session): SessionInfo {
  assert(!session.isRemoved, "only_live_sessions_are_seen");
  return {
    id: session.id,
    timeoutMs: session.timeoutMs,
    ephemeralCount: session.ephemerals.size,
    address: session.attach.address,
    clientName: session.attach.clientName,
    attachedTo: session.attach.node,
    attachZxid: session.attachZxid,
  };
}
