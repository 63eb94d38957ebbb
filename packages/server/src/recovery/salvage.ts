import { DataTree } from "@quorate/kv-store";
import type { Entry, SnapshotMeta } from "@quorate/raft";
import { isDamage, ServerError } from "../errors.ts";
import { loadImage } from "../image/image-loader.ts";
import { decodeImageMeta } from "../image/image-meta.ts";
import { SERVER_LIMITS } from "../limits.ts";
import { refuseForeign } from "../node-storage.ts";
import type { ImageStore, ServerPorts } from "../ports.ts";
import { LOG_DIRECTORY } from "../storage/data-directory.ts";
import { entriesAfter, goesOnFrom } from "../storage/entries-after.ts";
import type { Identity } from "../storage/identity.ts";
import { damageText } from "../storage/log-damage.ts";
import type { FormedIdentity } from "../storage/read-identity.ts";
import { readOnlyFiles } from "../storage/read-only-files.ts";
import { WriteAheadLog } from "../storage/write-ahead-log.ts";

/** All that hangs together of what a stopped node has. */
export interface Salvage {
  /** Null: damaged, or none yet, and the log holds everything from its first entry on. */
  readonly image: ImageStore | null;
  /** What is wrong with it. */
  readonly imageDamage: string | null;
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

/**
 * Opens what a stopped node has and takes what is whole, the log up to where it is damaged; all of it stays as it is, but that
 * LevelDB writes to the image's directory, though it holds the same afterwards. A node that serves takes nothing
 * less than all of it; this is for when it is all that is left. Rejects with a `ServerError`: STORAGE_LOCKED while the node runs,
 * IMAGE_CORRUPT where the log does not make up for the image, and with what is no damage.
 */
export async function salvage(
  ports: ServerPorts,
  directory: string,
  identity: FormedIdentity,
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
    const entries = log === null ? [] : await salvageEntries(base, log, identity, losses);
    if (identity.hasLostEntries) losses.push(OLDER_COPY);
    return {
      image,
      imageDamage: damage,
      tree,
      base,
      entries,
      losses,
      close: () => closeAll(log, image),
    };
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
  identity: FormedIdentity,
): Promise<Found> {
  const limits = { ...SERVER_LIMITS.tree, ...identity.limits };
  const founding = decodeImageMeta(identity.formation).snapshot;
  let image: ImageStore | null = null;
  try {
    if (identity.image === null) {
      return { image, damage: null, tree: new DataTree(limits), base: founding };
    }
    image = await ports.images.open(`${directory}/${identity.image}`, { create: false });
    const { tree, meta } = await loadImage(image, limits, ports.clock);
    if (meta !== null) refuseForeign(meta, identity);
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
      readOnlyFiles(ports.files),
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
      losses.push(`the log is damaged behind ${log.lastIndex}: ${damageText(damage)}`);
    }
    return log;
  } catch (error) {
    if (!isDamage(error)) throw error;
    losses.push(`nothing of the log can be read: ${error.text}`);
    return null;
  }
}

/** What follows `base` without a gap, as far as it can be read. */
async function salvageEntries(
  base: SnapshotMeta,
  log: WriteAheadLog,
  identity: Identity,
  losses: string[],
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  try {
    if (await goesOnFrom(base, log)) {
      for await (const slice of entriesAfter(base, log)) {
        for (const entry of slice) entries.push(entry);
      }
    } else if (log.firstIndex > base.index + 1 || log.sequence !== identity.logSequence) {
      // Else a snapshot was put in force and the process ended before the log could say so: then nothing was written since.
      losses.push(gapBetween(base, log));
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
