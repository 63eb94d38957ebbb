import type { Command } from "commander";
import { addClientOptions, type ClientFlags } from "../client-options.ts";
import type { CliContext } from "../context.ts";
import { jsonLine } from "../format/json.ts";
import { JsonFields } from "../json-fields.ts";
import { askLeader } from "../membership/ask-leader.ts";
import { checkNodeName } from "../node-name.ts";
import { resolveServers } from "../servers.ts";

/** Adds `leader transfer`. */
export function addLeaderCommands(program: Command, context: CliContext): void {
  const leader = program.command("leader").description("have another node lead");
  addClientOptions(
    leader
      .command("transfer [name]")
      .description("hand leadership over to NAME, or to the voter that is furthest along"),
  ).action((name: string | undefined, flags: ClientFlags) => runTransfer(context, flags, name));
}

async function runTransfer(
  context: CliContext,
  flags: ClientFlags,
  name: string | undefined,
): Promise<void> {
  if (name !== undefined) await checkNodeName(name);
  const answer = await askLeader(context, {
    servers: resolveServers(flags.servers, context.env),
    path: "/leader",
    value: { to: name ?? null },
    timeoutMs: flags.timeout * 1000,
  });
  const leader = JsonFields.of(answer).text("leader");
  context.out.write(flags.json === true ? jsonLine({ leader }) : `${leader} leads\n`);
}
