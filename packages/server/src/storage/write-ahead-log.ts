import {
  logIndex,
  term,
  type Entry,
  type HardState,
  type LogIndex,
  type NodeId,
  type SnapshotMeta,
  type Term,
} from "@quorate/raft";
import { assert } from "../assert.ts";
import { ServerError } from "../errors.ts";
import { reached } from "../points.ts";
import type { Files, OpenFile, Random } from "../ports.ts";
import type { Consume } from "../scrub/throttle.ts";
import { withDamagingReads } from "./damaging-reads.ts";
import { blockBounds } from "./entry-codec.ts";
import type { LogDamage } from "./log-damage.ts";
import {
  SECTOR_BYTES,
  SEGMENT_BYTES_MIN,
  TAG_BYTES,
  encodeSeal,
  segmentName,
  wholeSectors,
  type ChainHash,
  type SegmentHeader,
} from "./log-format.ts";
import { LogPoints } from "./log-index.ts";
import { readEntries } from "./log-reader.ts";
import {
  RECORD_BYTES_MAX,
  RecordWriter,
  encodeSnapshotMarker,
  recordBytesMax,
} from "./log-record.ts";
import { LogReplay, type LogSegment } from "./log-replay.ts";
import { scrubSegments } from "./log-scrub.ts";
import { SegmentMaker, removePreparations } from "./log-segments.ts";
import type { RoomWait } from "./room-wait.ts";
import { segmentNames } from "./segment-files.ts";

/** Large enough that rotation is rare, small enough that compaction frees space in good pieces. */
const SEGMENT_BYTES_DEFAULT = 16_777_216;
/** Part of a segment in use when the next one is begun: early, or a fast log waits for its zeros like for a disk that stands still. */
const PREPARE_FROM = 1 / 8;
const NOTHING = new Uint8Array(0);
const NO_HARD_STATE: HardState = { term: term(0), votedFor: null };

export interface LogOptions {
  readonly nodeId: NodeId;
  /** 16 bytes that the identity keeps: the log of another node or of another life is refused. */
  readonly tag: Uint8Array;
  readonly random: Random;
  /** True: makes a new log and fails where records stand. False: fails unless there is a log. */
  readonly create: boolean;
  /** What a log that is made new begins with. Default: term 0, no vote. */
  readonly hardState?: HardState;
  /** Records up to this one are known to be durable (from the identity): fewer mean that the log lost its end. Default 0. */
  readonly sequenceAtLeast?: number;
  /** Default 16 MiB. */
  readonly segmentBytes?: number;
  /** Where a record waits whose segment finds no room on a full disk. Default: it fails. */
  readonly room?: RoomWait;
}

/** What one record holds beside its entries. */
export interface LogWork {
  /** In force from this record on. */
  readonly hardState: HardState;
  /** Not null: the log starts anew behind this snapshot, and everything stored before is dropped. */
  readonly snapshot: SnapshotMeta | null;
}

/** What a log was found to hold. */
export interface RecoveredState {
  /** Of the last whole record; term 0 when nothing can be read. The identity may know a later one. */
  readonly hardState: HardState;
  /** Last snapshot marker that still stands in the log. */
  readonly snapshot: SnapshotMeta | null;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly records: number;
  /** Unfinished writes that were cut off: none or one. */
  readonly torn: number;
  /** Not null: the log is whole up to there, and refuses to append. */
  readonly damage: LogDamage | null;
}

/** Entries read back. */
export interface LogSlice {
  /** Term of the entry before the first. */
  readonly prevTerm: Term;
  readonly entries: readonly Entry[];
}

interface State {
  readonly segments: LogSegment[];
  readonly points: LogPoints;
  readonly sequence: number;
  readonly chain: ChainHash;
  readonly hardState: HardState;
  readonly damage: LogDamage | null;
}

/**
 * The durable log of one node: entries, hard state and snapshot markers, one record for each group of them, in
 * preallocated segments (log-format.ts). It never appends behind damage and never repairs any by itself. After the
 * first error of its files it refuses everything with that error: what stands on disk is then known only to a new start.
 */
export class WriteAheadLog {
  readonly #files: Files;
  readonly #directory: string;
  readonly #options: LogOptions;
  readonly #maker: SegmentMaker;
  readonly #writer = new RecordWriter();
  #segments: LogSegment[];
  #points: LogPoints;
  #sequence: number;
  #chain: ChainHash;
  #hardState: HardState;
  #damage: LogDamage | null;
  #file: OpenFile | null = null;
  #busy: Promise<void> | null = null;
  #compaction: Promise<void> = Promise.resolve();
  #failure: unknown = null;

  private constructor(files: Files, directory: string, options: LogOptions, state: State) {
    this.#files = files;
    this.#directory = directory;
    this.#options = options;
    this.#maker = new SegmentMaker(files, directory, segmentBytesOf(options));
    this.#segments = state.segments;
    this.#points = state.points;
    this.#sequence = state.sequence;
    this.#chain = state.chain;
    this.#hardState = state.hardState;
    this.#damage = state.damage;
  }

  /**
   * Makes a log or reads and verifies one. An unfinished last write is cut off. Damage is not an error: it stands in the
   * result. Fails with LOG_CORRUPT (no log where one must be, or one where none may be, or that the medium does not give
   * back), IDENTITY_MISMATCH, FORMAT_UNKNOWN, STORAGE_FAILED, STORAGE_FULL.
   */
  static async open(
    plainFiles: Files,
    directory: string,
    options: LogOptions,
  ): Promise<{ readonly log: WriteAheadLog; readonly recovered: RecoveredState }> {
    const files = withDamagingReads(plainFiles, "LOG_CORRUPT");
    assert(options.tag.length === TAG_BYTES, "log_tag_length");
    if (options.create) await prepareDirectory(files, directory, options);
    else await removePreparations(files, directory);
    const names = await segmentNames(files, directory);
    if (!options.create && names.length === 0) {
      throw new ServerError("LOG_CORRUPT", `the log in ${directory} is gone`);
    }
    const found = options.create ? null : await recover(files, directory, options, names);
    const whole = found !== null && "points" in found ? found : null;
    const state: State = whole ?? {
      segments: [],
      points: new LogPoints(logIndex(0), term(0)),
      sequence: 0,
      chain: 0n,
      hardState: (options.create ? options.hardState : undefined) ?? NO_HARD_STATE,
      damage: found?.damage ?? null,
    };
    const log = new WriteAheadLog(files, directory, options, state);
    if (options.create) await log.#extend(log.#maker.segmentBytes);
    else if (state.damage === null) await log.#openLast();
    const recovered: RecoveredState = {
      hardState: state.hardState,
      snapshot: whole?.snapshot ?? null,
      firstIndex: log.firstIndex,
      lastIndex: log.lastIndex,
      records: whole?.records ?? 0,
      torn: whole?.torn ?? 0,
      damage: state.damage,
    };
    return { log, recovered };
  }

  /** First index that {@link read} returns; one above {@link lastIndex} when there is none. */
  get firstIndex(): LogIndex {
    return logIndex(this.#points.baseIndex + 1);
  }

  get lastIndex(): LogIndex {
    return this.#points.lastIndex;
  }

  /** Of the last durable record. */
  get sequence(): number {
    return this.#sequence;
  }

  /** As the last durable record has it. */
  get hardState(): HardState {
    return this.#hardState;
  }

  /** Size of all segments, the one prepared ahead not counted. */
  get bytes(): number {
    let bytes = 0;
    for (const segment of this.#segments) bytes += segment.header.segmentBytes;
    return bytes;
  }

  /**
   * Makes one record durable: hard state, snapshot marker, then entries (`block`, from `encodeEntries`, may be empty),
   * which replace stored ones from their first index on. Never called while another is under way. Fails with
   * STORAGE_FULL, STORAGE_FAILED, LOG_CORRUPT (damage was not cut), STOPPED; whether the record is there is then unknown.
   */
  persist(work: LogWork, block: Uint8Array): Promise<void> {
    assert(this.#busy === null, "log_one_write_in_flight");
    return this.#exclusively(() => this.#persist(work, block));
  }

  /**
   * Entries `from` to `to`: at least one where there is one, then as many as `bytesMax` bytes of commands allow. Null: the
   * entry or the one before it is no longer (or not yet) stored. Fails with LOG_CORRUPT, STORAGE_FAILED.
   */
  async read(from: LogIndex, to: LogIndex, bytesMax: number): Promise<LogSlice | null> {
    this.#refuse(true);
    for (;;) {
      const points = this.#points;
      if (from <= points.baseIndex || from > points.lastIndex) return null;
      const generation = points.generation;
      try {
        const slice = await this.#read(from, Math.min(to, points.lastIndex), bytesMax);
        if (points.generation === generation) return slice;
        reached("log_changed_during_a_read");
      } catch (error) {
        // What was being read may have been compacted or replaced meanwhile.
        if (points.generation === generation) throw error;
      }
    }
  }

  /**
   * Removes the oldest segments as long as they hold nothing behind `upTo`; never the newest. What is removed must be
   * covered by a durable, verified image.
   */
  compact(upTo: LogIndex): Promise<void> {
    const compaction = this.#compaction.then(() => this.#compact(upTo));
    this.#compaction = compaction.catch(() => {});
    return compaction;
  }

  /**
   * Reads everything that is stored now and verifies it again, while the log goes on; null: it is what was written.
   * Fails with LOG_CORRUPT where the medium fails, with STORAGE_FAILED, and with what `consume` fails with.
   */
  async scrub(consume: Consume): Promise<LogDamage | null> {
    this.#refuse(true);
    return scrubSegments(this.#files, this.#directory, () => this.#segments, consume);
  }

  /** Waits for what is under way. Everything afterwards fails with STOPPED. */
  async close(): Promise<void> {
    await this.#busy?.catch(() => {});
    await this.#compaction;
    this.#failure ??= new ServerError("STOPPED", "the log was closed");
    await this.#maker.close();
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    this.#refuse(false);
    const running = work();
    this.#busy = running;
    try {
      await running;
    } catch (error) {
      this.#failure ??= error;
      throw error;
    } finally {
      this.#busy = null;
    }
  }

  #refuse(damaged: boolean): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#damage !== null && !damaged) {
      throw new ServerError("LOG_CORRUPT", this.#damage.message);
    }
  }

  async #persist(work: LogWork, block: Uint8Array): Promise<void> {
    const bounds = blockBounds(block);
    const base = work.snapshot?.index ?? this.lastIndex;
    assert(bounds === null || bounds.firstIndex <= base + 1, "log_append_without_gap");
    assert(work.hardState.term >= this.#hardState.term, "log_term_never_falls");
    const marker = work.snapshot === null ? NOTHING : encodeSnapshotMarker(work.snapshot);
    const bytesMax = recordBytesMax(marker, block);
    assert(bytesMax <= RECORD_BYTES_MAX, "log_record_bytes", () => `${bytesMax}`);
    let segment = this.#last();
    if (segment.end + bytesMax > segment.header.segmentBytes - SECTOR_BYTES) {
      await this.#extend(this.#sizeFor(bytesMax), this.#options.room);
      reached("log_went_on_in_next_segment");
      segment = this.#last();
    }
    const { bytes, chain } = this.#writer.write({
      salt: segment.header.salt,
      sequence: this.#sequence + 1,
      previousChain: this.#chain,
      hardState: work.hardState,
      marker,
      block,
    });
    const position = segment.end;
    await this.#openFile().write(position, bytes);
    segment.end = position + bytes.length;
    this.#sequence += 1;
    this.#chain = chain;
    this.#hardState = work.hardState;
    if (work.snapshot !== null) this.#points.restart(work.snapshot.index, work.snapshot.term);
    if (bounds !== null) this.#points.append(bounds, segment.header.firstSequence, position);
    if (segment.end > segment.header.segmentBytes * PREPARE_FROM) this.#maker.prepare();
  }

  async #read(from: number, to: number, bytesMax: number): Promise<LogSlice> {
    const points = this.#points;
    // The entry before the first comes along for its term, unless only its term is left.
    const withPrevious = from - 1 > points.baseIndex;
    const prevTerm = points.baseTerm;
    const salts = new Map(this.#segments.map(({ header }) => [header.firstSequence, header.salt]));
    const entries = await readEntries(this.#files, this.#directory, {
      from,
      withPrevious,
      to,
      bytesMax,
      points: points.between(withPrevious ? from - 1 : from, to),
      saltOf: (segment) => salts.get(segment) ?? 0,
    });
    const previous = withPrevious ? entries[0] : undefined;
    if (previous === undefined) return { prevTerm, entries };
    return { prevTerm: previous.term, entries: entries.slice(1) };
  }

  async #compact(upTo: LogIndex): Promise<void> {
    this.#refuse(true);
    for (;;) {
      const [oldest, next] = this.#segments;
      if (oldest === undefined || next === undefined) return;
      if (!this.#points.canStartAt(next.header.firstSequence, upTo)) return;
      this.#points.startAt(next.header.firstSequence);
      reached("log_segment_removed");
      this.#segments.shift();
      try {
        await this.#files.remove(`${this.#directory}/${oldest.name}`);
        // One by one: were two removals made durable in the other order, a segment would be missing in between.
        await this.#files.syncDirectory(this.#directory);
      } catch (error) {
        this.#failure ??= error;
        throw error;
      }
    }
  }

  /** Goes on in a new segment. */
  async #extend(segmentBytes: number, room: RoomWait | null = null): Promise<void> {
    const last = this.#segments.at(-1) ?? null;
    const previous = this.#file;
    const firstSequence = this.#nextSequence();
    // A larger segment takes the place of one that holds nothing yet.
    const replaced = last?.header.firstSequence === firstSequence ? last.header : null;
    const header: SegmentHeader = {
      tag: this.#options.tag,
      nodeId: this.#options.nodeId,
      salt: new DataView(this.#options.random.bytes(4).slice().buffer).getUint32(0, true),
      segmentBytes,
      firstSequence,
      previousChain: this.#chain,
      previousSequence: replaced?.previousSequence ?? this.#sequence,
      previousEnd: replaced?.previousEnd ?? last?.end ?? 0,
      lastIndex: this.#points.lastIndex,
      lastTerm: this.#points.lastTerm,
      hardState: this.#hardState,
    };
    this.#file = await this.#maker.make(header, room);
    const name = segmentName(firstSequence);
    if (replaced !== null) {
      reached("large_record_replaced_empty_segment");
      this.#segments.pop();
    }
    this.#segments.push({ header, name, end: SECTOR_BYTES });
    this.#sequence = firstSequence - 1;
    if (previous === null || last === null) return;
    if (replaced === null) {
      const seal = encodeSeal(last.header.salt, firstSequence, this.#chain);
      await previous.write(last.header.segmentBytes - SECTOR_BYTES, seal);
    }
    await previous.close();
  }

  /** Behind damage it goes on above every number that may have been given out before. */
  #nextSequence(): number {
    const known = this.#damage === null ? 0 : (this.#options.sequenceAtLeast ?? 0);
    return Math.max(this.#sequence, known) + 1;
  }

  #sizeFor(recordBytes: number): number {
    const needed = wholeSectors(recordBytes) + 2 * SECTOR_BYTES;
    return Math.max(this.#maker.segmentBytes, needed);
  }

  async #openLast(): Promise<void> {
    const path = `${this.#directory}/${this.#last().name}`;
    this.#file = await this.#files.open(path, { create: false, durable: true });
  }

  #last(): LogSegment {
    const last = this.#segments.at(-1);
    assert(last !== undefined, "log_has_a_segment");
    return last;
  }

  #openFile(): OpenFile {
    assert(this.#file !== null, "log_is_open");
    return this.#file;
  }
}

function segmentBytesOf(options: LogOptions): number {
  const bytes = options.segmentBytes ?? SEGMENT_BYTES_DEFAULT;
  assert(bytes >= SEGMENT_BYTES_MIN, "log_segment_bytes");
  assert(bytes % SECTOR_BYTES === 0, "log_segment_whole_sectors");
  return bytes;
}

function recover(
  files: Files,
  directory: string,
  options: LogOptions,
  names: readonly string[],
): ReturnType<LogReplay["run"]> {
  const { nodeId, tag, sequenceAtLeast = 0 } = options;
  return new LogReplay(files, directory, { nodeId, tag, sequenceAtLeast }).run(names);
}

/** A directory without a log. One that was made and never written to is taken away: its maker stopped before it told. */
async function prepareDirectory(
  files: Files,
  directory: string,
  options: LogOptions,
): Promise<void> {
  await files.makeDirectory(directory);
  await removePreparations(files, directory);
  const names = await segmentNames(files, directory);
  if (names.length === 0) return;
  const found = await recover(files, directory, options, names);
  if (!("records" in found) || found.records > 0 || found.damage !== null || names.length > 1) {
    throw new ServerError("LOG_CORRUPT", `there is a log in ${directory} already`);
  }
  for (const name of names) await files.remove(`${directory}/${name}`);
  await files.syncDirectory(directory);
}
