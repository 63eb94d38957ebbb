import { ServerError } from "@quorate/server";
import { readdir } from "node:fs/promises";
import { resolve } from "node:path";
import { CliError, usageError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";

const WHAT_TO_GIVE = "give a node's data directory, such as ./data/node-1";

/** What becomes of a node whose data are damaged. */
export const HINT_FOR_DAMAGED_NODE: string =
  "with peers: move the data directory away and start the node with --rejoin, it comes back as a new member; without any, or " +
  "where a majority is lost: `quorate recover DIRECTORY --to FOLDER --member NAME=PEER,CLIENT --incomplete` begins anew with " +
  "what is left, `quorate snapshot restore` with a backup";

/** A data directory that a command line names. */
export interface GivenDirectory {
  /** Absolute. */
  readonly path: string;
  /** What is in it. */
  readonly names: readonly string[];
}

/**
 * Looks into a folder that a command line names. Throws a usage error where there is none, and UNREADABLE where it cannot be
 * looked into.
 */
export async function givenDirectory(
  { workingDirectory }: Pick<CliContext, "workingDirectory">,
  directory: string,
): Promise<GivenDirectory> {
  const path = resolve(workingDirectory, directory);
  try {
    return { path, names: await readdir(path) };
  } catch (error) {
    throw readError(error, path, WHAT_TO_GIVE);
  }
}

/** There is no node, whatever else there may be. */
export function noNode(text: string): CliError {
  return usageError(text, WHAT_TO_GIVE);
}

/** What a file or a folder cannot be read for: the command line names a wrong one (a usage error with `hint`), or UNREADABLE. */
export function readError(error: unknown, path: string, hint: string): unknown {
  if (!(error instanceof Error && "code" in error && "syscall" in error)) return error;
  switch (error.code) {
    case "ENOENT":
    case "ENOTDIR":
    case "EISDIR":
      return usageError(`cannot read ${path}: ${error.message}`, hint);
    default:
      return unreadable(error.message, error);
  }
}

/** Why something of a stopped node, or a backup of it, could not be read or used; `hint`: what to do about damage. */
export function storedDataError(error: unknown, what: string, hint: string): unknown {
  if (!(error instanceof ServerError)) return error;
  switch (error.code) {
    case "NOTHING_STORED":
      return noNode(error.text);
    case "STORAGE_LOCKED":
      return usageError("the node is running", "stop it first: only a stopped node can be read");
    case "STORAGE_FAILED":
    case "STORAGE_FULL":
      return unreadable(error.text, error);
    case "FORMAT_UNKNOWN":
      return damaged(
        `${what}: ${error.text}`,
        `${hint}; if another release wrote it, take that one`,
      );
    case "BACKUP_DAMAGED":
    case "IDENTITY_DAMAGED":
    case "IDENTITY_MISMATCH":
    case "IMAGE_CORRUPT":
    case "LOG_CORRUPT":
      return damaged(`${what}: ${error.text}`, hint);
    default:
      return error;
  }
}

/** What is stored is not what was written. */
export function damaged(message: string, hint: string): CliError {
  return new CliError("DAMAGED", message, { exitCode: EXIT_CODES.damaged, hint });
}

function unreadable(text: string, cause: Error): CliError {
  return new CliError(
    "UNREADABLE",
    `it cannot be read here, which says nothing of damage: ${text}`,
    {
      exitCode: EXIT_CODES.failed,
      hint: hintFor(text),
      cause,
    },
  );
}

/** By what the system, or LevelDB in its words, says. */
function hintFor(text: string): string {
  if (/EROFS|read-only file system/i.test(text)) {
    return "work on a copy of the directory: LevelDB writes to what it opens, though nothing be changed";
  }
  if (/EACCES|EPERM|permission denied/i.test(text)) {
    return "run it as the user that the server runs as, or work on a copy";
  }
  return "mend what is in the way, and try again";
}
