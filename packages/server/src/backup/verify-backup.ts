import { TreeLoader, type DataTree } from "@quorate/kv-store";
import { ServerError } from "../errors.ts";
import { damageOf } from "../image/image-damage.ts";
import { IMAGE_META_KEY, decodeImageMeta, type ImageMeta } from "../image/image-meta.ts";
import type { BackupRecord } from "./backup-format.ts";
import { BackupReader } from "./backup-reader.ts";

/** What a backup holds, after all of it was read and found whole. */
export interface BackupSummary {
  /** Revision it stands at. */
  readonly zxid: number;
  readonly term: number;
  readonly znodes: number;
  readonly sessions: number;
  /** Of everything in it, recomputed from the records. */
  readonly digest: string;
  /** The ensemble it was taken from. */
  readonly clusterId: string;
  readonly historyId: string;
  readonly bytes: number;
}

/** A backup that was read whole. */
export interface LoadedBackup {
  readonly tree: DataTree;
  readonly meta: ImageMeta;
  readonly summary: BackupSummary;
}

/** Is given the records as they come; they count only once all of the backup was found whole. */
export type RecordSink = (records: readonly BackupRecord[]) => Promise<void>;

/**
 * Reads a backup as it comes and builds the state it stands for: every checksum, the hash over all of it, the counts and the
 * digest are checked. Rejects with a `ServerError`: BACKUP_DAMAGED, FORMAT_UNKNOWN; and with what `sink` rejects with.
 */
export async function loadBackup(
  chunks: AsyncIterable<Uint8Array>,
  sink: RecordSink | null = null,
): Promise<LoadedBackup> {
  const reader = new BackupReader();
  const loader = new TreeLoader(null);
  let meta: ImageMeta | null = null;
  try {
    for await (const chunk of chunks) {
      const records = reader.feed(chunk);
      for (const [key, value] of records) {
        if (key === IMAGE_META_KEY) meta = decodeImageMeta(value);
        else loader.add(key, value);
      }
      await sink?.(records);
    }
    reader.finish();
    const tree = loader.finish();
    if (meta === null || tree.lastZxid !== (meta.snapshot.index as number)) {
      throw new ServerError("BACKUP_DAMAGED", "it does not say what it stands for");
    }
    return { tree, meta, summary: summaryOf(tree, meta, reader.byteCount) };
  } catch (error) {
    throw asDamage(error);
  }
}

/** {@link loadBackup} for who only wants to know what is in it. */
export async function verifyBackup(chunks: AsyncIterable<Uint8Array>): Promise<BackupSummary> {
  return (await loadBackup(chunks)).summary;
}

function summaryOf(tree: DataTree, meta: ImageMeta, bytes: number): BackupSummary {
  const { clusterId, historyId, snapshot } = meta;
  return {
    zxid: snapshot.index,
    term: snapshot.term,
    znodes: tree.nodeCount,
    sessions: tree.sessionCount,
    digest: tree.recomputeDigest(),
    clusterId,
    historyId,
    bytes,
  };
}

function asDamage(error: unknown): unknown {
  if (error instanceof ServerError && error.code === "IMAGE_CORRUPT") {
    return new ServerError("BACKUP_DAMAGED", error.message, error);
  }
  return damageOf(error, "BACKUP_DAMAGED");
}
