import { createHash } from "node:crypto";
import { ServerError } from "../errors.ts";
import { checksum } from "../storage/checksum.ts";
import {
  BACKUP_END_BYTES,
  BACKUP_HEADER_BYTES,
  BACKUP_MAGIC,
  BACKUP_VERSION,
  PIECE_BYTES_MAX,
  PIECE_HEADER_BYTES,
  PIECE_RECORDS_MAX,
  type BackupRecord,
} from "./backup-format.ts";

type Expected = "header" | "piece" | "nothing";

/** Takes a backup's bytes in as they come, in any portions, and gives its records out, checked. */
export class BackupReader {
  readonly #hash = createHash("sha256");
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #portions: Buffer[] = [];
  #waitingBytes = 0;
  /** Bytes that have to wait here before the next step is worth a look. */
  #neededBytes = BACKUP_HEADER_BYTES;
  #expected: Expected = "header";
  #position = 0;
  #recordCount = 0;

  /** Bytes taken in. */
  get byteCount(): number {
    return this.#position + this.#waitingBytes;
  }

  get recordCount(): number {
    return this.#recordCount;
  }

  /**
   * Records that are complete now; their values are views into `bytes` or a copy of it. Throws BACKUP_DAMAGED, or
   * FORMAT_UNKNOWN for another version's.
   */
  feed(bytes: Uint8Array): readonly BackupRecord[] {
    this.#portions.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    this.#waitingBytes += bytes.length;
    const records: BackupRecord[] = [];
    if (this.#waitingBytes < this.#neededBytes) return records;
    const [only] = this.#portions;
    let waiting =
      this.#portions.length === 1 && only !== undefined ? only : Buffer.concat(this.#portions);
    for (;;) {
      const taken = this.#step(waiting, records);
      if (taken === 0) break;
      this.#position += taken;
      waiting = waiting.subarray(taken);
    }
    this.#portions = [waiting];
    this.#waitingBytes = waiting.length;
    return records;
  }

  /** After the last byte. Throws BACKUP_DAMAGED unless the end was there. */
  finish(): void {
    if (this.#expected !== "nothing") {
      throw damaged(`it ends at byte ${this.byteCount}, before its end`);
    }
  }

  /** How many bytes of `waiting` it took; 0: more are needed. */
  #step(waiting: Buffer, records: BackupRecord[]): number {
    if (this.#expected === "nothing") {
      if (waiting.length > 0) throw damaged(`something follows its end at byte ${this.#position}`);
      return 0;
    }
    if (this.#expected === "header") return this.#header(waiting);
    if (this.#lacks(waiting, PIECE_HEADER_BYTES)) return 0;
    const length = waiting.readUInt32BE(0);
    if (length === 0) return this.#end(waiting);
    if (length > PIECE_BYTES_MAX) throw damaged(`a piece of ${length} bytes at ${this.#position}`);
    const end = PIECE_HEADER_BYTES + length;
    if (this.#lacks(waiting, end)) return 0;
    this.#piece(waiting.subarray(0, end), records);
    return end;
  }

  #lacks(waiting: Buffer, bytes: number): boolean {
    this.#neededBytes = bytes;
    return waiting.length < bytes;
  }

  #header(waiting: Buffer): number {
    if (this.#lacks(waiting, BACKUP_HEADER_BYTES)) return 0;
    const header = waiting.subarray(0, BACKUP_HEADER_BYTES);
    if (!header.subarray(0, BACKUP_MAGIC.length).equals(BACKUP_MAGIC)) {
      throw damaged("this is no backup of Quorate");
    }
    const version = header.readUInt32BE(BACKUP_MAGIC.length);
    if (version !== BACKUP_VERSION) throw new ServerError("FORMAT_UNKNOWN", `backup ${version}`);
    this.#hash.update(header);
    this.#expected = "piece";
    return BACKUP_HEADER_BYTES;
  }

  #piece(bytes: Buffer, records: BackupRecord[]): void {
    const where = `the piece at byte ${this.#position}`;
    const body = bytes.subarray(PIECE_HEADER_BYTES);
    if (checksum(body, 0) !== bytes.readUInt32BE(4)) throw damaged(`${where} has a wrong checksum`);
    this.#hash.update(bytes);
    let at = 0;
    let count = 0;
    while (at < body.length) {
      const key = this.#part(body, at);
      const value = key === null ? null : this.#part(body, at + 4 + key.length);
      if (key === null || value === null || count === PIECE_RECORDS_MAX) {
        throw damaged(`${where} holds no whole records`);
      }
      records.push([this.#text(key, where), value]);
      at += 8 + key.length + value.length;
      count += 1;
    }
    this.#recordCount += count;
  }

  /** What stands behind its length at `at`; null: not all of it is there. */
  #part(body: Buffer, at: number): Buffer | null {
    if (at + 4 > body.length) return null;
    const end = at + 4 + body.readUInt32BE(at);
    return end > body.length ? null : body.subarray(at + 4, end);
  }

  #text(bytes: Buffer, where: string): string {
    try {
      return this.#decoder.decode(bytes);
    } catch {
      throw damaged(`${where} has a key that is no text`);
    }
  }

  #end(waiting: Buffer): number {
    if (this.#lacks(waiting, BACKUP_END_BYTES)) return 0;
    this.#hash.update(waiting.subarray(0, 12));
    const isWhole =
      waiting.readBigUInt64BE(4) === BigInt(this.#recordCount) &&
      this.#hash.digest().equals(waiting.subarray(12, BACKUP_END_BYTES));
    if (!isWhole) throw damaged("it is not what was written: count or hash differ");
    this.#expected = "nothing";
    this.#neededBytes = 1;
    return BACKUP_END_BYTES;
  }
}

function damaged(what: string): ServerError {
  return new ServerError("BACKUP_DAMAGED", what);
}
