import type { Lock } from "@quorate/client";
import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import { CliError, usageError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { EXIT_CODES, exitCodeOfSignal, type ExitCode } from "../exit-code.ts";

/** A command that runs for as long as a lock is held. */
export interface HeldCommand {
  readonly lock: Lock;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Between SIGTERM and SIGKILL once the lock is lost. */
  readonly killAfterMs: number;
}

type Ending =
  | {
      readonly kind: "exited";
      readonly code: number | null;
      readonly signal: NodeJS.Signals | null;
    }
  | { readonly kind: "lost" };

/**
 * Runs a command and returns its exit code. When the lock is lost first, the command gets SIGTERM and, if it does not
 * end, SIGKILL; then this throws with `EXIT_CODES.lost`. Signals that ask this process to end are passed on.
 */
export async function runWhileHeld(context: CliContext, held: HeldCommand): Promise<ExitCode> {
  const child = await start(context, held);
  const exited = exitOf(child);
  const signals = context.onSignal((signal) => {
    // The terminal has sent Ctrl-C to the command already.
    if (signal === "SIGINT" && context.isInputTerminal) return;
    killFamily(context, child, signal);
  });
  try {
    const ending = await Promise.race([exited, lossOf(held.lock)]);
    if (ending.kind === "exited") return exitCodeOf(ending);
    await stop(context, child, exited, held.killAfterMs);
    throw new CliError(
      "LOCK_LOST",
      "LOCK_LOST: the lock was lost while the command ran; the command was stopped",
      {
        exitCode: EXIT_CODES.lost,
        hint: "somebody else may hold it now: check what the command left behind",
      },
    );
  } finally {
    signals[Symbol.dispose]();
  }
}

/** What the command finds in its environment. */
export function heldEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  lock: Lock,
  servers: readonly string[],
): Record<string, string | undefined> {
  return {
    ...env,
    QUORATE_LOCK_PATH: lock.path,
    QUORATE_LOCK_TOKEN: String(lock.token),
    QUORATE_LOCK_CONTENDER: lock.contender,
    QUORATE_SERVERS: servers.join(","),
  };
}

async function start(context: CliContext, held: HeldCommand): Promise<ChildProcess> {
  const [program, ...args] = held.command;
  if (program === undefined) throw usageError("no command to run", "name it behind --");
  const child = context.spawn(program, args, {
    stdio: "inherit",
    env: held.env,
    // Its own process group, so that whatever it started can be stopped with it; but a terminal's input goes to the
    // group in front only, so then it stays in ours.
    detached: !context.isInputTerminal,
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error: NodeJS.ErrnoException) => reject(cannotStart(program, error)));
  });
  return child;
}

function cannotStart(program: string, error: NodeJS.ErrnoException): CliError {
  const isMissing = error.code === "ENOENT";
  return new CliError(
    isMissing ? "COMMAND_NOT_FOUND" : "COMMAND_NOT_STARTED",
    `${program}: ${isMissing ? "command not found" : error.message}`,
    {
      exitCode: isMissing ? EXIT_CODES.commandNotFound : EXIT_CODES.notExecutable,
      hint: "the lock was given back",
      cause: error,
    },
  );
}

function exitOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ kind: "exited", code, signal }));
  });
}

function lossOf(lock: Lock): Promise<Ending> {
  return new Promise((resolve) => {
    if (lock.signal.aborted) resolve({ kind: "lost" });
    lock.signal.addEventListener("abort", () => resolve({ kind: "lost" }), { once: true });
  });
}

async function stop(
  context: CliContext,
  child: ChildProcess,
  exited: Promise<Ending>,
  killAfterMs: number,
): Promise<void> {
  killFamily(context, child, "SIGTERM");
  const timer = setTimeout(() => killFamily(context, child, "SIGKILL"), killAfterMs);
  try {
    await exited;
  } finally {
    clearTimeout(timer);
  }
}

function killFamily(context: CliContext, child: ChildProcess, signal: NodeJS.Signals): void {
  if (context.isInputTerminal || child.pid === undefined) {
    child.kill(signal);
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone, so there is nothing left to signal.
  }
}

function exitCodeOf(ending: Ending & { readonly kind: "exited" }): ExitCode {
  if (ending.signal !== null) return exitCodeOfSignal(constants.signals[ending.signal]);
  return ending.code ?? EXIT_CODES.failed;
}
