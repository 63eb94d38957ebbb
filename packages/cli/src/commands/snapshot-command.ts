import { ServerError, verifyBackup, type BackupSummary } from "@quorate/server";
import type { Command } from "commander";
import { open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { readBackupFile } from "../backup-file.ts";
import { CliError, usageError } from "../cli-error.ts";
import { addClientOptions, type ClientFlags } from "../client-options.ts";
import type { CliContext, TextSink } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { jsonLine } from "../format/json.ts";
import { Progress } from "../format/progress.ts";
import { httpAddressOf, resolveServers } from "../servers.ts";
import { addRestoreCommand } from "./restore-command.ts";

interface SaveFlags extends ClientFlags {
  readonly local?: boolean;
}

interface VerifyFlags {
  readonly json?: boolean;
}

const WHAT_TO_READ = "name one that `quorate snapshot save` wrote";

/** Adds `snapshot save`, `verify` and `restore`. */
export function addSnapshotCommands(program: Command, context: CliContext): void {
  const snapshot = program
    .command("snapshot")
    .description("back the whole tree up into a file, while the ensemble goes on");
  addClientOptions(
    snapshot
      .command("save <file>")
      .description("write a consistent backup of everything acknowledged before, verified"),
  )
    .option("--local", "as the server that answers first has it; works without a quorum")
    .action((file: string, flags: SaveFlags) => runSave(context, file, flags));
  snapshot
    .command("verify <file>")
    .description("read a backup and check every checksum, the counts and the digest")
    .option("--json", "print JSON, one value")
    .action((file: string, flags: VerifyFlags) => runVerify(context, file, flags));
  addRestoreCommand(snapshot, context);
}

async function runSave(context: CliContext, file: string, flags: SaveFlags): Promise<void> {
  const path = resolve(context.workingDirectory, file);
  if (await isFolder(path)) throw usageError(`${file} is a folder`, "name the file to write");
  const servers = resolveServers(flags.servers, context.env);
  const { server, body, abort } = await requestBackup(context, servers, flags);
  const partial = `${path}.partial`;
  let handle: FileHandle;
  try {
    handle = await open(partial, "w");
  } catch (error) {
    abort.abort();
    throw usageError(
      `cannot write ${partial}: ${textOf(error)}`,
      "name a file in a folder that exists",
    );
  }
  try {
    const summary = await verifyWhileWriting(body, handle, context.err);
    await rename(partial, path);
    await syncDirectory(dirname(path));
    const saved = { file, server, ...summary };
    context.out.write(
      flags.json === true ? jsonLine(saved) : `saved ${file} from ${server}\n${textFor(summary)}`,
    );
  } catch (error) {
    await rm(partial, { force: true });
    throw error instanceof ServerError || error instanceof TypeError ? brokenOff(error) : error;
  }
}

/** The first server that begins to answer with one. */
async function requestBackup(
  context: CliContext,
  servers: readonly string[],
  flags: SaveFlags,
): Promise<{
  readonly server: string;
  readonly body: AsyncIterable<Uint8Array>;
  readonly abort: AbortController;
}> {
  const path = flags.local === true ? "/snapshot/local" : "/snapshot";
  const reasons: string[] = [];
  for (const server of servers) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), flags.timeout * 1000);
    try {
      const url = `${httpAddressOf(server)}${path}`;
      const { status, body } = await context.postStream(url, abort.signal);
      if (status === 200) return { server, body, abort };
      reasons.push(`${server}: ${await firstLine(body)}`);
    } catch (error) {
      reasons.push(`${server}: ${abort.signal.aborted ? "no answer in time" : textOf(error)}`);
    } finally {
      // Only the beginning has a deadline: how long the rest takes depends on the tree.
      clearTimeout(timer);
    }
  }
  throw new CliError("NO_BACKUP", `no server gave a backup (${reasons.join("; ")})`, {
    exitCode: EXIT_CODES.unavailable,
    hint: "look at `quorate status`; without a quorum, --local saves what one server has",
  });
}

async function verifyWhileWriting(
  body: AsyncIterable<Uint8Array>,
  handle: FileHandle,
  err: TextSink,
): Promise<BackupSummary> {
  try {
    return await verifyBackup(written(body, handle, err));
  } finally {
    await handle.close();
  }
}

/** Passes the bytes on, each portion once it is in the file; after the last one the file is durable. */
async function* written(
  body: AsyncIterable<Uint8Array>,
  handle: FileHandle,
  err: TextSink,
): AsyncGenerator<Uint8Array> {
  using progress = new Progress(err, "saving");
  for await (const bytes of body) {
    await handle.writeFile(bytes);
    progress.add(bytes.length);
    yield bytes;
  }
  await handle.sync();
}

async function runVerify(context: CliContext, file: string, flags: VerifyFlags): Promise<void> {
  const path = resolve(context.workingDirectory, file);
  if (await isFolder(path)) throw usageError(`${file} is a folder`, WHAT_TO_READ);
  let summary: BackupSummary;
  try {
    summary = await verifyBackup(readBackupFile(path, context.err, "verifying"));
  } catch (error) {
    if (!(error instanceof ServerError)) {
      throw usageError(`cannot read ${file}: ${textOf(error)}`, WHAT_TO_READ);
    }
    throw new CliError("DAMAGED", `${file} is no whole backup: ${error.message}`, {
      exitCode: EXIT_CODES.damaged,
      hint: "take another one with `quorate snapshot save`",
    });
  }
  context.out.write(
    flags.json === true ? jsonLine({ file, ...summary }) : `${textFor(summary)}no damage\n`,
  );
}

function textFor(summary: BackupSummary): string {
  const { zxid, term, znodes, sessions, digest, clusterId, historyId, bytes } = summary;
  return (
    `zxid ${zxid} (term ${term}) of ensemble ${clusterId}, history ${historyId}: ` +
    `${znodes} znodes, ${sessions} sessions, ${bytes} bytes, digest ${digest}\n`
  );
}

async function firstLine(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const bytes of body) pieces.push(bytes);
  return Buffer.concat(pieces).toString("utf8").split("\n", 1)[0] ?? "";
}

function brokenOff(error: Error): CliError {
  return new CliError("NO_BACKUP", `the backup broke off and was thrown away: ${error.message}`, {
    exitCode: EXIT_CODES.unavailable,
    hint: "try again; another server may do better",
    cause: error,
  });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message;
}
