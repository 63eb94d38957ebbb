import { ServerError, verifyBackup, type BackupSummary } from "@quorate/server";
import { open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { CliError, usageError } from "../cli-error.ts";
import type { ClientFlags } from "../client-options.ts";
import type { CliContext, TextSink } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { backupText } from "../format/backup-text.ts";
import { jsonLine } from "../format/json.ts";
import { Progress } from "../format/progress.ts";
import { httpAddressOf, resolveServers } from "../servers.ts";

/** Options of `snapshot save`. */
export interface SaveFlags extends ClientFlags {
  readonly local?: boolean;
}

/** Has a server write a backup, and puts it into a file once it is whole, verified and durable. */
export async function saveBackup(
  context: CliContext,
  file: string,
  flags: SaveFlags,
): Promise<void> {
  const path = resolve(context.workingDirectory, file);
  const replaced = await isThereAFile(path, file);
  const servers = resolveServers(flags.servers, context.env);
  const reasons: string[] = [];
  let hasBrokenOff = false;
  let isDiskFull = false;
  for (const server of servers) {
    const attempt = await trySave(context, server, { path, flags });
    if (attempt.kind === "saved") {
      const { summary } = attempt;
      const instead = replaced ? ", in place of the file that was there" : "";
      const text = `saved ${file} from ${server}${instead}\n${backupText(summary)}`;
      const saved = { file, server, replaced, ...summary };
      context.out.write(flags.json === true ? jsonLine(saved) : text);
      return;
    }
    hasBrokenOff ||= attempt.kind === "brokenOff";
    isDiskFull ||= attempt.reason.startsWith("STORAGE_FULL: ");
    reasons.push(`${server}: ${attempt.reason}`);
  }
  throw noBackup(reasons, { isDiskFull, hasBrokenOff });
}

type Attempt =
  | { readonly kind: "saved"; readonly summary: BackupSummary }
  /** `brokenOff`: it was begun, and what came of it was thrown away. */
  | { readonly kind: "refused" | "brokenOff"; readonly reason: string };

/** Puts one server's backup into `path`, once it is whole, verified and durable. Rejects where the file is the trouble. */
async function trySave(
  context: CliContext,
  server: string,
  { path, flags }: { readonly path: string; readonly flags: SaveFlags },
): Promise<Attempt> {
  const answer = await requestBackup(context, server, flags);
  if (typeof answer === "string") return { kind: "refused", reason: answer };
  const partial = `${path}.partial`;
  const handle = await openPartial(partial, answer.abort);
  try {
    const body = withoutStandstill(answer.body, answer.abort, flags.timeout);
    const summary = await verifyWhileWriting(body, handle, context.err);
    await rename(partial, path);
    await syncDirectory(dirname(path));
    return { kind: "saved", summary };
  } catch (error) {
    await rm(partial, { force: true });
    if (!(error instanceof StreamError || error instanceof ServerError)) throw error;
    const reason = `the backup broke off and was thrown away: ${error.message}`;
    return { kind: "brokenOff", reason };
  }
}

async function openPartial(partial: string, abort: AbortController): Promise<FileHandle> {
  try {
    return await open(partial, "w");
  } catch (error) {
    abort.abort();
    throw usageError(
      `cannot write ${partial}: ${textOf(error)}`,
      "name a file in a folder that exists",
    );
  }
}

/** What a server begins to answer with, or why it does not. */
async function requestBackup(
  context: CliContext,
  server: string,
  flags: SaveFlags,
): Promise<string | { readonly body: AsyncIterable<Uint8Array>; readonly abort: AbortController }> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), flags.timeout * 1000);
  try {
    const url = `${httpAddressOf(server)}${flags.local === true ? "/snapshot/local" : "/snapshot"}`;
    const { status, body } = await context.postStream(url, abort.signal);
    return status === 200 ? { body, abort } : await firstLine(body);
  } catch (error) {
    return abort.signal.aborted ? "no answer in time" : textOf(error);
  } finally {
    // All of it may take as long as the tree is large, see `withoutStandstill`.
    clearTimeout(timer);
  }
}

/** Gives a body up when nothing comes of it for so long: a server may stand still with its connection open. */
async function* withoutStandstill(
  body: AsyncIterable<Uint8Array>,
  abort: AbortController,
  seconds: number,
): AsyncGenerator<Uint8Array> {
  const wait = (): NodeJS.Timeout =>
    setTimeout(() => abort.abort(new Error(`nothing came for ${seconds} s`)), seconds * 1000);
  let timer = wait();
  try {
    for await (const bytes of body) {
      clearTimeout(timer);
      yield bytes;
      timer = wait();
    }
  } finally {
    clearTimeout(timer);
  }
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
  for await (const bytes of streamed(body)) {
    await handle.writeFile(bytes);
    progress.add(bytes.length);
    yield bytes;
  }
  await handle.sync();
}

/** A server's answer ended before its end: whatever the reason, another server may do better. */
class StreamError extends Error {
  override readonly name = "StreamError";
}

/** Tells what goes wrong with the stream from what goes wrong with the file. */
async function* streamed(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw new StreamError(textOf(error), { cause: error });
  }
}

async function firstLine(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const bytes of body) pieces.push(bytes);
  return Buffer.concat(pieces).toString("utf8").split("\n", 1)[0] ?? "";
}

interface WhatWasWrong {
  /** By the code with which a server's answer begins. */
  readonly isDiskFull: boolean;
  readonly hasBrokenOff: boolean;
}

function noBackup(reasons: readonly string[], wrong: WhatWasWrong): CliError {
  const text = `no server gave a backup (${reasons.join("; ")})`;
  const hint = hintFor(wrong);
  return new CliError("NO_BACKUP", text, { exitCode: EXIT_CODES.unavailable, hint });
}

function hintFor({ isDiskFull, hasBrokenOff }: WhatWasWrong): string {
  if (isDiskFull) {
    return "free disk space on a server: its image is brought up to date first, which takes room, with --local too";
  }
  if (hasBrokenOff) return "try again; another server may do better";
  return "look at `quorate status`; without a quorum, --local saves what one server has";
}

/** False: there is nothing yet. Throws a usage error for what a file must not take the place of. */
async function isThereAFile(path: string, file: string): Promise<boolean> {
  if (await isFolder(path)) throw usageError(`${file} is a folder`, "name the file to write");
  const found = await stat(path).catch(() => null);
  if (found === null || found.isFile()) return found !== null;
  throw usageError(`${file} is no file`, "name a file: the backup is put in its place at the end");
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
