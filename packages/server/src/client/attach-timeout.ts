import type { DataTree } from "@quorate/kv-store";
import type { Hello } from "@quorate/kv-store/protocol";
import type { SessionConfig } from "../config.ts";
import { reached } from "../points.ts";

/**
 * What an attach asks for, ms. For a new session what its client would like, brought into the bounds of this server. Never
 * less than a session has: where it was granted, other bounds may hold, and its client counts on that until it hears of
 * another timeout, which it never may. A node that is behind what the client has seen may not know what that is, and takes
 * the client's word.
 */
export function attachTimeout(
  { session, timeoutMs, lastZxid }: Hello,
  { timeoutMinMs, timeoutMaxMs }: SessionConfig,
  tree: DataTree,
): number {
  const bounded = Math.min(timeoutMaxMs, Math.max(timeoutMinMs, timeoutMs));
  if (session === null) return bounded;
  if (lastZxid > tree.lastZxid) {
    reached("attach_at_a_node_behind_its_client");
    return Math.max(bounded, timeoutMs);
  }
  return Math.max(bounded, tree.session(session)?.timeoutMs ?? 0);
}
