import { InvalidArgumentError, type Command } from "commander";
import { resolve } from "node:path";
import { CliError } from "../cli-error.ts";
import { parseCount } from "../client-options.ts";
import type { CliContext } from "../context.ts";
import { DevSession } from "../ensemble/dev-session.ts";
import { clientAddresses, type EnsemblePlan } from "../ensemble/ensemble-plan.ts";
import { takenAddresses } from "../ensemble/free-ports.ts";
import { LocalEnsemble } from "../ensemble/local-ensemble.ts";
import { openEnsemblePlan } from "../ensemble/plan-file.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { npmRunner } from "../npm-runner.ts";
import { DEFAULT_SERVERS } from "../servers.ts";
import type { ReportExit } from "./hold-commands.ts";

interface DevFlags {
  readonly nodes?: number;
  readonly port?: number;
  readonly data: string;
  readonly trace?: boolean;
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
    .option("--trace", "record each node's Raft core beside its log, for `quorate trace replay`")
    .action(async (flags: DevFlags) => report(await runDev(context, flags)));
}

async function runDev(context: CliContext, flags: DevFlags): Promise<number> {
  const directory = resolve(context.workingDirectory, flags.data);
  const { plan, isNew, keep } = await openEnsemblePlan(directory, {
    ...(flags.nodes !== undefined && { nodes: flags.nodes }),
    ...(flags.port !== undefined && { port: flags.port }),
  });
  await checkAddresses(plan);
  await keep();
  const ensemble = new LocalEnsemble({
    plan,
    flags: ["--log-format", "text"],
    ...(flags.trace === true && { flagsOf: (node) => ["--trace", node.traceFile] }),
    env: context.env,
  });
  const head = `${isNew ? "a new ensemble" : "the ensemble"} of ${nodesText(plan)}, data and logs in ${directory}`;
  return new DevSession(context, ensemble, bannerOf(context, plan, head)).run();
}

function nodesText({ nodes }: EnsemblePlan): string {
  return nodes.length === 1 ? "one node" : `${nodes.length} nodes`;
}

/** Nodes that cannot listen would end one by one, and another ensemble answer in their place. */
async function checkAddresses(plan: EnsemblePlan): Promise<void> {
  const addresses = plan.nodes.flatMap((node) => [node.clientListen, node.peerAddress]);
  const taken = await takenAddresses(addresses);
  if (taken.length === 0) return;
  throw new CliError("ADDRESS_IN_USE", `${taken.join(", ")}: another program listens there`, {
    exitCode: EXIT_CODES.failed,
    hint: "perhaps another `quorate dev`, or nodes of one that was killed: stop it, or start a second one with --port and --data",
  });
}

function bannerOf(context: CliContext, plan: EnsemblePlan, head: string): string {
  const servers = clientAddresses(plan);
  const program = `${npmRunner(context.env)}quorate`;
  const isDefault = servers.slice(0, DEFAULT_SERVERS.length).join() === DEFAULT_SERVERS.join();
  return [
    head,
    `connect to  ${servers.join(",")}`,
    `try         ${program} status${isDefault ? "" : ` --servers ${servers.join(",")}`}`,
    `            ${program} --help`,
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
