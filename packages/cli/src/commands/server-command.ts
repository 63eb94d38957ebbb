import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { SERVERS_VARIABLE } from "../servers.ts";
import type { ReportExit } from "./hold-commands.ts";

/** Adds `server`, which hands everything after it to the node. */
export function addServerCommand(program: Command, context: CliContext, report: ReportExit): void {
  program
    .command("server")
    .description(
      "run one node in this process; all flags are the server's, see `quorate server --help`",
    )
    .usage("[flags]")
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (_flags: unknown, command: Command) => {
      const { runServerProcess } = await import("@quorate/server");
      report(await runServerProcess(command.args, environmentOf(context)));
    });
}

/** `help server` is `server --help`: its flags are the server's, which alone can explain them. */
export function asServerHelp(argv: readonly string[]): readonly string[] {
  return argv[0] === "help" && argv[1] === "server" ? ["server", "--help"] : argv;
}

/** The server refuses `QUORATE_…` variables it does not know; these are the command line's own. */
function environmentOf(context: CliContext): Readonly<Record<string, string | undefined>> {
  const own: ReadonlySet<string> = new Set([
    SERVERS_VARIABLE,
    "QUORATE_LOCK_PATH",
    "QUORATE_LOCK_TOKEN",
    "QUORATE_LOCK_CONTENDER",
  ]);
  return Object.fromEntries(Object.entries(context.env).filter(([name]) => !own.has(name)));
}
