import type { Command } from "commander";
import { CliError, type CliErrorCode } from "../cli-error.ts";
import { addClientOptions, type ClientFlags } from "../client-options.ts";
import type { CliContext } from "../context.ts";
import { NO_QUORATE_SERVER, askStatus, type StatusAnswer } from "../ensemble/ask-status.ts";
import {
  findLeader,
  isOfNoEnsemble,
  knownLeaderName,
  type NodeStatus,
} from "../ensemble/node-status.ts";
import { severalEnsembles } from "../ensemble/several-ensembles.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { jsonLine } from "../format/json.ts";
import { formatTable } from "../format/table.ts";
import { resolveServers } from "../servers.ts";

/** Adds `status`. */
export function addStatusCommand(program: Command, context: CliContext): void {
  const command = program
    .command("status")
    .description("print what each of the servers says of itself; needs no quorum");
  addClientOptions(command)
    .addHelpText("after", "\nExits with 5 when no leader serves or a server does not answer.\n")
    .action((flags: ClientFlags) => runStatus(context, flags));
}

async function runStatus(context: CliContext, flags: ClientFlags): Promise<void> {
  const servers = resolveServers(flags.servers, context.env);
  const answers = await askStatus(context, servers, flags.timeout * 1000);
  const text =
    flags.json === true
      ? answers.map((answer) => jsonLine(asJson(answer))).join("")
      : formatTable(HEAD, answers.map(asRow));
  context.out.write(text);
  const several = severalEnsembles(answers);
  if (several !== null) context.err.write(`warning: ${several}\n`);
  if (flags.json !== true) context.err.write(answers.map(waitingNote).join(""));
  for (const answer of answers) {
    for (const warning of answer.status?.warnings ?? []) {
      context.err.write(`warning: ${answer.server}: ${warning}\n`);
    }
  }
  const problem = problemOf(answers);
  if (problem !== null) {
    const { code, message, hint } = problem;
    throw new CliError(code, message, { hint, exitCode: EXIT_CODES.unavailable });
  }
}

const HEAD = ["server", "node", "role", "leader", "term", "zxid", "sessions", "znodes", "ready"];

function asRow({ server, status, error }: StatusAnswer): readonly (string | number)[] {
  if (status === null) return [server, "-", error, "-", "-", "-", "-", "-", "-"];
  const { name, role, leader, term, zxid, sessions, znodes } = status;
  return [server, name, role, leader ?? "-", term, zxid, sessions, znodes, readiness(status)];
}

function readiness(status: NodeStatus): string {
  if (status.notReady.length === 0) return "yes";
  // What such a node waits for is a long sentence, and has a line of its own.
  return isOfNoEnsemble(status) ? "no" : status.notReady.join("; ");
}

function waitingNote({ server, status }: StatusAnswer): string {
  if (status === null || !isOfNoEnsemble(status)) return "";
  return `note: ${server}: node ${status.name} is ${status.notReady.join("; ")}\n`;
}

function asJson({ server, status, body, error }: StatusAnswer): unknown {
  return status === null ? { server, error } : { server, ...JSON.parse(body) };
}

function problemOf(
  answers: readonly StatusAnswer[],
): { readonly code: CliErrorCode; readonly message: string; readonly hint: string } | null {
  const statuses = answers.flatMap(({ status }) => (status === null ? [] : [status]));
  if (statuses.length === 0 && answers.some(({ error }) => error === NO_QUORATE_SERVER)) {
    return {
      code: "NO_SERVER",
      message: "no Quorate server answers",
      hint: "something else listens there: name the client ports of the nodes with --servers or QUORATE_SERVERS, not those at which they speak with one another",
    };
  }
  if (statuses.length === 0) {
    return {
      code: "NO_SERVER",
      message: "no server answers",
      hint: "is it running? `quorate dev` starts an ensemble; --servers or QUORATE_SERVERS say where one is",
    };
  }
  const silent = answers.filter(({ status }) => status === null).map(({ server }) => server);
  const isLeaderAmongThem = findLeader(statuses) !== null;
  const leaderName = knownLeaderName(statuses);
  if (statuses.every(isOfNoEnsemble)) {
    return {
      code: "NO_LEADER",
      message: "none of these servers is part of an ensemble yet",
      hint:
        (silent.length === 0 ? "" : `start ${silent.join(", ")}; `) +
        "what each waits for stands above; one that is to join an ensemble waits until `quorate member add` is given to that one's servers",
    };
  }
  if (!isLeaderAmongThem && leaderName === null) {
    return {
      code: "NO_LEADER",
      message: "no leader: clients wait until there is one",
      hint: "more than half of the nodes must run and reach one another; start those that do not answer",
    };
  }
  if (silent.length === 0) return null;
  if (!isLeaderAmongThem) {
    return {
      code: "NO_LEADER",
      message: `${silent.join(", ")} did not answer; the others follow node ${leaderName}, which is not among them`,
      hint: "look again in a moment: if it has ended they elect another one; give the addresses of all nodes with --servers",
    };
  }
  return {
    code: "SERVER_SILENT",
    message: `${silent.join(", ")} did not answer; the ensemble serves without`,
    hint: "start it again soon: fewer failures are survived until then (a node of `quorate dev` starts with the next `quorate dev`); leave an address out of --servers that is no member's any more, see `quorate member ls`",
  };
}
