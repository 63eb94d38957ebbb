import { DataTree } from "@quorate/kv-store";
import { logIndex, type Entry, type SnapshotMeta } from "@quorate/raft";
import { isDamage, ServerError } from "../errors.ts";
import { loadImage } from "../image/image-loader.ts";
import { decodeImageMeta } from "../image/image-meta.ts";
import { SERVER_LIMITS } from "../limits.ts";
import { refuseForeign } from "../node-storage.ts";
import type { ImageStore, ServerPorts } from "../ports.ts";
import { LOG_DIRECTORY } from "../storage/data-directory.ts";
import type { Identity } from "../storage/identity.ts";
import { forLooking } from "../storage/looking-files.ts";
import { WriteAheadLog } from "../storage/write-ahead-log.ts";

/** All that hangs together of what a stopped node has. */
export interface Salvage {
  /** Null: damaged, or none yet, and the log holds everything from its first entry on. */
  readonly image: ImageStore | null;
  /** As of `base`. */
  readonly tree: DataTree;
  readonly base: SnapshotMeta;
  /** What the log holds behind `base`, committed or not. */
  readonly entries: readonly Entry[];
  /** Why there may be less than the node had acknowledged; empty where everything is whole. */
  readonly losses: readonly string[];
  close(): Promise<void>;
}

interface Found {
  readonly image: ImageStore | null;
  /** What is wrong with it. */
  readonly damage: string | null;
  readonly tree: DataTree;
  readonly base: SnapshotMeta;
}

const READ_SLICE_BYTES = 4_194_304;

/**
 * Opens what a stopped node has and takes what is whole, the log up to where it is damaged; all of it stays as it is, but that
 * LevelDB writes to the image's directory, though it holds the same afterwards. A node that serves takes nothing
 * less than all of it; this is for when it is all that is left. Rejects with a `ServerError`: IDENTITY_LOST where the node never
 * was part of an ensemble, STORAGE_LOCKED while it runs, IMAGE_CORRUPT where the log does not make up for the image, and
 * with what is no damage.
 */
export async function salvage(
  ports: ServerPorts,
  directory: string,
  identity: Identity,
): Promise<Salvage> {
  const losses: string[] = [];
  const { image, damage, tree, base } = await salvageImage(ports, directory, identity);
  let log: WriteAheadLog | null = null;
  try {
    log = await salvageLog(ports, directory, identity, losses);
    if (damage !== null && !hasAllFromTheStart(log)) {
      throw new ServerError(
        "IMAGE_CORRUPT",
        `${damage}; ${losses.join("; ") || "the log begins later"}`,
      );
    }
    const entries = log === null ? [] : await entriesAfter(base, log, identity, losses);
    if (identity.hasLostEntries) losses.push(OLDER_COPY);
    return { image, tree, base, entries, losses, close: () => closeAll(log, image) };
  } catch (error) {
    await closeAll(log, image);
    throw error;
  }
}

const OLDER_COPY =
  "the node was told by its leader that it had acknowledged more than it holds: it is an older copy, or its disk lost writes";

/** It makes up for an image: up to where it is whole. */
function hasAllFromTheStart(log: WriteAheadLog | null): boolean {
  return log !== null && log.firstIndex === 1 && log.lastIndex > 0;
}

async function closeAll(log: WriteAheadLog | null, image: ImageStore | null): Promise<void> {
  await log?.close();
  await image?.close();
}

async function salvageImage(
  ports: ServerPorts,
  directory: string,
  identity: Identity,
): Promise<Found> {
  const { formation, limits: replicated } = identity;
  if (formation === null || replicated === null) {
    throw new ServerError("IDENTITY_LOST", `${directory} never was part of an ensemble`);
  }
  const limits = { ...SERVER_LIMITS.tree, ...replicated };
  const founding = decodeImageMeta(formation).snapshot;
  let image: ImageStore | null = null;
  try {
    if (identity.image === null) {
      return { image, damage: null, tree: new DataTree(limits), base: founding };
    }
    image = await ports.images.open(`${directory}/${identity.image}`, { create: false });
    const { tree, meta } = await loadImage(image, limits, ports.clock);
    if (meta !== null) refuseForeign(meta, { current: identity });
    return { image, damage: null, tree, base: meta === null ? founding : meta.snapshot };
  } catch (error) {
    await image?.close();
    if (!isDamage(error)) throw error;
    return { image: null, damage: error.text, tree: new DataTree(limits), base: founding };
  }
}

/** Null: there is none, or nothing of it can be read. */
async function salvageLog(
  ports: ServerPorts,
  directory: string,
  identity: Identity,
  losses: string[],
): Promise<WriteAheadLog | null> {
  const { logStarted, logTag, nodeId, logSequence } = identity;
  if (!logStarted) return null;
  try {
    const { log, recovered } = await WriteAheadLog.open(
      forLooking(ports.files),
      `${directory}/${LOG_DIRECTORY}`,
      {
        nodeId,
        tag: logTag,
        random: ports.random,
        create: false,
        sequenceAtLeast: logSequence,
      },
    );
    const { damage } = recovered;
    if (damage !== null) {
      const { message, segment, position } = damage;
      losses.push(
        `the log is damaged behind ${log.lastIndex}: ${message} (${segment} at ${position})`,
      );
    }
    return log;
  } catch (error) {
    if (!isDamage(error)) throw error;
    losses.push(`nothing of the log can be read: ${error.text}`);
    return null;
  }
}

/** What follows `base` without a gap. */
async function entriesAfter(
  base: SnapshotMeta,
  log: WriteAheadLog,
  identity: Identity,
  losses: string[],
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  try {
    if (!(await follows(base, log))) {
      // Where a snapshot was put in force, and the process ended before the log could say so, nothing was written since.
      if (log.sequence !== identity.logSequence) losses.push(gapBetween(base, log));
      return [];
    }
    while (base.index + entries.length < log.lastIndex) {
      const from = logIndex(base.index + entries.length + 1);
      const slice = await log.read(from, log.lastIndex, READ_SLICE_BYTES);
      if (slice === null || slice.entries.length === 0) break;
      for (const entry of slice.entries) entries.push(entry);
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
    losses.push(`the log cannot be read behind ${base.index + entries.length}: ${error.text}`);
  }
  return entries;
}

function gapBetween({ index }: SnapshotMeta, { firstIndex, lastIndex }: WriteAheadLog): string {
  return `the image stands at ${index}, and the log, from ${firstIndex} to ${lastIndex}, does not follow it`;
}

async function follows(base: SnapshotMeta, log: WriteAheadLog): Promise<boolean> {
  if (log.lastIndex < base.index || log.firstIndex > base.index + 1) return false;
  if (base.index === 0 || log.firstIndex === base.index + 1) return true;
  const at = await log.read(base.index, base.index, 1);
  return at !== null && at.entries[0]?.term === base.term;
}
