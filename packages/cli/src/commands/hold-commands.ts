import type { Lock, LockOptions, QuorateClient } from "@quorate/client";
import { QuorateError } from "@quorate/client";
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { addClientOptions, parseSeconds, type ClientFlags } from "../client-options.ts";
import type { CliContext } from "../context.ts";
import { EXIT_CODES, type ExitCode } from "../exit-code.ts";
import { heldEnvironment, runWhileHeld } from "../hold/held-command.ts";
import { openClient } from "../open-client.ts";
import { resolveServers } from "../servers.ts";
import { checkZnodePath } from "../znode-path.ts";

interface HoldFlags extends ClientFlags {
  readonly wait?: number;
  readonly data?: string;
  readonly killAfter: number;
  readonly sessionTimeout: number;
}

/** What a command tells of its end, beside succeeding. */
export type ReportExit = (exitCode: ExitCode) => void;

const DEFAULT_KILL_AFTER_SECONDS = 5;
const DEFAULT_SESSION_TIMEOUT_SECONDS = 10;

/** Adds `lock` and `elect`. */
export function addHoldCommands(program: Command, context: CliContext, report: ReportExit): void {
  const lock = program
    .command("lock <name> <command...>")
    .usage("[options] <name> -- <command...>")
    .description("run a command while holding a lock; NAME is a path, or stands below /locks");
  addHoldOptions(lock).action(async (name: string, command: string[], flags: HoldFlags) =>
    report(
      await runHold(context, flags, { path: namedPath("/locks", name), command, take: takeLock }),
    ),
  );
  const elect = program
    .command("elect <name> <command...>")
    .usage("[options] <name> -- <command...>")
    .description("run a command while leading; NAME is a path, or stands below /elections");
  addHoldOptions(elect).action(async (name: string, command: string[], flags: HoldFlags) =>
    report(
      await runHold(context, flags, {
        path: namedPath("/elections", name),
        command,
        take: takeLead,
      }),
    ),
  );
}

/** A name without a slash in front stands below the folder that all commands share. */
export function namedPath(folder: string, name: string): string {
  return name.startsWith("/") ? name : `${folder}/${name}`;
}

function addHoldOptions(command: Command): Command {
  return addClientOptions(command)
    .showHelpAfterError(
      `(options of COMMAND are its own after "--", as in: quorate ${command.name()} NAME -- ls -l; --help explains it)`,
    )
    .option("-w, --wait <seconds>", "give up after waiting this long (exit code 124)", parseSeconds)
    .option("-d, --data <text>", "shown to others that look at the lock")
    .option(
      "--kill-after <seconds>",
      "between SIGTERM and SIGKILL for the command once the lock is lost",
      parseSeconds,
      DEFAULT_KILL_AFTER_SECONDS,
    )
    .option(
      "--session-timeout <seconds>",
      "how long the lock outlives a silence of this command",
      parseSeconds,
      DEFAULT_SESSION_TIMEOUT_SECONDS,
    )
    .addHelpText("after", HOLD_HELP);
}

const HOLD_HELP = `
The command finds in its environment: QUORATE_LOCK_PATH, QUORATE_LOCK_TOKEN (the fencing token: hand it to whatever
the command changes, so that a command that was lost track of is refused), QUORATE_LOCK_CONTENDER, QUORATE_SERVERS.
Exits with the command's own code; 124 when --wait passed, 125 when the lock was lost and the command stopped.
`;

interface Hold {
  readonly path: string;
  readonly command: readonly string[];
  readonly take: (client: QuorateClient, path: string, options: LockOptions) => Promise<Lock>;
}

const takeLock: Hold["take"] = (client, path, options) => client.lock(path).acquire(options);
const takeLead: Hold["take"] = (client, path, options) => client.election(path).campaign(options);

async function runHold(context: CliContext, flags: HoldFlags, hold: Hold): Promise<ExitCode> {
  const servers = resolveServers(flags.servers, context.env);
  checkZnodePath(hold.path);
  const client = await openClient(context, {
    servers,
    connectTimeoutMs: flags.timeout * 1000,
    sessionTimeoutMs: flags.sessionTimeout * 1000,
    name: `quorate-cli ${hold.command.join(" ")}`.slice(0, CLIENT_NAME_CHARS),
  });
  try {
    const lock = await acquire(context, client, flags, hold);
    const env = heldEnvironment(context.env, lock, servers);
    const { command } = hold;
    const killAfterMs = flags.killAfter * 1000;
    const exitCode = await runWhileHeld(context, { lock, command, env, killAfterMs });
    await lock.release();
    return exitCode;
  } finally {
    await client.close();
  }
}

const CLIENT_NAME_CHARS = 64;

async function acquire(
  context: CliContext,
  client: QuorateClient,
  flags: HoldFlags,
  hold: Hold,
): Promise<Lock> {
  const abort = new AbortController();
  const signals = context.onSignal(() => abort.abort());
  const note = setTimeout(() => tellOfWaiting(context, hold), WAITING_TOLD_AFTER_MS);
  try {
    return await hold.take(client, hold.path, {
      signal: abort.signal,
      ...(flags.wait !== undefined && { timeoutMs: flags.wait * 1000 }),
      ...(flags.data !== undefined && { data: flags.data }),
    });
  } catch (error) {
    if (!(error instanceof QuorateError)) throw error;
    if (abort.signal.aborted && error.code === "ABORTED") throw interrupted(hold, error);
    if (error.code !== "TIMEOUT") throw error;
    throw new CliError(
      "TIMEOUT",
      `TIMEOUT: ${hold.path} did not become free within ${flags.wait} s`,
      {
        exitCode: EXIT_CODES.timedOut,
        hint: `see who holds it with \`quorate ls --long ${hold.path}\``,
        cause: error,
      },
    );
  } finally {
    clearTimeout(note);
    signals[Symbol.dispose]();
  }
}

/** What is free is held sooner. */
const WAITING_TOLD_AFTER_MS = 1_000;

/** A person wonders what keeps the command; a script has nobody who would read it. */
function tellOfWaiting({ err }: CliContext, { path }: Hold): void {
  if (!err.isTerminal) return;
  err.write(
    `waiting for ${path} (\`quorate ls --long ${path}\` shows who holds it; Ctrl-C gives up)\n`,
  );
}

function interrupted(hold: Hold, cause: QuorateError): CliError {
  return new CliError("ABORTED", `interrupted while waiting for ${hold.path}`, {
    exitCode: EXIT_CODES.interrupted,
    hint: "the command was not started",
    cause,
  });
}
