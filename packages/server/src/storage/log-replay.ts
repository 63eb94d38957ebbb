import { type HardState, type NodeId, type SnapshotMeta } from "@quorate/raft";
import { isDamage, ServerError } from "../errors.ts";
import { reached } from "../points.ts";
import type { Files, OpenFile } from "../ports.ts";
import { EntryCodecError, blockBounds } from "./entry-codec.ts";
import { CUT_SHORT, sizeDamage, type LogDamage } from "./log-damage.ts";
import {
  SECTOR_BYTES,
  decodeSeal,
  segmentName,
  sequenceOfName,
  type ChainHash,
  type DecodedSeal,
  type SegmentHeader,
} from "./log-format.ts";
import { LogPoints } from "./log-index.ts";
import { LogScanner, type ScanEnd, type ScanStep } from "./log-scanner.ts";
import { readSegmentHeader } from "./segment-files.ts";
import { brokenLink, segmentGone } from "./segment-link.ts";

/** One segment that is part of the log. */
export interface LogSegment {
  readonly header: SegmentHeader;
  readonly name: string;
  /** Where its records end. */
  end: number;
}

/** What a log was found to be. */
export interface ReplayedLog {
  readonly segments: LogSegment[];
  readonly points: LogPoints;
  readonly sequence: number;
  readonly chain: ChainHash;
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta | null;
  readonly records: number;
  readonly torn: number;
  readonly damage: LogDamage | null;
}

/** Where the records of a segment of its full size end. */
type LastStep = Exclude<ScanEnd, { readonly kind: "cut" }>;

export interface ReplayOptions {
  readonly nodeId: NodeId;
  readonly tag: Uint8Array;
  readonly sequenceAtLeast: number;
}

/**
 * Reads a whole log and verifies every record and how they hang together. An unfinished write at the very end is cut
 * off, durably; anything else that is wrong is told as damage, and nothing is changed.
 */
export class LogReplay {
  readonly #files: Files;
  readonly #directory: string;
  readonly #options: ReplayOptions;
  #segments: LogSegment[] = [];
  /** Where the last record begins; null: the newest segment has none. */
  #lastPosition: number | null = null;
  #points: LogPoints | null = null;
  #sequence = 0;
  #chain: ChainHash = 0n;
  #hardState: HardState | null = null;
  #snapshot: SnapshotMeta | null = null;
  #records = 0;
  #torn = 0;
  #damage: LogDamage | null = null;

  constructor(files: Files, directory: string, options: ReplayOptions) {
    this.#files = files;
    this.#directory = directory;
    this.#options = options;
  }

  /** Null: there is no segment whose header can be read. */
  async run(names: readonly string[]): Promise<ReplayedLog | { readonly damage: LogDamage }> {
    for (const [at, name] of names.entries()) {
      await this.#readable(name, names[at + 1] ?? null);
      if (this.#damage !== null) break;
    }
    const lastName = this.#segments.at(-1)?.name ?? "";
    if (this.#damage === null && this.#sequence < this.#options.sequenceAtLeast) {
      reached("durable_records_lost");
      const message = `record ${this.#options.sequenceAtLeast} had been written`;
      this.#fail("records_lost", lastName, this.#segments.at(-1)?.end ?? 0, message);
    }
    if (this.#points === null || this.#hardState === null) {
      if (this.#damage === null) throw new ServerError("LOG_CORRUPT", "a log without segments");
      return { damage: this.#damage };
    }
    return {
      segments: this.#segments,
      points: this.#points,
      sequence: this.#sequence,
      chain: this.#chain,
      hardState: this.#hardState,
      snapshot: this.#snapshot,
      records: this.#records,
      torn: this.#torn,
      damage: this.#damage,
    };
  }

  /** What the medium does not give back is damage like any other: the log is whole up to there. */
  async #readable(name: string, nextName: string | null): Promise<void> {
    try {
      await this.#segment(name, nextName);
    } catch (error) {
      if (!isDamage(error)) throw error;
      const last = this.#segments.at(-1);
      this.#fail("unreadable", name, last?.name === name ? last.end : 0, error.text);
    }
  }

  async #segment(name: string, nextName: string | null): Promise<void> {
    const header = await this.#header(name);
    if (header === null || !this.#follows(header, name)) return;
    const next = nextName === null ? null : await this.#peek(nextName);
    const path = `${this.#directory}/${name}`;
    const file = await this.#files.open(path, { create: false, durable: nextName === null });
    try {
      const segment: LogSegment = { header, name, end: SECTOR_BYTES };
      this.#segments.push(segment);
      this.#lastPosition = null;
      const scanner = new LogScanner(file, header);
      const end = next?.previousEnd ?? null;
      const step = await this.#scan(segment, scanner, end);
      const wrongSize = sizeDamage(await file.size(), header.segmentBytes);
      if (wrongSize !== null || step?.kind === "cut") {
        this.#fail("segment_size", name, segment.end, wrongSize ?? CUT_SHORT);
        return;
      }
      if (nextName !== null) await this.#checkSeal(segment, file);
      if (step === null) return;
      if (nextName === null) await this.#finish(segment, file, step);
      // Without the next header nobody knows where this one's records ended: the next one's damage is what is told.
      else if (next !== null || step.kind !== "end") this.#endedEarly(segment, step);
    } finally {
      await file.close();
    }
  }

  /** Takes records in up to `end`; null when it was reached or damage found. */
  async #scan(
    segment: LogSegment,
    scanner: LogScanner,
    end: number | null,
  ): Promise<ScanEnd | null> {
    while (end === null || scanner.position < end) {
      const step = await scanner.next();
      if (step.kind !== "record") return step;
      if (!this.#take(segment, step)) return null;
      segment.end = scanner.position;
    }
    if (scanner.position !== end) {
      this.#fail(
        "chain",
        segment.name,
        scanner.position,
        "its records end elsewhere than they did",
      );
    }
    return null;
  }

  #take(segment: LogSegment, step: Extract<ScanStep, { readonly kind: "record" }>): boolean {
    const points = this.#points;
    if (points === null) return false;
    const { header, body } = step;
    const { name } = segment;
    try {
      const bounds = blockBounds(body.block);
      if (body.snapshot !== null) {
        points.restart(body.snapshot.index, body.snapshot.term);
        this.#snapshot = body.snapshot;
      }
      if (bounds !== null && !points.follows(bounds.firstIndex)) {
        this.#fail("entries", name, step.position, "entries that leave a gap");
        return false;
      }
      if (bounds !== null) points.append(bounds, segment.header.firstSequence, step.position);
    } catch (error) {
      if (!(error instanceof EntryCodecError)) throw error;
      this.#fail("entries", name, step.position, error.message);
      return false;
    }
    this.#sequence = header.sequence;
    this.#chain = header.chain;
    this.#hardState = header.hardState;
    this.#lastPosition = step.position;
    this.#records += 1;
    return true;
  }

  /** The last segment: here, and only here, a write may have been unfinished. */
  async #finish(segment: LogSegment, file: OpenFile, step: LastStep): Promise<void> {
    const { name } = segment;
    if (step.kind === "corrupt") return this.#fail("record", name, step.position, step.message);
    const seal = await this.#checkSeal(segment, file);
    if (seal.kind === "sealed") {
      reached("newest_segment_lost");
      const { kind, message } = segmentGone(seal.nextSequence);
      return this.#fail(kind, segmentName(seal.nextSequence), 0, message);
    }
    if (seal.kind === "damaged") return;
    await this.#makeDurable(segment, file);
    if (step.kind === "end" || this.#sequence < this.#options.sequenceAtLeast) return;
    reached("torn_write_cut_off");
    await file.write(step.position, new Uint8Array(step.writtenEnd - step.position));
    this.#torn += 1;
  }

  /** A crash may have left it out, where another segment follows. */
  async #checkSeal({ name, header }: LogSegment, file: OpenFile): Promise<DecodedSeal> {
    const position = header.segmentBytes - SECTOR_BYTES;
    const seal = decodeSeal(await file.read(position, SECTOR_BYTES), header.salt);
    if (seal.kind === "damaged") {
      this.#fail("segment_header", name, position, "bytes that are no seal");
    }
    return seal;
  }

  /**
   * What a process left in the cache when it ended is built upon, so it is made durable first: the name of a segment, and
   * its last write, all others were durable before it began. A sync is not enough: of a write that failed the cache may
   * show what the disk never got, and counts it as written (Rebello et al., "Can Applications Recover from fsync
   * Failures?", ATC 2020).
   */
  async #makeDurable(segment: LogSegment, file: OpenFile): Promise<void> {
    const position = this.#lastPosition ?? 0;
    await file.write(position, await file.read(position, segment.end - position));
    await file.sync();
    await this.#files.syncDirectory(this.#directory);
  }

  #endedEarly(segment: LogSegment, step: LastStep): void {
    const message = step.kind === "corrupt" ? step.message : "records vanished from its end";
    this.#fail("record", segment.name, step.position, message);
  }

  /** Null: damaged. */
  async #header(name: string): Promise<SegmentHeader | null> {
    const header = await this.#headerOf(name);
    if (header === null || header.firstSequence !== sequenceOfName(name)) {
      this.#fail("segment_header", name, 0, "a segment without a whole header");
      return null;
    }
    const sameTag = header.tag.every((byte, at) => byte === this.#options.tag[at]);
    if (!sameTag || header.nodeId !== this.#options.nodeId) {
      throw new ServerError("IDENTITY_MISMATCH", `${name} belongs to the log of another node`);
    }
    return header;
  }

  /** Null also where the medium does not give it back: its own turn tells that. */
  async #peek(name: string): Promise<SegmentHeader | null> {
    try {
      return await this.#headerOf(name);
    } catch (error) {
      if (!isDamage(error)) throw error;
      return null;
    }
  }

  async #headerOf(name: string): Promise<SegmentHeader | null> {
    const decoded = await readSegmentHeader(this.#files, `${this.#directory}/${name}`);
    if (decoded.kind === "unknown") {
      throw new ServerError("FORMAT_UNKNOWN", `${name} has log format ${decoded.version}`);
    }
    return decoded.kind === "damaged" ? null : decoded.header;
  }

  #follows(header: SegmentHeader, name: string): boolean {
    if (this.#points === null) {
      this.#sequence = header.firstSequence - 1;
      this.#chain = header.previousChain;
      this.#hardState = header.hardState;
      this.#points = new LogPoints(header.lastIndex, header.lastTerm);
      return true;
    }
    const { lastIndex, lastTerm } = this.#points;
    const end = { sequence: this.#sequence, chain: this.#chain, lastIndex, lastTerm };
    const broken = brokenLink(header, end);
    if (broken !== null) {
      this.#fail(broken.kind, name, 0, broken.message);
      return false;
    }
    // Damage may have been cut away here: the numbers then go on behind a gap, and the vote may have come from elsewhere.
    this.#sequence = header.firstSequence - 1;
    this.#hardState = header.hardState;
    return true;
  }

  #fail(kind: LogDamage["kind"], segment: string, position: number, message: string): void {
    reached("log_damage_found");
    this.#damage ??= { kind, segment, position, message };
  }
}
