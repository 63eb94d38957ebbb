import type { MemoryFiles } from "../../../packages/server/src/memory/memory-files.ts";
import {
  DAMAGED_PREFIX,
  IDENTITY_FILE,
  LOG_DIRECTORY,
} from "../../../packages/server/src/storage/data-directory.ts";
import { loadIdentity } from "../../../packages/server/src/storage/identity.ts";
import { decodeSegmentHeader } from "../../../packages/server/src/storage/log-format.ts";
import { scanLog, type LogScanItem } from "../../../packages/server/src/storage/log-scan.ts";
import type { DiskPlace, TailLoss } from "./fault-event.ts";

/** Where each node has its data. */
export const DATA_DIRECTORY = "/data";
const LOG_PATH = `${DATA_DIRECTORY}/${LOG_DIRECTORY}`;
const IDENTITY_PATH = `${DATA_DIRECTORY}/${IDENTITY_FILE}`;
const SECTOR_BYTES = 512;
const FEW_RECORDS = 8;

type WholeRecord = Extract<LogScanItem, { readonly status: "ok" }>;

/** A record that is not what it was. */
export interface RottenRecord {
  readonly text: string;
  /** The name of the file that it is in. */
  readonly segment: string;
}

/** What a log lost at its end. */
export interface LostTail {
  readonly text: string;
  /** What is left, or the identity, shows that there was more. */
  readonly isEvident: boolean;
}

/** What stands that far from the first to the last, from 0 to 1. */
export function at<T>(choices: readonly T[], part: number): T | undefined {
  return choices[Math.min(choices.length - 1, Math.floor(part * choices.length))];
}

/**
 * A bit of the log is another one, in any file but the newest: where that ends nobody knows. Returns what happened; null:
 * nothing, there is no such file.
 */
export function flipBitOfLog(files: MemoryFiles, place: DiskPlace): string | null {
  const name = at(logFiles(files).slice(0, -1), place.record);
  if (name === undefined) return null;
  const path = `${LOG_PATH}/${name}`;
  const position = Math.floor(place.offset * files.sizeOf(path));
  files.flipBit(path, position, place.bit);
  return `a bit of ${name} at ${position} is another one`;
}

/** The disk does not give one sector back: of the log, in any file, or of one copy of the identity. Returns what happened. */
export function breakSector(files: MemoryFiles, place: DiskPlace): string {
  const log = logFiles(files).map((name) => `${LOG_PATH}/${name}`);
  const path = at([IDENTITY_PATH, ...log], place.record) ?? IDENTITY_PATH;
  const position = Math.floor(place.offset * files.sizeOf(path));
  files.breakSector(path, position);
  return `its disk does not give ${path} back at ${position}`;
}

/**
 * A record of the log is not what it was. `to` null: a bit of it is another one. Otherwise what was to be its sector stands in
 * another record instead. Not the last one, which would look like a torn write. Returns what happened; null: nothing.
 */
export async function spoilRecord(
  files: MemoryFiles,
  place: DiskPlace,
  to: DiskPlace | null,
): Promise<string | null> {
  const records = await recordsOf(files);
  records.pop();
  const record = at(records, place.record);
  const other = to === null ? undefined : at(records, to.record);
  if (record === undefined || record === other) return null;
  const path = `${LOG_PATH}/${record.segment}`;
  const position = record.position + Math.floor(place.offset * record.bytes);
  if (other === undefined || to === null) {
    files.flipBit(path, position, place.bit);
    return `a bit of record ${record.sequence} is another one`;
  }
  const sector = position - (position % SECTOR_BYTES);
  const bytes = (await files.aside().readWhole(path))?.slice(sector, sector + SECTOR_BYTES);
  if (bytes === undefined) return null;
  const there = other.position + Math.floor(to.offset * other.bytes);
  files.overwrite(`${LOG_PATH}/${other.segment}`, there - (there % SECTOR_BYTES), bytes);
  files.overwrite(path, sector, new Uint8Array(SECTOR_BYTES));
  return `a sector of record ${record.sequence} stands in record ${other.sequence}`;
}

/** A bit of what a record of the log says is another one; not of the last. Null: there is none. */
export async function rotRecord(
  files: MemoryFiles,
  place: DiskPlace,
): Promise<RottenRecord | null> {
  const record = at((await recordsOf(files)).slice(0, -1), place.record);
  if (record === undefined) return null;
  const offset = Math.floor(place.offset * (await contentBytes(files, record)));
  files.flipBit(`${LOG_PATH}/${record.segment}`, record.position + offset, place.bit);
  return { text: `a bit of record ${record.sequence} turns`, segment: record.segment };
}

/** The log has that file still: what it does not need any more is removed with all that is wrong in it. */
export function hasSegment(files: MemoryFiles, segment: string): boolean {
  return files.namesIn(LOG_PATH).includes(segment);
}

/**
 * Records that were said to be written are not there any more: zeros are, as before them. Null: nothing was lost, as there are
 * none, or what would be left ends before `indexMin`.
 */
export async function loseTail(
  files: MemoryFiles,
  loss: TailLoss,
  indexMin: number,
): Promise<LostTail | null> {
  const records = await recordsOf(files);
  const newest = logFiles(files).at(-1);
  const inNewest = records.filter(({ segment }) => segment === newest);
  if (loss.how === "hole") return loseSector(files, inNewest, loss.place);
  const first = inNewest.at(-lostRecords(loss, inNewest.length));
  if (first === undefined || newest === undefined) return null;
  const left = records.slice(0, records.indexOf(first));
  if (lastIndexOf(left) < indexMin) return null;
  const path = `${LOG_PATH}/${newest}`;
  const known = (await identityOf(files)).logSequence;
  const text = `records from ${first.sequence} on are gone (${loss.how}), ${known} are known of`;
  if (loss.how === "segment") {
    if (left.length === 0) return null;
    await files.remove(path);
    await files.syncDirectory(LOG_PATH);
    return { text, isEvident: true };
  }
  const kept = loss.how === "within" ? sectorsBefore(first, loss.place.offset) : 0;
  const from = first.position + kept * SECTOR_BYTES;
  files.overwrite(path, from, new Uint8Array(files.sizeOf(path) - from));
  return { text, isEvident: first.sequence <= known };
}

/** How many files of the log have nothing from that index on. */
export function segmentsBefore(files: MemoryFiles, index: number): number {
  // What one has ends where the next one begins.
  return logFiles(files)
    .slice(1)
    .filter((name) => {
      const sector = files.bytesOf(`${LOG_PATH}/${name}`, 0, SECTOR_BYTES);
      const decoded = decodeSegmentHeader(sector);
      return decoded.kind === "header" && decoded.header.lastIndex < index;
    }).length;
}

/** The number of the newest folder with data that the node set aside; 0: there is none. */
export function newestSetAside(files: MemoryFiles): number {
  const names = files.namesIn(DATA_DIRECTORY).filter((name) => name.startsWith(DAMAGED_PREFIX));
  return Math.max(0, ...names.map((name) => Number(name.slice(DAMAGED_PREFIX.length))));
}

/** Of a record that takes several, and that others follow. */
function loseSector(
  files: MemoryFiles,
  records: readonly WholeRecord[],
  place: DiskPlace,
): LostTail | null {
  const long = records.slice(0, -1).filter(({ bytes }) => bytes > SECTOR_BYTES);
  const record = at(long.toReversed(), place.record ** 2);
  if (record === undefined) return null;
  const sector = sectorsBefore(record, place.offset);
  const position = record.position + sector * SECTOR_BYTES;
  files.overwrite(`${LOG_PATH}/${record.segment}`, position, new Uint8Array(SECTOR_BYTES));
  return { text: `sector ${sector} of record ${record.sequence} is gone`, isEvident: true };
}

/** Half of the time a few, which nobody knows of yet but the leader. */
function lostRecords({ how, place }: TailLoss, most: number): number {
  if (how === "segment") return most;
  const part = 2 * place.record;
  const count = part < 1 ? part * FEW_RECORDS : (part - 1) * most;
  return Math.min(most, 1 + Math.floor(count));
}

/** Without the zeros that fill its last sector, which nobody reads. */
async function contentBytes(files: MemoryFiles, record: WholeRecord): Promise<number> {
  const { segment, position, bytes } = record;
  const content = await files.aside().readWhole(`${LOG_PATH}/${segment}`);
  const last = content?.subarray(position, position + bytes).findLastIndex((byte) => byte !== 0);
  return 1 + (last ?? bytes - 1);
}

function logFiles(files: MemoryFiles): readonly string[] {
  return [...files.namesIn(LOG_PATH)].filter((name) => name.endsWith(".wal")).sort();
}

async function recordsOf(files: MemoryFiles): Promise<WholeRecord[]> {
  const records: WholeRecord[] = [];
  for await (const item of scanLog(files.aside(), LOG_PATH))
    if (item.status === "ok") records.push(item);
  return records;
}

function lastIndexOf(records: readonly WholeRecord[]): number {
  const last = records.findLast(({ entries, snapshot }) => entries !== null || snapshot !== null);
  return last?.entries?.lastIndex ?? last?.snapshot?.index ?? 0;
}

/** So many of its sectors, at least one and not all, stand before that place; 0 where it has one only. */
function sectorsBefore({ bytes }: WholeRecord, part: number): number {
  const sectors = bytes / SECTOR_BYTES;
  return sectors < 2 ? 0 : 1 + Math.floor(part * (sectors - 1));
}

async function identityOf(files: MemoryFiles): Promise<{ readonly logSequence: number }> {
  const identity = await loadIdentity(files.aside(), DATA_DIRECTORY);
  const logSequence = identity?.current.logSequence ?? 0;
  await identity?.close();
  return { logSequence };
}
