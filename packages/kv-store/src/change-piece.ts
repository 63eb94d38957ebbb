import type { Change } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import { type CopyBytes, readChange, writeChange } from "./change-codec.ts";
import { malformed } from "./protocol/codec-value.ts";
import type { Zxid } from "./protocol/index.ts";
import { ValueReader } from "./protocol/value-reader.ts";
import type { ValueWriter } from "./protocol/value-writer.ts";

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
  /** In order, none of a revision missing. */
  readonly changes: Iterable<Change>;
}

/** Changes of a record at most: with the bound of its bytes this bounds what is read to load it. */
const CHANGES_MAX = 1_048_576;

/** One list of changes, each with its zxid before it. */
export function encodePiece(writer: ValueWriter, piece: NewChangePiece): Uint8Array {
  assert(piece.count > 0 && piece.count <= CHANGES_MAX, "piece_changes_bounded");
  writer.begin();
  writer.list(piece.count);
  let count = 0;
  for (const change of piece.changes) {
    writer.list(2);
    writer.integer(change.zxid);
    writeChange(writer, change);
    count += 1;
  }
  assert(count === piece.count, "piece_complete");
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
  const count = reader.list(CHANGES_MAX);
  const changes: Change[] = [];
  let lastZxid: Zxid | 0 = place.afterZxid;
  for (let i = 0; i < count; i += 1) {
    reader.tuple(2);
    const zxid = reader.zxid();
    const isInOrder = i === 0 ? zxid === place.firstZxid && zxid > lastZxid : zxid >= lastZxid;
    if (!isInOrder) malformed("changes out of order");
    changes.push(readChange(reader, zxid, copy));
    lastZxid = zxid;
  }
  reader.close();
  if (lastZxid === 0 || count === 0) malformed("no changes");
  return { ...place, lastZxid, count, changes };
}
