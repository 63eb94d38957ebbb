import type { Change } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import { type CopyBytes, readChange, writeChange } from "./change-codec.ts";
import { malformed } from "./protocol/codec-value.ts";
import type { Zxid } from "./protocol/index.ts";
import { ValueReader } from "./protocol/value-reader.ts";
import { ValueWriter } from "./protocol/value-writer.ts";

/** The changes of one revision, none of them missing. */
export type Revision = readonly Change[];

/** A record of the image's change log: some successive revisions. A record for each change would cost several times as much. */
export interface ChangePiece {
  /** Every change after this revision, up to `lastZxid`, is in it. */
  readonly afterZxid: Zxid | 0;
  readonly firstZxid: Zxid;
  readonly lastZxid: Zxid;
  /** Changes. */
  readonly count: number;
}

/** A piece with what is in it. */
export interface NewChangePiece extends ChangePiece {
  readonly revisions: readonly Revision[];
}

/** Revisions of a record at most: with the bound of its bytes this bounds what is read to load it. */
const REVISIONS_MAX = 65_536;
const CHANGES_MAX = 1_048_576;

const writer = new ValueWriter();

/** One list of revisions, each its zxid and a list of changes. */
export function encodePiece(piece: NewChangePiece): Uint8Array {
  const { revisions } = piece;
  assert(revisions.length > 0 && revisions.length <= REVISIONS_MAX, "piece_revisions_bounded");
  writer.begin();
  writer.list(revisions.length);
  for (const changes of revisions) {
    const first = changes[0];
    assert(first !== undefined, "revision_not_empty");
    writer.list(2);
    writer.integer(first.zxid);
    writer.list(changes.length);
    for (const change of changes) writeChange(writer, change);
  }
  return writer.finish();
}

/**
 * What {@link encodePiece} encoded, after `afterZxid` and from `firstZxid` on. Throws `ProtocolError` if it is anything
 * else.
 */
export function decodePiece(
  bytes: Uint8Array,
  place: { readonly afterZxid: Zxid | 0; readonly firstZxid: Zxid },
  copy: CopyBytes,
): NewChangePiece {
  const reader = new ValueReader();
  reader.open(bytes, 0);
  const length = reader.list(REVISIONS_MAX);
  const revisions: Revision[] = [];
  let lastZxid: Zxid | 0 = place.afterZxid;
  let count = 0;
  for (let i = 0; i < length; i += 1) {
    reader.tuple(2);
    const zxid = reader.zxid();
    if (zxid <= lastZxid) malformed("revisions out of order");
    if (i === 0 && zxid !== place.firstZxid) malformed("revisions of another record");
    const changes = readChanges(reader, zxid, copy);
    revisions.push(changes);
    lastZxid = zxid;
    count += changes.length;
  }
  reader.close();
  if (lastZxid === 0 || length === 0) malformed("no revisions");
  return { ...place, lastZxid, count, revisions };
}

function readChanges(reader: ValueReader, zxid: Zxid, copy: CopyBytes): Revision {
  const count = reader.list(CHANGES_MAX);
  if (count === 0) malformed("a revision without changes");
  const changes: Change[] = [];
  for (let i = 0; i < count; i += 1) changes.push(readChange(reader, zxid, copy));
  return changes;
}
