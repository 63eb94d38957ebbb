import type { LogIndex, SnapshotMeta } from "@quorate/raft";
import { ServerError } from "../errors.ts";
import { damageText, type LogDamage } from "./log-damage.ts";

/** Throws LOG_CORRUPT for a log that is damaged. */
export function refuseDamage({ damage }: { readonly damage: LogDamage | null }): void {
  if (damage !== null) throw new ServerError("LOG_CORRUPT", damageText(damage));
}

/** What the leader counts on is gone, although all that is there is whole. */
export function lossOf(lastIndex: LogIndex): ServerError {
  const text =
    `the log ends at ${lastIndex}, but the leader knows that this node held more, or other entries: its files are an older copy, ` +
    "or the disk said that it had written what it had not";
  return new ServerError("LOG_CORRUPT", text);
}

/** One of the two is wrong, and nobody but an operator can say which. */
export function conflictAt(index: number): ServerError {
  const text =
    `the leader has something else at ${index}, or before, than what this node knows to be committed: other nodes have ` +
    "lost what they had acknowledged. Nothing was changed: what was acknowledged may be left on this node alone. " +
    'Keep its data directory, and see docs/operations.md, "When a node lost its data"';
  return new ServerError("LOG_CONFLICT", text);
}

/** The image is never ahead of the log it was made from, so the log was longer once. */
export function refuseShortLog({ index }: SnapshotMeta, lastIndex: LogIndex): never {
  const text = `the log ends at ${lastIndex}, but the image stands at ${index}`;
  throw new ServerError("LOG_CORRUPT", text);
}
