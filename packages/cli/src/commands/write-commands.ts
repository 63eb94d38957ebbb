import { QuorateError, type QuorateClient } from "@quorate/client";
import type { CreateMode } from "@quorate/kv-store/protocol";
import type { Command } from "commander";
import { CliError, usageError } from "../cli-error.ts";
import { addClientOptions, parseCount, withClient, type ClientFlags } from "../client-options.ts";
import type { CliContext } from "../context.ts";
import { addDataOptions, readData, type DataFlags } from "../data-input.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { jsonLine } from "../format/json.ts";
import { untilInterrupted } from "../until-interrupted.ts";
import { checkZnodePath } from "../znode-path.ts";
import { childPath } from "./read-commands.ts";

interface CreateFlags extends ClientFlags, DataFlags {
  readonly parents?: boolean;
  readonly sequential?: boolean;
  readonly ephemeral?: boolean;
}

interface VersionFlags extends ClientFlags {
  readonly ifVersion?: number;
}

/** Adds `create`, `set` and `delete`. */
export function addWriteCommands(program: Command, context: CliContext): void {
  const create = program.command("create <path> [data]").description("create a znode");
  addDataOptions(addClientOptions(create))
    .option("-p, --parents", "create missing parents, empty")
    .option("--sequential", "append a number that rises with every such child of the parent")
    .option("--ephemeral", "it lives until this command ends, which is when you interrupt it")
    .action((path: string, data: string | undefined, flags: CreateFlags) =>
      runCreate(context, path, data, flags),
    );
  const set = program.command("set <path> [data]").description("replace a znode's data");
  addVersionOption(addDataOptions(addClientOptions(set))).action(
    (path: string, data: string | undefined, flags: VersionFlags & DataFlags) =>
      runSet(context, path, data, flags),
  );
  const remove = program.command("delete <path>").description("delete a znode");
  addVersionOption(addClientOptions(remove))
    .option("-r, --recursive", "with everything below it, one znode after the other")
    .action((path: string, flags: VersionFlags & { readonly recursive?: boolean }) =>
      runDelete(context, path, flags),
    );
}

function addVersionOption(command: Command): Command {
  return command.option(
    "--if-version <number>",
    "only if the data are at this version",
    parseCount,
  );
}

async function runCreate(
  context: CliContext,
  path: string,
  argument: string | undefined,
  flags: CreateFlags,
): Promise<void> {
  checkZnodePath(path);
  const data = await readData(context, argument, flags, new Uint8Array());
  await withClient(context, flags, async (client, timeoutMs) => {
    if (flags.parents === true) await createParents(client, path, timeoutMs);
    const created = await client.create(path, data, { mode: modeOf(flags), timeoutMs });
    context.out.write(flags.json === true ? jsonLine({ path: created }) : `${created}\n`);
    if (flags.ephemeral === true) await holdEphemeral(context, client);
  });
}

function modeOf(flags: CreateFlags): CreateMode {
  if (flags.sequential === true) {
    return flags.ephemeral === true ? "ephemeralSequential" : "persistentSequential";
  }
  return flags.ephemeral === true ? "ephemeral" : "persistent";
}

async function createParents(
  client: QuorateClient,
  path: string,
  timeoutMs: number,
): Promise<void> {
  const names = path.split("/").slice(1, -1);
  for (const index of names.keys()) {
    const parent = `/${names.slice(0, index + 1).join("/")}`;
    try {
      await client.create(parent, "", { timeoutMs });
    } catch (error) {
      if (!(error instanceof QuorateError) || error.code !== "NODE_EXISTS") throw error;
    }
  }
}

async function holdEphemeral(context: CliContext, client: QuorateClient): Promise<void> {
  context.err.write("it lives until you interrupt this command (Ctrl-C)\n");
  const ended = await untilInterrupted(context, client);
  if (ended === "expired") {
    throw new CliError("SESSION_EXPIRED", "the session expired, the znode is gone", {
      exitCode: EXIT_CODES.lost,
      hint: "create it again, with a longer --session-timeout if it was the network that was away",
    });
  }
}

async function runSet(
  context: CliContext,
  path: string,
  argument: string | undefined,
  flags: VersionFlags & DataFlags,
): Promise<void> {
  checkZnodePath(path);
  const data = await readData(context, argument, flags, null);
  const stat = await withClient(context, flags, (client, timeoutMs) =>
    client.set(path, data, { timeoutMs, ...versionOption(flags) }),
  );
  context.out.write(flags.json === true ? jsonLine({ path, stat }) : `version ${stat.version}\n`);
}

async function runDelete(
  context: CliContext,
  path: string,
  flags: VersionFlags & { readonly recursive?: boolean },
): Promise<void> {
  checkZnodePath(path);
  // Before anything below it goes.
  if (path === "/") throw usageError("the root stays", "name what is to be deleted below it");
  const deleted = await withClient(context, flags, async (client, timeoutMs) => {
    const below = flags.recursive === true ? await deleteBelow(client, path, timeoutMs) : 0;
    await client.delete(path, { timeoutMs, ...versionOption(flags) });
    return below + 1;
  });
  if (flags.json === true) context.out.write(jsonLine({ path, deleted }));
  else if (flags.recursive === true) context.out.write(`deleted ${deleted}\n`);
}

/** Children first; what somebody else deletes meanwhile is no error. */
async function deleteBelow(
  client: QuorateClient,
  path: string,
  timeoutMs: number,
): Promise<number> {
  let deleted = 0;
  const { names } = await client.children(path, { timeoutMs });
  for (const name of names) {
    const child = childPath(path, name);
    try {
      deleted += await deleteBelow(client, child, timeoutMs);
      await client.delete(child, { timeoutMs });
      deleted += 1;
    } catch (error) {
      if (!(error instanceof QuorateError) || error.code !== "NO_NODE") throw error;
    }
  }
  return deleted;
}

function versionOption(flags: VersionFlags): { readonly version?: number } {
  return flags.ifVersion === undefined ? {} : { version: flags.ifVersion };
}
