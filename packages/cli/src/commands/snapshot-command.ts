import type { Command } from "commander";
import { addClientOptions } from "../client-options.ts";
import type { CliContext } from "../context.ts";
import type { SaveFlags } from "../stored/save-backup.ts";
import type { VerifyFlags } from "../stored/verify-backup.ts";
import { addRestoreCommand } from "./restore-command.ts";

/** Adds `snapshot save`, `verify` and `restore`. */
export function addSnapshotCommands(program: Command, context: CliContext): void {
  const snapshot = program
    .command("snapshot")
    .description("back the whole tree up into a file, while the ensemble goes on");
  addClientOptions(
    snapshot
      .command("save <file>")
      .description(
        "write a consistent backup of everything acknowledged before, verified; it takes the place of a file that is there",
      ),
  )
    .option("--local", "as the server that answers first has it; works without a quorum")
    .action(async (file: string, flags: SaveFlags) => {
      const { saveBackup } = await import("../stored/save-backup.ts");
      await saveBackup(context, file, flags);
    });
  snapshot
    .command("verify <file>")
    .description("read a backup and check every checksum, the counts and the digest")
    .option("--json", "print JSON, one value")
    .action(async (file: string, flags: VerifyFlags) => {
      const { verifyBackupFile } = await import("../stored/verify-backup.ts");
      await verifyBackupFile(context, file, flags);
    });
  addRestoreCommand(snapshot, context);
}
