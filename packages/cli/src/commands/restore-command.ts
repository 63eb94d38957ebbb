import { restoreBackup, systemPorts } from "@quorate/server";
import type { Command } from "commander";
import { resolve } from "node:path";
import { readBackupFile } from "../backup-file.ts";
import type { CliContext } from "../context.ts";
import { jsonLine } from "../format/json.ts";
import { formatFounded, foundingIn, readFounder } from "../founded-ensemble.ts";
import { npmRunner } from "../npm-runner.ts";

interface RestoreFlags {
  readonly to: string;
  readonly member: string;
  readonly json?: boolean;
}

/** Adds `restore` below `snapshot`. */
export function addRestoreCommand(snapshot: Command, context: CliContext): void {
  snapshot
    .command("restore <file>")
    .description("begin a new ensemble of one node with what a backup holds; others join it later")
    .requiredOption("--to <folder>", "the node's data directory, which must not exist or be empty")
    .requiredOption("--member <name=peer,client>", "the node's name and its two addresses")
    .option("--json", "print JSON, one value")
    .addHelpText("after", HELP)
    .action((file: string, flags: RestoreFlags) => runRestore(context, file, flags));
}

const HELP = `
The new ensemble has a history of its own: clients of the old one get new sessions, and nodes of
the old one are refused. Sessions in the backup end after their timeouts, and their ephemerals
with them.
`;

async function runRestore(context: CliContext, file: string, flags: RestoreFlags): Promise<void> {
  const founder = readFounder(flags.member);
  const path = resolve(context.workingDirectory, file);
  const directory = resolve(context.workingDirectory, flags.to);
  const founded = await foundingIn(directory, () => {
    const backup = readBackupFile(path, context.err, "restoring");
    return restoreBackup(systemPorts(), backup, { directory, member: founder.member });
  });
  const runner = npmRunner(context.env);
  context.out.write(
    flags.json === true ? jsonLine(founded) : formatFounded(founded, founder, runner),
  );
}
