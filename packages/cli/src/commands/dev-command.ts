import { InvalidArgumentError, type Command } from "commander";
import { resolve } from "node:path";
import { parseCount } from "../client-options.ts";
import type { CliContext } from "../context.ts";
import { DevSession } from "../ensemble/dev-session.ts";
import { clientAddresses, type EnsemblePlan } from "../ensemble/ensemble-plan.ts";
import { LocalEnsemble } from "../ensemble/local-ensemble.ts";
import { openEnsemblePlan } from "../ensemble/plan-file.ts";
import type { ReportExit } from "./hold-commands.ts";

interface DevFlags {
  readonly nodes?: number;
  readonly port?: number;
  readonly data: string;
}

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
    .action(async (flags: DevFlags) => report(await runDev(context, flags)));
}

async function runDev(context: CliContext, flags: DevFlags): Promise<number> {
  const directory = resolve(context.workingDirectory, flags.data);
  const { plan, isNew } = await openEnsemblePlan(directory, {
    ...(flags.nodes !== undefined && { nodes: flags.nodes }),
    ...(flags.port !== undefined && { port: flags.port }),
  });
  const ensemble = new LocalEnsemble({ plan, flags: ["--log-format", "text"], env: context.env });
  return new DevSession(context, ensemble, bannerOf(plan, directory, isNew)).run();
}

function bannerOf(plan: EnsemblePlan, directory: string, isNew: boolean): string {
  const servers = clientAddresses(plan).join(",");
  return [
    `${isNew ? "a new ensemble" : "the ensemble"} of ${plan.nodes.length} nodes, data and logs in ${directory}`,
    `connect to  ${servers}`,
    `try         quorate --help, quorate status --servers ${servers}`,
    "",
  ].join("\n");
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
