import { readdir } from "node:fs/promises";
import { usageError } from "./cli-error.ts";

/** What to do where a folder cannot become a data directory. */
export const HINT_FOR_NEW_DIRECTORY = "name a folder that does not exist yet";

/**
 * Whether a data directory can be made of `directory`, an absolute path: nothing is there, or an empty folder. Throws a usage
 * error otherwise. What else may be in the way is found when it is made.
 */
export async function checkNewDirectory(directory: string): Promise<void> {
  const [found] = await namesIn(directory);
  if (found === undefined) return;
  throw usageError(`${directory} is not empty: it holds ${found}`, HINT_FOR_NEW_DIRECTORY);
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOTDIR")) return [];
    throw usageError(`${directory}, or what it is to lie in, is no folder`, HINT_FOR_NEW_DIRECTORY);
  }
}
