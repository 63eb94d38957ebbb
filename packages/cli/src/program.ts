import { Command } from "commander";
import { addDevCommand } from "./commands/dev-command.ts";
import { addHoldCommands, type ReportExit } from "./commands/hold-commands.ts";
import { addImageCommands } from "./commands/image-command.ts";
import { addLeaderCommands } from "./commands/leader-command.ts";
import { addMemberCommands } from "./commands/member-commands.ts";
import { addReadCommands } from "./commands/read-commands.ts";
import { addRecoverCommand } from "./commands/recover-command.ts";
import { addServerCommand } from "./commands/server-command.ts";
import { addSessionsCommand } from "./commands/sessions-command.ts";
import { addSnapshotCommands } from "./commands/snapshot-command.ts";
import { addStatusCommand } from "./commands/status-command.ts";
import { addTraceCommands } from "./commands/trace-command.ts";
import { addWalCommands } from "./commands/wal-command.ts";
import { addWatchCommand } from "./commands/watch-command.ts";
import { addWriteCommands } from "./commands/write-commands.ts";
import type { CliContext } from "./context.ts";
import { EXIT_CODE_HELP } from "./exit-code.ts";

/** The whole command line. `report` receives exit codes other than 0 of commands that end without an error. */
export function createProgram(context: CliContext, report: ReportExit): Command {
  const program = new Command("quorate")
    .description("Quorate: sessions, ephemerals, watches, locks and elections on a replicated tree")
    .version(VERSION, "-V, --version", "print the version")
    .configureOutput({
      writeOut: (text) => context.out.write(text),
      writeErr: (text) => context.err.write(text),
      getOutHelpWidth: () => context.out.columns,
      getErrHelpWidth: () => context.err.columns,
    })
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError("(--help explains it)")
    .addHelpText("after", HELP);
  program.commandsGroup("Run servers:");
  addDevCommand(program, context, report);
  addServerCommand(program, context, report);
  program.commandsGroup("Look at servers:");
  addStatusCommand(program, context);
  addSessionsCommand(program, context);
  addWalCommands(program, context);
  addImageCommands(program, context);
  addTraceCommands(program, context);
  program.commandsGroup("Change the ensemble:");
  addMemberCommands(program, context);
  addLeaderCommands(program, context);
  program.commandsGroup("Back up and recover:");
  addSnapshotCommands(program, context);
  addRecoverCommand(program, context);
  program.commandsGroup("Work with the tree:");
  addReadCommands(program, context);
  addWriteCommands(program, context);
  addWatchCommand(program, context);
  program.commandsGroup("Run a command under a lock:");
  addHoldCommands(program, context, report);
  return program;
}

const VERSION = "0.1.0";

const HELP = `
Start here:
  quorate dev                        three nodes on this machine, data in ./data
  quorate create /greeting hello     then: quorate get /greeting
  quorate lock backup -- ./backup    run a command under a lock

Exit codes:
${EXIT_CODE_HELP.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`).join("\n")}
`;
