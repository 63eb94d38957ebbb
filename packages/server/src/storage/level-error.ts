import { ServerError } from "../errors.ts";

/** What LevelDB was asked for. `opening`: an image that is there. */
export type LevelWork = "creating" | "opening" | "reading" | "writing";

/** LevelDB names the file and has the system say what is wrong, in words only. */
const DATA_FILE = String.raw`/(?:\d+\.(?:ldb|sst|log)|MANIFEST-\d+|CURRENT): `;
/** A file has gone, or ends before what LevelDB wrote to it: it reads while it writes, too, for its compactions. */
const CUT_SHORT = new RegExp(`${DATA_FILE}(?:No such file or directory|Invalid argument)$`, "u");
const MEDIUM_FAILED = new RegExp(`${DATA_FILE}(?:Input/output error|I/O error)$`, "u");

/** An error of LevelDB: STORAGE_LOCKED, IMAGE_CORRUPT, STORAGE_FULL, STORAGE_FAILED. Those of this package stay what they are. */
export function levelError(operation: string, error: unknown, work: LevelWork): ServerError {
  if (error instanceof ServerError) return error;
  const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = reason instanceof Error ? reason.message : String(reason);
  const code = codeOf(reason);
  const message = `${operation}: ${text}`;
  if (code === "LEVEL_LOCKED") {
    const held = `${operation}: another process has it open, perhaps a node that still runs`;
    return new ServerError("STORAGE_LOCKED", held, error);
  }
  if (code === "LEVEL_CORRUPTION" || isDamage(text, work)) {
    return new ServerError("IMAGE_CORRUPT", message, error);
  }
  const full = text.includes("No space left") || text.includes("Disk quota exceeded");
  return new ServerError(full ? "STORAGE_FULL" : "STORAGE_FAILED", message, error);
}

function isDamage(text: string, work: LevelWork): boolean {
  if (text.includes("does not exist (create_if_missing")) return true;
  if (work === "creating") return false;
  // Whoever opens or writes may have failed to write: that says nothing of what is stored.
  return CUT_SHORT.test(text) || (work === "reading" && MEDIUM_FAILED.test(text));
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : null;
}
