import type { TreeLimits } from "@quorate/kv-store";
import { assert } from "./assert.ts";
import { ServerError } from "./errors.ts";

/** The part of `TreeLimits` that decides what a command does: the same on all nodes, and as long as there is a log. */
export type ReplicatedLimits = Pick<
  TreeLimits,
  "bytesMax" | "sessionsMax" | "sessionEphemeralsMax"
>;

interface Setting {
  readonly limit: keyof ReplicatedLimits;
  /** What an operator knows it as. */
  readonly name: string;
  /** What a server is started with to have another one; null: every server of a release has the same. */
  readonly flag: string | null;
}

const SETTINGS: readonly Setting[] = [
  { limit: "bytesMax", name: "tree-bytes-max", flag: "--tree-bytes-max" },
  { limit: "sessionsMax", name: "sessions-max", flag: "--sessions-max" },
  { limit: "sessionEphemeralsMax", name: "the number of ephemerals of a session", flag: null },
];

/** Every limit that differs, in words that say where the other values hold; null: none does. */
export function differenceOfLimits(
  own: ReplicatedLimits,
  other: ReplicatedLimits,
  where: string,
): string | null {
  const differences = SETTINGS.flatMap(({ limit, name }) =>
    own[limit] === other[limit]
      ? []
      : [`${name} is ${own[limit]} here and ${other[limit]} ${where}`],
  );
  return differences.length === 0 ? null : differences.join("; ");
}

/** What `who`, who has the limits `has`, is started with to have `wanted`, as the end of a sentence; "": no flags do that. */
export function adviceToFit(who: string, has: ReplicatedLimits, wanted: ReplicatedLimits): string {
  const differing = SETTINGS.filter(({ limit }) => has[limit] !== wanted[limit]);
  if (differing.some(({ flag }) => flag === null)) return "";
  const flags = differing.map(({ limit, flag }) => `${flag} ${wanted[limit]}`).join(" ");
  return `; to fit, start ${who} with ${flags}`;
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
  if (difference === null) return;
  throw new ServerError("LIMITS_MISMATCH", `${difference}${adviceToFit("this node", own, formed)}`);
}
