import type { DataTree } from "@quorate/kv-store";
import type { Hello } from "@quorate/kv-store/protocol";
import type { SessionConfig } from "../config.ts";

/**
 * What an attach asks for, ms: what its client would like, brought into the bounds of this server. Never less than a session
 * has: where it was granted, other bounds may hold, and its client counts on that until it hears of another timeout, which it
 * never may. Whatever the client has seen has to be in the tree, or what the session has may not be.
 */
export function attachTimeout(
  { session, timeoutMs }: Hello,
  { timeoutMinMs, timeoutMaxMs }: SessionConfig,
  tree: DataTree,
): number {
  const bounded = Math.min(timeoutMaxMs, Math.max(timeoutMinMs, timeoutMs));
  if (session === null) return bounded;
  return Math.max(bounded, tree.session(session)?.timeoutMs ?? 0);
}
