import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import type { RestoreFlags } from "../stored/restore.ts";

/** Adds `restore` below `snapshot`. */
export function addRestoreCommand(snapshot: Command, context: CliContext): void {
  snapshot
    .command("restore <file>")
    .description("begin a new ensemble of one node with what a backup holds; others join it later")
    .requiredOption("--to <folder>", "the node's data directory, which must not exist or be empty")
    .requiredOption("--member <name=peer,client>", "the node's name and its two addresses")
    .option("--json", "print JSON, one value")
    .addHelpText("after", HELP)
    .action(async (file: string, flags: RestoreFlags) => {
      const { restore } = await import("../stored/restore.ts");
      await restore(context, file, flags);
    });
}

const HELP = `
The new ensemble has a history of its own: clients of the old one get new sessions, and nodes of
the old one are refused. Sessions in the backup end after their timeouts, and their ephemerals
with them.
`;
