import type { QuorateClient, ReadOptions } from "@quorate/client";
import type { Stat } from "@quorate/kv-store/protocol";
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { addClientOptions, withClient, type ClientFlags } from "../client-options.ts";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { dataText } from "../format/data-text.ts";
import { jsonLine } from "../format/json.ts";
import { isoTime, statText } from "../format/stat-text.ts";
import { formatTable } from "../format/table.ts";
import { checkZnodePath } from "../znode-path.ts";

interface ReadFlags extends ClientFlags {
  readonly local?: boolean;
}

/** Adds `get`, `stat` and `ls`. */
export function addReadCommands(program: Command, context: CliContext): void {
  readCommand(program, "get <path>", "print a znode's data")
    .option("--raw", "write the bytes as they are, whatever they are, and no line end")
    .action((path: string, flags: ReadFlags & { readonly raw?: boolean }) =>
      runGet(context, path, flags),
    );
  readCommand(program, "stat <path>", "print what is known of a znode beside its data").action(
    (path: string, flags: ReadFlags) => runStat(context, path, flags),
  );
  readCommand(program, "ls [path]", "list a znode's children; / by default")
    .option("-l, --long", "with version, size, children, owner and time of change")
    .action((path: string | undefined, flags: ReadFlags & { readonly long?: boolean }) =>
      runList(context, path ?? "/", flags),
    );
}

function readCommand(program: Command, usage: string, description: string): Command {
  const command = program.command(usage).description(description);
  return addClientOptions(command).option(
    "--local",
    "answer from the connected server's own state, which may be a little old",
  );
}

async function runGet(
  context: CliContext,
  path: string,
  flags: ReadFlags & { readonly raw?: boolean },
): Promise<void> {
  checkZnodePath(path);
  const { data, stat } = await withClient(context, flags, (client, timeoutMs) =>
    client.get(path, readOptions(flags, timeoutMs)),
  );
  const shown = dataText(data);
  if (flags.json === true) {
    context.out.write(jsonLine({ path, data: shown.text, encoding: shown.encoding, stat }));
  } else if (flags.raw === true) {
    context.out.write(data);
  } else {
    context.out.write(`${shown.text}\n`);
    if (shown.encoding === "base64") {
      context.err.write("note: not readable text, so printed as base64; --raw writes the bytes\n");
    }
  }
}

async function runStat(context: CliContext, path: string, flags: ReadFlags): Promise<void> {
  checkZnodePath(path);
  const stat = await withClient(context, flags, (client, timeoutMs) =>
    client.exists(path, readOptions(flags, timeoutMs)),
  );
  if (stat === null) {
    throw new CliError("NO_NODE", `NO_NODE: there is no ${path}`, {
      exitCode: EXIT_CODES.notFound,
      hint: "list what is there with `quorate ls`",
    });
  }
  context.out.write(flags.json === true ? jsonLine({ path, ...stat }) : statText(path, stat));
}

async function runList(
  context: CliContext,
  path: string,
  flags: ReadFlags & { readonly long?: boolean },
): Promise<void> {
  checkZnodePath(path);
  const listed = await withClient(context, flags, async (client, timeoutMs) => {
    const options = readOptions(flags, timeoutMs);
    const { names, stat } = await client.children(path, options);
    const stats = flags.long === true ? await statsOf(client, path, names, options) : null;
    return { names, stat, stats };
  });
  const { names, stat, stats } = listed;
  if (flags.json === true) {
    const children = stats?.map(([name, childStat]) => ({ name, stat: childStat }));
    context.out.write(jsonLine({ path, names, ...(children && { children }), stat }));
  } else if (stats === null) {
    context.out.write(names.map((name) => `${name}\n`).join(""));
  } else {
    context.out.write(formatTable(LONG_HEAD, stats.map(longRow)));
  }
}

const LONG_HEAD = ["name", "version", "bytes", "children", "owner", "modified"];

function longRow([name, stat]: readonly [string, Stat]): readonly (string | number)[] {
  const owner = stat.ephemeralOwner === 0 ? "-" : `session ${stat.ephemeralOwner}`;
  return [name, stat.version, stat.dataBytes, stat.childCount, owner, isoTime(stat.mtimeMs)];
}

/** A child that is deleted meanwhile is left out. */
async function statsOf(
  client: QuorateClient,
  path: string,
  names: readonly string[],
  options: ReadOptions,
): Promise<readonly (readonly [string, Stat])[]> {
  const stats: (readonly [string, Stat])[] = [];
  for (let from = 0; from < names.length; from += READS_AT_ONCE) {
    const page = names.slice(from, from + READS_AT_ONCE);
    const found = await Promise.all(
      page.map(
        async (name) => [name, await client.exists(childPath(path, name), options)] as const,
      ),
    );
    for (const [name, stat] of found) if (stat !== null) stats.push([name, stat]);
  }
  return stats;
}

const READS_AT_ONCE = 200;

/** The path of a child. */
export function childPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

function readOptions(flags: ReadFlags, timeoutMs: number): ReadOptions {
  return { timeoutMs, consistency: flags.local === true ? "local" : "linearizable" };
}
