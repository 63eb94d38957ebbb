import type { TreeLimits } from "@quorate/kv-store";

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

/** The first limit that differs, in words that say where the other value holds; null: none does. */
export function differenceOfLimits(
  own: ReplicatedLimits,
  other: ReplicatedLimits,
  where: string,
): string | null {
  for (const [limit, setting] of SETTINGS) {
    if (own[limit] !== other[limit]) {
      return `${setting} is ${own[limit]} here and ${other[limit]} ${where}`;
    }
  }
  return null;
}

export function replicatedLimits(limits: TreeLimits): ReplicatedLimits {
  const { bytesMax, sessionsMax, sessionEphemeralsMax } = limits;
  return { bytesMax, sessionsMax, sessionEphemeralsMax };
}
