import type { QuorateServer } from "../../../packages/server/src/quorate-server.ts";
import { LEADER_NOT_HEARD } from "../../../packages/server/src/readiness.ts";

/** It serves as far as it can tell by itself: a look in the middle of a run must not have it ask its leader. */
export function serves(server: QuorateServer | null): boolean {
  return server?.status().notReady.every((reason) => reason === LEADER_NOT_HEARD) ?? false;
}
