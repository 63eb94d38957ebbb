import { logIndex, nodeId, term, type Entry, type HardState, type Membership } from "@quorate/raft";
import { SeededRandom } from "../../packages/server/src/memory/seeded-random.ts";
import type { Files } from "../../packages/server/src/ports.ts";
import { encodeEntries } from "../../packages/server/src/storage/entry-codec.ts";
import {
  WriteAheadLog,
  type LogOptions,
  type LogWork,
} from "../../packages/server/src/storage/write-ahead-log.ts";

export const DIRECTORY = "/data/log";
/** Small segments: rotation and compaction come soon. */
export const SEGMENT_BYTES = 16_384;

export const MEMBERSHIP: Membership = {
  voters: [nodeId(1), nodeId(2), nodeId(3)],
  outgoingVoters: [],
  learners: [],
  members: [1, 2, 3].map((id) => ({
    id: nodeId(id),
    name: `n${id}`,
    peerAddress: `127.0.0.1:${7000 + id}`,
    clientAddress: `127.0.0.1:${8000 + id}`,
    promotion: { kind: "none" as const },
  })),
};

export function logOptions(changes: Partial<LogOptions> = {}): LogOptions {
  return {
    nodeId: nodeId(7),
    tag: new Uint8Array(16).fill(9),
    random: new SeededRandom(1),
    create: false,
    segmentBytes: SEGMENT_BYTES,
    ...changes,
  };
}

/** A log in a directory that is there. */
export function openLog(
  files: Files,
  changes: Partial<LogOptions> = {},
  directory = DIRECTORY,
): ReturnType<typeof WriteAheadLog.open> {
  return WriteAheadLog.open(files, directory, logOptions(changes));
}

/** A command whose bytes tell its place. */
export function command(index: number, termNumber: number, bytes = 40): Entry {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 1) data[at] = (index * 31 + termNumber * 7 + at) & 0xff;
  return { kind: "command", term: term(termNumber), index: logIndex(index), data };
}

export function commands(from: number, to: number, termNumber: number, bytes = 40): Entry[] {
  const entries: Entry[] = [];
  for (let index = from; index <= to; index += 1) entries.push(command(index, termNumber, bytes));
  return entries;
}

export function hardState(termNumber: number, vote: number | null = null): HardState {
  return { term: term(termNumber), votedFor: vote === null ? null : nodeId(vote) };
}

export function work(
  termNumber: number,
  vote: number | null = null,
  snapshot: LogWork["snapshot"] = null,
): LogWork {
  return { hardState: hardState(termNumber, vote), snapshot };
}

/** Appends entries in the term of the last of them. */
export function append(log: WriteAheadLog, entries: readonly Entry[]): Promise<void> {
  return log.persist(work(entries.at(-1)?.term ?? log.hardState.term), encodeEntries(entries));
}

/** Everything that can be read from an index on. */
export async function readAll(
  log: WriteAheadLog,
  from: number = log.firstIndex,
  bytesMax = 1_000,
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (let next = from; next <= log.lastIndex;) {
    const slice = await log.read(logIndex(next), log.lastIndex, bytesMax);
    if (slice === null || slice.entries.length === 0) throw new Error(`nothing at ${next}`);
    entries.push(...slice.entries);
    next += slice.entries.length;
  }
  return entries;
}
