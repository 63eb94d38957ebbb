import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { parseServerConfig, serverConfigHelp, type ServerConfig } from "./config.ts";
import { fitOpenFiles, type FittedLimits } from "./config/fit-open-files.ts";
import { ServerError, asError, type ServerErrorCode } from "./errors.ts";
import { createProcessLogger, type LogFields, type ProcessLogger } from "./observe/logger.ts";
import { QuorateServer } from "./quorate-server.ts";
import { isRepairable } from "./recovery/set-aside.ts";
import { openFilesLimit } from "./system/open-files-limit.ts";
import { systemPorts } from "./system/system-ports.ts";
import { SERVER_VERSION } from "./version.ts";

/** Exit codes of a server process. Documented in docs/operations.md. */
export const SERVER_EXIT_CODES = {
  ok: 0,
  /** Anything without a code of its own. */
  failed: 1,
  /** The configuration or the command line is wrong. */
  usage: 2,
  /** A listener's address is taken or does not exist here. */
  address: 3,
  /** Log, image or identity are damaged, lost or of another node. */
  data: 4,
  /** The disk failed or is full. */
  storage: 5,
  /** The ensemble does not want this node: another identity has its name, or it was removed. */
  refused: 6,
  /** A broken invariant, or a state that differs from the majority's. */
  invariant: 70,
} as const;

const EXIT_BY_CODE: Readonly<Record<ServerErrorCode, number>> = {
  CONFIG_INVALID: SERVER_EXIT_CODES.usage,
  CONFIG_UNKNOWN_KEY: SERVER_EXIT_CODES.usage,
  INSECURE_ADDRESS: SERVER_EXIT_CODES.usage,
  ADDRESS_IN_USE: SERVER_EXIT_CODES.address,
  ADDRESS_UNAVAILABLE: SERVER_EXIT_CODES.address,
  CONNECT_FAILED: SERVER_EXIT_CODES.failed,
  IDENTITY_LOST: SERVER_EXIT_CODES.data,
  NOTHING_STORED: SERVER_EXIT_CODES.data,
  IDENTITY_DAMAGED: SERVER_EXIT_CODES.data,
  IDENTITY_MISMATCH: SERVER_EXIT_CODES.data,
  DIRECTORY_IN_USE: SERVER_EXIT_CODES.data,
  IDENTITY_REFUSED: SERVER_EXIT_CODES.refused,
  MEMBERSHIP_MISMATCH: SERVER_EXIT_CODES.refused,
  LIMITS_MISMATCH: SERVER_EXIT_CODES.refused,
  REMOVED: SERVER_EXIT_CODES.refused,
  REQUEST_INVALID: SERVER_EXIT_CODES.failed,
  NOT_LEADER: SERVER_EXIT_CODES.failed,
  MEMBER_UNKNOWN: SERVER_EXIT_CODES.failed,
  MEMBER_EXISTS: SERVER_EXIT_CODES.failed,
  QUORUM_AT_RISK: SERVER_EXIT_CODES.failed,
  CHANGE_PENDING: SERVER_EXIT_CODES.failed,
  TRANSFER_FAILED: SERVER_EXIT_CODES.failed,
  STORAGE_FAILED: SERVER_EXIT_CODES.storage,
  STORAGE_FULL: SERVER_EXIT_CODES.storage,
  STORAGE_LOCKED: SERVER_EXIT_CODES.storage,
  LOG_CORRUPT: SERVER_EXIT_CODES.data,
  IMAGE_CORRUPT: SERVER_EXIT_CODES.data,
  BACKUP_DAMAGED: SERVER_EXIT_CODES.data,
  FORMAT_UNKNOWN: SERVER_EXIT_CODES.data,
  TRACE_DAMAGED: SERVER_EXIT_CODES.data,
  NO_TRACE: SERVER_EXIT_CODES.data,
  PEER_PROTOCOL: SERVER_EXIT_CODES.failed,
  DIGEST_MISMATCH: SERVER_EXIT_CODES.invariant,
  NOT_READY: SERVER_EXIT_CODES.failed,
  OVERLOADED: SERVER_EXIT_CODES.failed,
  STOPPED: SERVER_EXIT_CODES.failed,
  START_TIMEOUT: SERVER_EXIT_CODES.failed,
};

/** Damage that comes back sooner is none that a start makes good. */
const REPAIR_AGAIN_MS = 60_000;

/** The exit code that says why a node ended. */
export function exitCodeOf(error: Error): number {
  if (error instanceof ServerError) return EXIT_BY_CODE[error.code];
  return error.name === "InvariantError" ? SERVER_EXIT_CODES.invariant : SERVER_EXIT_CODES.failed;
}

/**
 * Runs one node in this process until a signal ends it: the first SIGTERM or SIGINT hands leadership over and shuts down
 * cleanly, a second one ends at once. So does the end of standard input, where the configuration says so. Resolves with the
 * exit code.
 */
export async function runServerProcess(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  if (argv.includes("--help") || argv.includes("-h")) {
    return print(serverConfigHelp());
  }
  if (argv.includes("--version")) {
    return print(`${SERVER_VERSION}\n`);
  }
  let config: ServerConfig;
  let fitted: FittedLimits;
  try {
    config = parseServerConfig({ argv, env, readFile: (path) => readFileSync(path, "utf8") });
    fitted = fitOpenFiles(config.limits, openFilesLimit());
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return exitCodeOf(error);
  }
  const ports = systemPorts();
  const logger = createProcessLogger({
    level: config.logLevel,
    format: config.logFormat,
    wallClock: ports.wallClock,
  });
  if (fitted.notice !== null) logger[fitted.notice.level]({}, fitted.notice.text);
  const code = await runNode({ ...config, limits: fitted.limits }, ports, logger);
  // Read on, it would keep the process for as long as somebody holds its other end.
  if (config.stopWithStdin) process.stdin.destroy();
  await logger.flush();
  return code;
}

/** Resolves with the exit code; where the reader has gone, as in `| head`, that of a program that dies of SIGPIPE. */
function print(text: string): Promise<number> {
  return new Promise((resolve) => {
    process.stdout.once("error", ({ code }: NodeJS.ErrnoException) =>
      resolve(code === "EPIPE" ? 128 + constants.signals.SIGPIPE : SERVER_EXIT_CODES.failed),
    );
    process.stdout.write(text, (error) => {
      if (error === null || error === undefined) resolve(SERVER_EXIT_CODES.ok);
    });
  });
}

async function runNode(
  config: ServerConfig,
  ports: ReturnType<typeof systemPorts>,
  logger: ProcessLogger,
): Promise<number> {
  let server: QuorateServer | null = null;
  let isStopping = false;
  const stop = (cause: LogFields): void => {
    isStopping = true;
    logger.info(cause, "shutting down");
    if (server !== null) void server.stop();
    // While it starts nobody is served yet, and the disk may be left at any moment: reading a long log is not waited for.
    else void logger.flush().then(() => process.exit(SERVER_EXIT_CODES.ok));
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(SERVER_EXIT_CODES.failed);
    stop({ signal });
  };
  // Before the start: as a container's first process it would otherwise not be told at all.
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  if (config.stopWithStdin) {
    onEnd(process.stdin, () => {
      if (!isStopping) stop({ stdin: "ended" });
    });
  }
  let repairedMs = -Infinity;
  for (;;) {
    try {
      server = await QuorateServer.start({
        config,
        ports,
        logger,
        ownsProcess: true,
        logLinesDropped: () => logger.droppedCount,
      });
    } catch (error) {
      const reason = asError(error);
      logger.error({ error: reason }, "the node could not start");
      return exitCodeOf(reason);
    }
    const reason = await server.stopped;
    server = null;
    if (reason === null) {
      logger.info({}, "stopped");
      return SERVER_EXIT_CODES.ok;
    }
    const nowMs = ports.clock.nowMs();
    const isEarly = nowMs - repairedMs < REPAIR_AGAIN_MS;
    if (isStopping || isEarly || !isRepairable(reason, config)) return exitCodeOf(reason);
    repairedMs = nowMs;
    logger.warn({}, "the node starts anew, to make the damage good");
  }
}

/** Whoever held the other end closed it, or is gone. */
function onEnd(input: NodeJS.ReadStream, callback: () => void): void {
  input.on("end", callback);
  input.on("error", callback);
  input.resume();
}
