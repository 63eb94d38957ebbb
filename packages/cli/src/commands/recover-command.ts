import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import type { RecoverFlags } from "../stored/recover.ts";

/** Adds `recover`. */
export function addRecoverCommand(program: Command, context: CliContext): void {
  program
    .command("recover <directory>")
    .description("begin anew with what one stopped node has, when a majority is lost for good")
    .option("--to <folder>", "the new data directory; without it, only show what the node has")
    .option("--member <name=peer,client>", "name and addresses of the new node, with --to")
    .option("--incomplete", "take what is left of a damaged node, or an older copy of one")
    .option("--yes", "do not ask")
    .option("--json", "print JSON, one value")
    .addHelpText("after", HELP)
    .action(async (directory: string, flags: RecoverFlags) => {
      const { recover } = await import("../stored/recover.ts");
      await recover(context, directory, flags);
    });
}

const HELP = `
Only for when more than half of the voters will never come back. Look at every survivor first: the
one with the highest term, and then the highest zxid, has the most.
`;
