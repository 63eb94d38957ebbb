import type { TreeLimits } from "@quorate/kv-store";
import { assert } from "./assert.ts";
import { ServerError } from "./errors.ts";

/** The part of `TreeLimits` that decides what a command does: the same on all nodes, and as long as there is a log. */
export type ReplicatedLimits = Pick<
  TreeLimits,
  "bytesMax" | "sessionsMax" | "sessionEphemeralsMax"
>;

/** What an operator knows each of the limits as. */
const SETTINGS: readonly (readonly [keyof ReplicatedLimits, string])[] = [
  ["bytesMax", "tree-bytes-max"],
  ["sessionsMax", "sessions-max"],
  ["sessionEphemeralsMax", "the number of ephemerals of a session"],
];

/** Every limit that differs, in words that say where the other values hold; null: none does. */
export function differenceOfLimits(
  own: ReplicatedLimits,
  other: ReplicatedLimits,
  where: string,
): string | null {
  const differences = SETTINGS.flatMap(([limit, setting]) =>
    own[limit] === other[limit]
      ? []
      : [`${setting} is ${own[limit]} here and ${other[limit]} ${where}`],
  );
  return differences.length === 0 ? null : differences.join("; ");
}

export function replicatedLimits(limits: TreeLimits): ReplicatedLimits {
  const { bytesMax, sessionsMax, sessionEphemeralsMax } = limits;
  return { bytesMax, sessionsMax, sessionEphemeralsMax };
}

/**
 * Applied under other limits, what stands in the log could come to something else than it was answered with: throws
 * LIMITS_MISMATCH unless they are those the ensemble was formed under.
 */
export function refuseOtherLimits(formed: ReplicatedLimits | null, own: TreeLimits): void {
  assert(formed !== null, "formed_under_limits");
  const difference = differenceOfLimits(own, formed, "since the ensemble was formed");
  if (difference !== null) throw new ServerError("LIMITS_MISMATCH", difference);
}
