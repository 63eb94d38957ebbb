import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Limits from "../../packages/server/src/limits.ts";
import type * as MemoryFiles from "../../packages/server/src/memory/memory-files.ts";
import type * as PeerCodec from "../../packages/server/src/peer/peer-codec.ts";
import type * as EntryCodec from "../../packages/server/src/storage/entry-codec.ts";
import type * as LogRecord from "../../packages/server/src/storage/log-record.ts";
import type * as NodeFiles from "../../packages/server/src/storage/node-files.ts";
import type * as WriteAheadLog from "../../packages/server/src/storage/write-ahead-log.ts";
import type * as SystemRandom from "../../packages/server/src/system/system-random.ts";
import { REPOSITORY } from "../repository.ts";

/** Parts of the server that its package does not hand out, as they were built. */
export interface ServerInternals {
  readonly limits: typeof Limits;
  readonly memoryFiles: typeof MemoryFiles;
  readonly peerCodec: typeof PeerCodec;
  readonly entryCodec: typeof EntryCodec;
  readonly logRecord: typeof LogRecord;
  readonly nodeFiles: typeof NodeFiles;
  readonly writeAheadLog: typeof WriteAheadLog;
  readonly systemRandom: typeof SystemRandom;
}

/** Needs a build. */
export async function loadServerInternals(): Promise<ServerInternals> {
  return {
    limits: (await load("limits")) as typeof Limits,
    memoryFiles: (await load("memory/memory-files")) as typeof MemoryFiles,
    peerCodec: (await load("peer/peer-codec")) as typeof PeerCodec,
    entryCodec: (await load("storage/entry-codec")) as typeof EntryCodec,
    logRecord: (await load("storage/log-record")) as typeof LogRecord,
    nodeFiles: (await load("storage/node-files")) as typeof NodeFiles,
    writeAheadLog: (await load("storage/write-ahead-log")) as typeof WriteAheadLog,
    systemRandom: (await load("system/system-random")) as typeof SystemRandom,
  };
}

function load(name: string): Promise<unknown> {
  return import(pathToFileURL(join(REPOSITORY, "packages/server/dist", `${name}.js`)).href);
}
