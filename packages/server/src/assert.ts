import { InvariantError } from "@quorate/raft";

/**
 * Throws `InvariantError` unless `condition` holds. On in production; `details` is only built on failure. One condition
 * per call, and a name that can be searched for.
 */
export function assert(
  condition: boolean,
  invariant: string,
  details?: () => string,
): asserts condition {
  if (!condition) throw new InvariantError(invariant, details?.());
}
