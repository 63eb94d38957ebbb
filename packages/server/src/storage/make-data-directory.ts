import { ServerError } from "../errors.ts";
import type { Files } from "../ports.ts";

/**
 * Makes a node's data directory, with its parents; it may be there already. Rejects with a `ServerError`: CONFIG_INVALID where
 * something is in the way that is no directory, STORAGE_FAILED, STORAGE_FULL.
 */
export async function makeDataDirectory(files: Files, directory: string): Promise<void> {
  try {
    await files.makeDirectory(directory);
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

function isInTheWay(error: unknown): boolean {
  if (!(error instanceof ServerError)) return false;
  const { cause } = error;
  return cause instanceof Error && "code" in cause && cause.code === "ENOTDIR";
}
