import { ServerError } from "../errors.ts";
import type { Files } from "../ports.ts";
import { isInTheWay } from "./file-error.ts";

/**
 * Makes a node's data directory, with its parents; it may be there already. Rejects with a `ServerError`: CONFIG_INVALID where
 * something is in the way that is no directory, STORAGE_FAILED, STORAGE_FULL.
 */
export async function makeDataDirectory(files: Files, directory: string): Promise<void> {
  await asSetting(directory, () => files.makeDirectory(directory));
}

/**
 * For who is to begin with nothing. Rejects with a `ServerError`: DIRECTORY_IN_USE where something is in the directory,
 * CONFIG_INVALID where it can be none, STORAGE_FAILED; a directory that is not there yet is none of these.
 */
export async function refuseUsed(files: Files, directory: string): Promise<void> {
  const [found] = await asSetting(directory, () => files.list(directory));
  if (found === undefined) return;
  throw new ServerError("DIRECTORY_IN_USE", `${directory} is not empty: it holds ${found}`);
}

/** Where something else is in the way it is the setting that is wrong, and no disk. */
async function asSetting<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isInTheWay(error)) throw error;
    throw new ServerError(
      "CONFIG_INVALID",
      `${directory} cannot be the data directory: there, or on the way there, is a file; ` +
        "name another folder, or move that away",
      error,
    );
  }
}
