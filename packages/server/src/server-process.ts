import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { parseServerConfig, serverConfigHelp, type ServerConfig } from "./config.ts";
import { fitOpenFiles, type FittedLimits } from "./config/fit-open-files.ts";
import { ServerError, asError } from "./errors.ts";
import { SERVER_EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import { createProcessLogger, type LogFields, type ProcessLogger } from "./observe/logger.ts";
import { QuorateServer } from "./quorate-server.ts";
import { isRepairable } from "./recovery/set-aside.ts";
import { openFilesLimit } from "./system/open-files-limit.ts";
import { systemPorts } from "./system/system-ports.ts";
import { SERVER_VERSION } from "./version.ts";

/** Damage that comes back sooner is none that a start makes good. */
const REPAIR_AGAIN_MS = 60_000;

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
    return refuse(error);
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

/** Whoever has to correct the configuration gets the sentence that says how, and no line of a log. */
function refuse(error: Error): number {
  process.stderr.write(`${error.message}\n`);
  return exitCodeOf(error);
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
      if (exitCodeOf(reason) === SERVER_EXIT_CODES.usage) return refuse(reason);
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
