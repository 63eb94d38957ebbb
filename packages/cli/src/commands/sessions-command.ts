import type { Command } from "commander";
import { addClientOptions, withClient, type ClientFlags } from "../client-options.ts";
import type { CliContext } from "../context.ts";
import { jsonLine } from "../format/json.ts";
import { formatTable } from "../format/table.ts";

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
  const rows = sessions.map((session) => [
    session.id === own ? `${session.id} (this)` : session.id,
    session.clientName === "" ? "-" : session.clientName,
    session.address,
    session.attachedTo,
    `${session.timeoutMs / 1000} s`,
    session.ephemeralCount,
  ]);
  context.out.write(
    formatTable(["session", "client", "address", "node", "timeout", "ephemerals"], rows),
  );
}
