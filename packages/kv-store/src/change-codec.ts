import type { Change } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import { readStat, writeStat } from "./protocol/codec-op.ts";
import { malformed } from "./protocol/codec-value.ts";
import { PROTOCOL_LIMITS, type Zxid } from "./protocol/index.ts";
import type { ValueReader } from "./protocol/value-reader.ts";
import type { ValueWriter } from "./protocol/value-writer.ts";

const KINDS: readonly Change["kind"][] = ["created", "deleted", "dataChanged"];

/** The revision stands elsewhere. Data and stat of a deleted znode are what was before, and stand once. */
export function writeChange(writer: ValueWriter, change: Change): void {
  const before = change.kind === "deleted" ? null : change.before;
  assert((before === null) === (change.kind !== "dataChanged"), "changed_data_has_a_before");
  writer.list(7);
  writer.integer(KINDS.indexOf(change.kind));
  writer.text(change.path);
  writer.bytes(change.data);
  writeStat(writer, change.stat);
  if (before === null) {
    writer.nil();
    writer.nil();
  } else {
    writer.bytes(before.data);
    writeStat(writer, before.stat);
  }
  writer.integer(change.author);
}

/** Makes bytes that outlive what is read. */
export type CopyBytes = (bytes: Uint8Array) => Uint8Array;

export function readChange(reader: ValueReader, zxid: Zxid, copy: CopyBytes): Change {
  reader.tuple(7);
  const kind = reader.choice(KINDS);
  const path = reader.text(PROTOCOL_LIMITS.pathBytesMax);
  const data = copy(reader.bytes(PROTOCOL_LIMITS.dataBytesMax));
  const stat = readStat(reader);
  const before = kind === "dataChanged" ? readBefore(reader, copy) : readNoBefore(reader);
  if (before === null && kind === "deleted") {
    return { zxid, kind, path, data, stat, before: { data, stat }, author: reader.owner() };
  }
  return { zxid, kind, path, data, stat, before, author: reader.owner() };
}

function readBefore(reader: ValueReader, copy: CopyBytes): Change["before"] {
  const data = copy(reader.bytes(PROTOCOL_LIMITS.dataBytesMax));
  return { data, stat: readStat(reader) };
}

function readNoBefore(reader: ValueReader): null {
  if (!reader.nil() || !reader.nil()) malformed("a state before where there is none");
  return null;
}
