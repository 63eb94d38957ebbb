import type { Command } from "commander";
import { addClientOptions, withClient, type ClientFlags } from "../client-options.ts";
import type { CliContext } from "../context.ts";
import { askStatus } from "../ensemble/ask-status.ts";
import { jsonLine } from "../format/json.ts";
import { formatTable } from "../format/table.ts";
import { resolveServers } from "../servers.ts";

/** Adds `sessions`. */
export function addSessionsCommand(program: Command, context: CliContext): void {
  const command = program.command("sessions").description("list the live sessions");
  addClientOptions(command).action((flags: ClientFlags) => runSessions(context, flags));
}

async function runSessions(context: CliContext, flags: ClientFlags): Promise<void> {
  const { sessions, own } = await withClient(context, flags, async (client, timeoutMs) => ({
    sessions: await client.sessions({ timeoutMs }),
    own: client.session,
  }));
  if (flags.json === true) {
    for (const session of sessions) context.out.write(jsonLine(session));
    return;
  }
  const names = await nodeNames(context, flags);
  const rows = sessions.map((session) => [
    session.id === own ? `${session.id} (this)` : session.id,
    session.clientName === "" ? "-" : session.clientName,
    session.address,
    names.get(session.attachedTo) ?? session.attachedTo,
    `${session.timeoutMs / 1000} s`,
    session.ephemeralCount,
  ]);
  context.out.write(
    formatTable(["session", "client", "address", "node", "timeout", "ephemerals"], rows),
  );
}

/** Names of the nodes that answer, by id; a session of any other is shown with the id. */
async function nodeNames(
  context: CliContext,
  flags: ClientFlags,
): Promise<ReadonlyMap<number, string>> {
  const servers = resolveServers(flags.servers, context.env);
  const answers = await askStatus(context, servers, NAMES_TIMEOUT_MS);
  return new Map(
    answers.flatMap(({ status }) => (status === null ? [] : [[status.nodeId, status.name]])),
  );
}

const NAMES_TIMEOUT_MS = 1_000;
