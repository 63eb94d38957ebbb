import { isatty } from "node:tty";
import { pino } from "pino";
import type { LogFormat, LogLevel } from "../config/option.ts";
import { ServerError } from "../errors.ts";
import type { WallClock } from "../ports.ts";
import { openLogStream } from "./log-stream.ts";

/**
 * What a line says beside its message. An `Error` under `error` is written with its causes, and with its stack unless it was
 * foreseen.
 */
export type LogFields = Readonly<Record<string, unknown>>;

/** Takes lines and never makes the caller wait. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}

/** The logger of a whole process, with the stream behind it. */
export interface ProcessLogger extends Logger {
  /** Lines given up because whoever reads them did not keep up. */
  readonly droppedCount: number;
  /** Waits until what was logged is written, at most `timeoutMs` (default 1,000): the reader may be stuck. */
  flush(timeoutMs?: number): Promise<void>;
}

/** What {@link createProcessLogger} needs. */
export interface ProcessLoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly wallClock: WallClock;
  /** Default 2, standard error. */
  readonly fileDescriptor?: number;
  /** Bytes that may wait to be written; default 4 MiB. */
  readonly bufferBytesMax?: number;
}

const STANDARD_ERROR = 2;
const BUFFER_BYTES_MAX = 4_194_304;
const FLUSH_TIMEOUT_MS = 1_000;

/**
 * Logs to a stream of the process. Nothing waits for the stream: lines gather in memory up to a bound and are then
 * dropped and counted; the first line that gets through after that tells how many were lost.
 */
export function createProcessLogger(options: ProcessLoggerOptions): ProcessLogger {
  let told = 0;
  const fileDescriptor = options.fileDescriptor ?? STANDARD_ERROR;
  const stream = openLogStream(fileDescriptor, options.bufferBytesMax ?? BUFFER_BYTES_MAX, () => {
    const count = stream.droppedCount - told;
    if (count === 0) return;
    told += count;
    root.warn({ count }, "log lines were dropped because the log's reader did not keep up");
  });
  const isForPeople =
    options.format === "auto" ? isatty(fileDescriptor) : options.format === "text";
  const render = isForPeople ? renderText : (line: string): string => line;
  const root = pino(pinoOptions(options.level, options.wallClock), {
    write: (line: string) => stream.write(render(line)),
  });
  return {
    ...wrap(root),
    get droppedCount() {
      return stream.droppedCount;
    },
    flush: (timeoutMs = FLUSH_TIMEOUT_MS) => stream.flush(timeoutMs),
  };
}

function pinoOptions(level: LogLevel, wallClock: WallClock): pino.LoggerOptions {
  return {
    level,
    base: null,
    messageKey: "message",
    errorKey: "error",
    formatters: { level: (label) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date(wallClock.nowMs()).toISOString()}"`,
    serializers: { error: errorLine },
  };
}

function errorLine(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const line = pino.stdSerializers.errWithCause(error);
  leaveOutStacks(line, error);
  return line;
}

/** Of what was foreseen, code and text say everything, and so they do of what the system said before; else the place is wanted. */
function leaveOutStacks(line: object, error: Error, isCause = false): void {
  const isForeseen = error instanceof ServerError || (isCause && "code" in error);
  if (isForeseen) Reflect.deleteProperty(line, "stack");
  const { cause } = error;
  const causeLine: unknown = Reflect.get(line, "cause");
  if (!(cause instanceof Error) || typeof causeLine !== "object" || causeLine === null) return;
  leaveOutStacks(causeLine, cause, isForeseen);
}

function wrap(target: pino.Logger): Logger {
  return {
    debug: (fields, message) => target.debug(fields, message),
    info: (fields, message) => target.info(fields, message),
    warn: (fields, message) => target.warn(fields, message),
    error: (fields, message) => target.error(fields, message),
    child: (fields) => wrap(target.child(fields)),
  };
}

/** One line for people out of a line for machines; an error that nobody foresaw has its stack below. */
function renderText(line: string): string {
  const parsed: Readonly<Record<string, unknown>> = JSON.parse(line);
  const { level, time, message, error, ...fields } = parsed;
  let text = `${String(time)} ${String(level).toUpperCase().padEnd(5)} ${String(message)}`;
  for (const [key, value] of Object.entries(fields)) text += ` ${key}=${textOf(value)}`;
  return `${text}${isErrorLine(error) ? renderError(error) : ""}\n`;
}

function textOf(value: unknown): string {
  const bare = typeof value === "string" && /^[\w.:/@-]+$/.test(value);
  return bare ? value : JSON.stringify(value);
}

/** What the serializer makes of an error. */
interface ErrorLine {
  readonly type: string;
  readonly message: string;
  /** Only of what nobody foresaw. */
  readonly stack?: string;
}

function isErrorLine(value: unknown): value is ErrorLine {
  return typeof value === "object" && value !== null && "type" in value && "message" in value;
}

function renderError({ message, stack = "" }: ErrorLine): string {
  return [` error=${textOf(message)}`, ...stack.split("\n").slice(1)].join("\n");
}

/** A line as {@link MemoryLogger} keeps it. */
export interface LogLine {
  readonly level: Exclude<LogLevel, "silent">;
  readonly fields: LogFields;
  readonly message: string;
}

/** A logger that keeps its newest lines. */
export interface MemoryLogger extends Logger {
  readonly lines: readonly LogLine[];
}

const MEMORY_LINES_MAX = 10_000;

/** Keeps up to `linesMax` lines (default 10,000) for a test to look at. */
export function createMemoryLogger(linesMax: number = MEMORY_LINES_MAX): MemoryLogger {
  const lines: LogLine[] = [];
  const build = (bound: LogFields): Logger => {
    const take =
      (level: LogLine["level"]) =>
      (fields: LogFields, message: string): void => {
        if (lines.length >= linesMax) lines.shift();
        lines.push({ level, fields: { ...bound, ...fields }, message });
      };
    return {
      debug: take("debug"),
      info: take("info"),
      warn: take("warn"),
      error: take("error"),
      child: (fields) => build({ ...bound, ...fields }),
    };
  };
  return { ...build({}), lines };
}

/** Says nothing. */
export const SILENT_LOGGER: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT_LOGGER,
};
