import { ServerError } from "../errors.ts";
import type { Files } from "../ports.ts";
import type { ReplicatedLimits } from "../replicated-limits.ts";
import { withDamagingReads } from "./damaging-reads.ts";
import { loadIdentity, type Identity, type IdentityFile } from "./identity.ts";
import { readOnlyFiles } from "./read-only-files.ts";

/** Of a node that belongs, or belonged, to an ensemble. */
export interface FormedIdentity extends Identity {
  readonly formation: Uint8Array;
  readonly limits: ReplicatedLimits;
}

/**
 * Who a data directory is, for who only looks: nothing is written. Fails with NOTHING_STORED where there is no node, or one that
 * never was part of an ensemble, with IDENTITY_DAMAGED, also where it is lost, FORMAT_UNKNOWN, STORAGE_FAILED.
 */
export async function readIdentity(files: Files, directory: string): Promise<FormedIdentity> {
  const identity = await lookedUp(files, directory);
  if (identity === null) {
    throw new ServerError("NOTHING_STORED", `${directory} is no node's data directory`);
  }
  const { formation, limits } = identity;
  if (formation === null || limits === null) {
    throw new ServerError("NOTHING_STORED", `${directory} never was part of an ensemble`);
  }
  return { ...identity, formation, limits };
}

/**
 * An identity is still what stands on the disk: before it is written, and before something is taken away that it does not name.
 * Nothing locks a data directory before there is an image. Fails with STORAGE_LOCKED where another process has gone on with it
 * or put it away, FORMAT_UNKNOWN, IDENTITY_DAMAGED, and STORAGE_FAILED, also where the medium does not give it back this time:
 * it did before, so that is no damage.
 */
export async function refuseTakenOver(
  files: Files,
  directory: string,
  known: IdentityFile,
): Promise<void> {
  const found = await nowThere(files, directory);
  // Whatever is written to it has a number of its own, and a new one a node of its own.
  const isSame = found?.number === known.number && found.current.nodeId === known.current.nodeId;
  if (isSame) return;
  const text = `another process uses ${directory}: give each node a data directory of its own`;
  throw new ServerError("STORAGE_LOCKED", text);
}

/** Null: there was one. */
async function nowThere(files: Files, directory: string): Promise<IdentityFile | null> {
  try {
    return await read(readOnlyFiles(files), directory);
  } catch (error) {
    if (isLost(error)) return null;
    throw error;
  }
}

async function lookedUp(files: Files, directory: string): Promise<Identity | null> {
  try {
    const reading = withDamagingReads(readOnlyFiles(files), "IDENTITY_DAMAGED");
    return (await read(reading, directory))?.current ?? null;
  } catch (error) {
    throw isLost(error) ? new ServerError("IDENTITY_DAMAGED", error.text, error) : error;
  }
}

/** Closed already. */
async function read(files: Files, directory: string): Promise<IdentityFile | null> {
  const file = await loadIdentity(files, directory);
  await file?.close();
  return file;
}

function isLost(error: unknown): error is ServerError {
  return error instanceof ServerError && error.code === "IDENTITY_LOST";
}
