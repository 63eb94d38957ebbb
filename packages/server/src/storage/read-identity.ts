import { ServerError } from "../errors.ts";
import type { Files } from "../ports.ts";
import { loadIdentity, type Identity } from "./identity.ts";
import { forLooking } from "./looking-files.ts";

/**
 * Who a data directory is, for who only looks: nothing is written. Null: there is no node. Fails with IDENTITY_DAMAGED, also
 * where it is lost, FORMAT_UNKNOWN, STORAGE_FAILED.
 */
export async function readIdentity(files: Files, directory: string): Promise<Identity | null> {
  try {
    const file = await loadIdentity(forLooking(files), directory);
    await file?.close();
    return file === null ? null : file.current;
  } catch (error) {
    if (!(error instanceof ServerError) || error.code !== "IDENTITY_LOST") throw error;
    throw new ServerError("IDENTITY_DAMAGED", error.text, error);
  }
}
