import { inspectNode, recoverNode, systemPorts, type NodeRemains } from "@quorate/server";
import { usageError, type CliError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { counted } from "../format/counted.ts";
import { jsonLine } from "../format/json.ts";
import { npmRunner } from "../npm-runner.ts";
import {
  HINT_FOR_DAMAGED_SOURCE,
  formatFounded,
  foundingIn,
  newDirectory,
  readFounder,
} from "./founded-ensemble.ts";
import { damaged, givenDirectory, storedDataError } from "./stored-data.ts";

/** Options of `recover`. */
export interface RecoverFlags {
  readonly to?: string;
  readonly member?: string;
  readonly incomplete?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const CONSEQUENCES = `
This begins a new history, with this node alone:
- What the lost nodes had acknowledged and this one never received is lost for good.
- Writes that nobody was ever told of may turn out to have happened.
- Clients get new sessions. Sessions of before end after their timeouts, and their ephemerals with them.
- Nodes of the old history are refused from now on, this node's old data directory among them: do not
  start any of them again, or there are two ensembles.
`;

const CONSEQUENCE_OF_LOSSES = `- What this node itself had acknowledged and does not hold any more is lost for good as well.
`;

/** Says what one stopped node has and, where told to, begins a new history with it. */
export async function recover(
  context: CliContext,
  directory: string,
  flags: RecoverFlags,
): Promise<void> {
  refuseFlagsWithoutTarget(flags);
  const { path: source } = await givenDirectory(context, directory);
  // Before the data are read, which takes its time, and before anybody is asked.
  const to = flags.to === undefined ? null : await newDirectory(context, flags.to);
  const remains = await inspected(source);
  if (to === null) {
    const text = flags.json === true ? jsonLine(remains) : formatRemains(directory, remains);
    context.out.write(text);
    if (remains.losses.length > 0) throw incomplete(directory);
    return;
  }
  if (flags.member === undefined) {
    throw usageError(
      "--to needs --member",
      `say where the new node is reached, for example --member ${remains.name}=127.0.0.1:7101,127.0.0.1:7001`,
    );
  }
  const founder = readFounder(flags.member);
  const isIncomplete = remains.losses.length > 0;
  const isRefused = isIncomplete && flags.incomplete !== true;
  const consequences = isRefused ? "" : CONSEQUENCES + (isIncomplete ? CONSEQUENCE_OF_LOSSES : "");
  const text = formatRemains(directory, remains) + consequences;
  context.err.write(flags.json === true ? jsonLine({ remains, consequences }) : text);
  if (isRefused) throw incomplete(directory);
  await confirm(context, remains, flags.yes === true);
  const target = { directory: to, member: founder.member, incomplete: isIncomplete };
  const founded = await foundingIn(to, () => recoverNode(systemPorts(), source, target));
  const runner = npmRunner(context.env);
  context.out.write(
    flags.json === true ? jsonLine(founded) : formatFounded(founded, founder, runner),
  );
}

/** They say what is to be begun, and nothing would be. */
function refuseFlagsWithoutTarget({ to, member, incomplete: isIncomplete }: RecoverFlags): void {
  if (to !== undefined || (member === undefined && isIncomplete !== true)) return;
  const flag = member === undefined ? "--incomplete" : "--member";
  throw usageError(`${flag} needs --to`, "--to FOLDER says where the new data directory is made");
}

async function inspected(source: string): Promise<NodeRemains> {
  try {
    return await inspectNode(systemPorts(), source);
  } catch (error) {
    throw storedDataError(error, "the node's data are damaged", HINT_FOR_DAMAGED_SOURCE);
  }
}

const HOW_TO_CONFIRM = "nothing was changed; --yes confirms it beforehand";

async function confirm(
  context: CliContext,
  { name }: NodeRemains,
  isConfirmed: boolean,
): Promise<void> {
  if (isConfirmed) return;
  const answer = await context.ask(`Type the node's name (${name}) to go on: `, HOW_TO_CONFIRM);
  if (answer?.trim() === name) return;
  const text = answer === null ? "nobody is there to confirm it" : "not confirmed";
  throw usageError(text, HOW_TO_CONFIRM);
}

function incomplete(directory: string): CliError {
  return damaged(
    `${directory} may hold less than its node had acknowledged`,
    "look at the other survivors and at backups first; where none has more, add --incomplete to --to and --member",
  );
}

function formatRemains(directory: string, remains: NodeRemains): string {
  const { name, clusterId, historyId, term, zxid, znodes, sessions, digest, voters } = remains;
  const { imageDamage } = remains;
  const madeUp = "the image is damaged, and the log makes up for it";
  const image = imageDamage === null ? "" : `  ${madeUp}: ${imageDamage}\n`;
  const losses = remains.losses.map((loss) => `  incomplete: ${loss}\n`).join("");
  return (
    `${directory} is of node ${name} of ensemble ${clusterId}, history ${historyId}\n` +
    `  term ${term}, zxid ${zxid}: ${counted(znodes, "znode")}, ${counted(sessions, "session")}, digest ${digest}\n` +
    `  voters as it knows: ${voters.join(", ")}\n${image}${losses}`
  );
}
