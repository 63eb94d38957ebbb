import { resolve } from "node:path";
import { CliError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { npmRunner } from "../npm-runner.ts";
import { DEFAULT_SERVERS } from "../servers.ts";
import { DevSession } from "./dev-session.ts";
import { clientAddresses, type EnsemblePlan } from "./ensemble-plan.ts";
import { takenAddresses } from "./free-ports.ts";
import { LocalEnsemble } from "./local-ensemble.ts";
import { openEnsemblePlan } from "./plan-file.ts";

/** Options of `dev`. */
export interface DevFlags {
  readonly nodes?: number;
  readonly port?: number;
  readonly data: string;
  readonly trace?: boolean;
}

/** Runs an ensemble on this machine until it is told to end; what to exit with. */
export async function runDev(context: CliContext, flags: DevFlags): Promise<number> {
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
