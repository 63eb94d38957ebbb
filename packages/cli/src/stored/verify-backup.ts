import { verifyBackup, type BackupSummary } from "@quorate/server";
import { resolve } from "node:path";
import type { CliContext } from "../context.ts";
import { backupText } from "../format/backup-text.ts";
import { jsonLine } from "../format/json.ts";
import { readBackupFile } from "./backup-file.ts";
import { storedDataError } from "./stored-data.ts";

/** Options of `snapshot verify`. */
export interface VerifyFlags {
  readonly json?: boolean;
}

/** Reads all of a backup, and fails where it is damaged. */
export async function verifyBackupFile(
  context: CliContext,
  file: string,
  flags: VerifyFlags,
): Promise<void> {
  const path = resolve(context.workingDirectory, file);
  let summary: BackupSummary;
  try {
    summary = await verifyBackup(readBackupFile(path, context.err, "verifying"));
  } catch (error) {
    const hint = "take another one with `quorate snapshot save`";
    throw storedDataError(error, `${file} is no whole backup`, hint);
  }
  context.out.write(
    flags.json === true ? jsonLine({ file, ...summary }) : `${backupText(summary)}no damage\n`,
  );
}
