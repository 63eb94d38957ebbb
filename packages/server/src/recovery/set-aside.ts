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
import { CURRENT_FILE } from "../storage/level-files.ts";

/** Data of this many damages are kept; older ones make room. */
const KEPT_MAX = 2;

/** Damage that a node can make good from its peers: its own promises are then those of a node that is gone. */
export function isRepairable(error: unknown, { repair, members }: ServerConfig): boolean {
  return repair && members.length > 1 && isDamage(error);
}

/**
 * Puts a node's damaged data into a folder of their own, where an operator may look at them; the node then begins with
 * nothing. Returns the folder's name. May be interrupted: the identity goes last, so what is left is as damaged as before,
 * and the next call puts it to what went.
 */
export async function setAside(files: Files, directory: string): Promise<string> {
  reached("damaged_data_set_aside");
  const names = await files.list(directory);
  const data = names.filter((name) => name === LOG_DIRECTORY || name.startsWith(IMAGE_PREFIX));
  const earlier = earlierFolders(names);
  const begun = await begunFolder(files, directory, earlier, data);
  const kept = begun ?? (earlier.at(-1) ?? 0) + 1;
  const folders = begun === null ? [...earlier, kept] : earlier;
  for (const number of folders.slice(0, Math.max(0, folders.length - KEPT_MAX))) {
    await files.remove(pathOf(directory, number));
  }
  await files.makeDirectory(pathOf(directory, kept));
  for (const name of data) await move(files, directory, kept, name);
  if (names.includes(IDENTITY_FILE)) await move(files, directory, kept, IDENTITY_FILE);
  return `${DAMAGED_PREFIX}${kept}`;
}

/** Numbers of the folders that are there, in order. */
function earlierFolders(names: readonly string[]): readonly number[] {
  const numbers = names.flatMap((name) => {
    const number = name.startsWith(DAMAGED_PREFIX)
      ? Number(name.slice(DAMAGED_PREFIX.length))
      : NaN;
    return Number.isSafeInteger(number) ? [number] : [];
  });
  return numbers.sort((a, b) => a - b);
}

/**
 * The newest folder, where an attempt broke off that was to put the same data into it; else null. An image under a name that
 * is there already tells only where something is in it: LevelDB makes an empty one out of the lock that it takes.
 */
async function begunFolder(
  files: Files,
  directory: string,
  earlier: readonly number[],
  data: readonly string[],
): Promise<number | null> {
  const newest = earlier.at(-1);
  if (newest === undefined) return null;
  const held = await files.list(pathOf(directory, newest));
  if (held.includes(IDENTITY_FILE)) return null;
  for (const name of data.filter((each) => held.includes(each))) {
    const isImage = name !== LOG_DIRECTORY;
    const content = isImage ? await files.list(`${directory}/${name}`) : [];
    if (!isImage || content.includes(CURRENT_FILE)) return null;
  }
  return newest;
}

function pathOf(directory: string, number: number): string {
  return `${directory}/${DAMAGED_PREFIX}${number}`;
}

/**
 * True where data were set aside: the node is not who it was, until it is a member again under its new identity, and however
 * often it is started before that.
 */
export async function hasSetAside(files: Files, directory: string): Promise<boolean> {
  return (await files.list(directory)).some((name) => name.startsWith(DAMAGED_PREFIX));
}

/** Nothing that is there already gives way. */
async function move(files: Files, directory: string, kept: number, name: string): Promise<void> {
  const folder = pathOf(directory, kept);
  const held = await files.list(folder);
  let to = name;
  for (let copy = 2; held.includes(to); copy += 1) to = `${name}-${copy}`;
  await files.rename(`${directory}/${name}`, `${folder}/${to}`);
  await files.syncDirectory(folder);
  await files.syncDirectory(directory);
}
