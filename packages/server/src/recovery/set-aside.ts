import type { ServerConfig } from "../config.ts";
import { isDamage } from "../errors.ts";
import { reached } from "../points.ts";
import type { Files } from "../ports.ts";
import {
  DAMAGED_PREFIX,
  IDENTITY_FILE,
  IMAGE_PREFIX,
  LOG_DIRECTORY,
} from "../storage/data-directory.ts";

/** Data of this many damages are kept; older ones make room. */
const KEPT_MAX = 2;

/** Damage that a node can make good from its peers: its own promises are then those of a node that is gone. */
export function isRepairable(error: unknown, { repair, members }: ServerConfig): boolean {
  return repair && members.length > 1 && isDamage(error);
}

/**
 * Puts a node's damaged data into a folder of their own, where an operator may look at them; the node then begins with
 * nothing. Returns the folder's name. May be interrupted: the identity goes last, so what is left is as damaged as before.
 */
export async function setAside(files: Files, directory: string): Promise<string> {
  reached("damaged_data_set_aside");
  const names = await files.list(directory);
  const earlier = names.flatMap((name) => {
    const number = name.startsWith(DAMAGED_PREFIX)
      ? Number(name.slice(DAMAGED_PREFIX.length))
      : NaN;
    return Number.isSafeInteger(number) ? [number] : [];
  });
  earlier.sort((a, b) => a - b);
  for (const number of earlier.slice(0, Math.max(0, earlier.length - KEPT_MAX + 1))) {
    await files.remove(`${directory}/${DAMAGED_PREFIX}${number}`);
  }
  const kept = `${DAMAGED_PREFIX}${(earlier.at(-1) ?? 0) + 1}`;
  await files.makeDirectory(`${directory}/${kept}`);
  const data = names.filter((name) => name === LOG_DIRECTORY || name.startsWith(IMAGE_PREFIX));
  for (const name of data) await move(files, directory, kept, name);
  if (names.includes(IDENTITY_FILE)) await move(files, directory, kept, IDENTITY_FILE);
  return kept;
}

/**
 * True where data were set aside: the node is not who it was, until it is a member again under its new identity, and however
 * often it is started before that.
 */
export async function hasSetAside(files: Files, directory: string): Promise<boolean> {
  return (await files.list(directory)).some((name) => name.startsWith(DAMAGED_PREFIX));
}

async function move(files: Files, directory: string, kept: string, name: string): Promise<void> {
  await files.rename(`${directory}/${name}`, `${directory}/${kept}/${name}`);
  await files.syncDirectory(`${directory}/${kept}`);
  await files.syncDirectory(directory);
}
