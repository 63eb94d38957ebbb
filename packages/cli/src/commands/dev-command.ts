import { InvalidArgumentError, type Command } from "commander";
import { parseCount } from "../client-options.ts";
import type { CliContext } from "../context.ts";
import type { DevFlags } from "../ensemble/run-dev.ts";
import type { ReportExit } from "./hold-commands.ts";

/** Adds `dev`. */
export function addDevCommand(program: Command, context: CliContext, report: ReportExit): void {
  program
    .command("dev")
    .description(
      "run an ensemble on this machine, each node a process; resumes the one kept in --data",
    )
    .option("-n, --nodes <number>", "1, 3 or 5 nodes; 3 by default", parseNodes)
    .option("-d, --data <folder>", "where the nodes keep their data and logs", "./data")
    .option(
      "-p, --port <number>",
      "first client port, 7001 by default; peers use the ports a hundred above",
      parsePort,
    )
    .option("--trace", "record each node's Raft core beside its log, for `quorate trace replay`")
    .action(async (flags: DevFlags) => {
      const { runDev } = await import("../ensemble/run-dev.ts");
      report(await runDev(context, flags));
    });
}

function parseNodes(text: string): number {
  const count = parseCount(text);
  if (![1, 3, 5].includes(count)) {
    throw new InvalidArgumentError(
      "1, 3 or 5: an even number survives no more failures than one less.",
    );
  }
  return count;
}

function parsePort(text: string): number {
  const port = parseCount(text);
  if (port < 1 || port > PORT_MAX)
    throw new InvalidArgumentError(`It is a port from 1 to ${PORT_MAX}.`);
  return port;
}

/** The highest peer port, a hundred and four above the first client port, must be one. */
const PORT_MAX = 65_431;
