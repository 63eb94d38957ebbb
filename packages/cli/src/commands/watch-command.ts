import { QuorateError, type QuorateClient, type Watch, type WatchNotice } from "@quorate/client";
import type { Zxid } from "@quorate/kv-store/protocol";
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import {
  addClientOptions,
  parseCount,
  parsePositive,
  withClient,
  type ClientFlags,
} from "../client-options.ts";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { dataPreview, dataText } from "../format/data-text.ts";
import { jsonLine } from "../format/json.ts";
import { untilInterrupted } from "../until-interrupted.ts";
import { checkZnodePath } from "../znode-path.ts";

interface WatchFlags extends ClientFlags {
  readonly recursive?: boolean;
  readonly data?: boolean;
  readonly since?: number;
  readonly count?: number;
}

/** Adds `watch`. */
export function addWatchCommand(program: Command, context: CliContext): void {
  const command = program
    .command("watch <path>")
    .description("print every change of a znode and of its list of children, until interrupted");
  addClientOptions(command)
    .option("-r, --recursive", "changes of everything below it as well")
    .option("-d, --data", "with the new data")
    .option("--since <zxid>", "first what changed after this revision", parseCount)
    .option("-n, --count <number>", "end after this many changes", parsePositive)
    .action(async (path: string, flags: WatchFlags) => {
      checkZnodePath(path);
      await withClient(context, flags, (client, timeoutMs) =>
        runWatch(context, client, path, { ...flags, timeout: timeoutMs }),
      );
    });
}

async function runWatch(
  context: CliContext,
  client: QuorateClient,
  path: string,
  flags: WatchFlags,
): Promise<void> {
  const printed = { zxid: flags.since ?? client.lastZxid };
  const watch = await client.watch(path, {
    mode: flags.recursive === true ? "recursive" : "persistent",
    withData: flags.data === true,
    timeoutMs: flags.timeout,
    ...(isZxid(flags.since) && { sinceZxid: flags.since }),
  });
  if (context.err.isTerminal) context.err.write(`watching ${path} (Ctrl-C ends it)\n`);
  const ended = untilInterrupted(context, client);
  const printing = printNotices(context, watch, flags, printed);
  try {
    if ((await Promise.race([printing, ended])) === "expired") throw expired(path, printed.zxid);
  } catch (error) {
    // The watch may be told before the states are.
    const isExpiry = error instanceof QuorateError && error.code === "SESSION_EXPIRED";
    throw isExpiry ? expired(path, printed.zxid) : error;
  } finally {
    await watch.close();
  }
}

function expired(path: string, zxid: number): CliError {
  return new CliError(
    "SESSION_EXPIRED",
    `the session expired: later changes of ${path} are not shown`,
    {
      exitCode: EXIT_CODES.lost,
      hint: `go on where it ended with --since ${zxid}`,
    },
  );
}

async function printNotices(
  context: CliContext,
  watch: Watch,
  flags: WatchFlags,
  printed: { zxid: number },
): Promise<"counted"> {
  let count = 0;
  for await (const notice of watch) {
    context.out.write(
      flags.json === true
        ? jsonLine(noticeJson(notice))
        : `${noticeText(notice, context.out.columns)}\n`,
    );
    printed.zxid = notice.zxid;
    count += 1;
    if (count === flags.count) return "counted";
  }
  // A watch that ends by itself ended with its session, which the other side of the race reports.
  return new Promise(() => undefined);
}

/** One change on one line: revision, kind, path and, if asked for, the data. */
export function noticeText(notice: WatchNotice, columns: number): string {
  if (notice.type === "lost") {
    return `zxid ${notice.zxid} lost: changes before may be missing, read again what matters`;
  }
  const head = `zxid ${notice.zxid} ${notice.kind} ${notice.path}`;
  if (notice.data === undefined) return head;
  return `${head} ${dataPreview(notice.data, Math.max(20, columns - head.length - 1))}`;
}

function noticeJson(notice: WatchNotice): unknown {
  if (notice.type === "lost" || notice.data === undefined) return notice;
  const { text, encoding } = dataText(notice.data);
  return { ...notice, data: text, encoding };
}

function isZxid(value: number | undefined): value is Zxid {
  return value !== undefined;
}
