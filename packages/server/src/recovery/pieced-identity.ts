import { logIndex, nodeId, term } from "@quorate/raft";
import { isDamage, ServerError } from "../errors.ts";
import { loadImage } from "../image/image-loader.ts";
import { encodeImageMeta, type ImageMeta } from "../image/image-meta.ts";
import { memberById } from "../membership/formation.ts";
import type { Files, ServerPorts } from "../ports.ts";
import { replicatedLimits, type ReplicatedLimits } from "../replicated-limits.ts";
import { withDamagingReads } from "../storage/damaging-reads.ts";
import { IMAGE_PREFIX, LOG_DIRECTORY, imageNumber } from "../storage/data-directory.ts";
import { newIdentity } from "../storage/identity.ts";
import { TAG_BYTES, type SegmentHeader } from "../storage/log-format.ts";
import type { FormedIdentity } from "../storage/read-identity.ts";
import { readOnlyFiles } from "../storage/read-only-files.ts";
import { readSegmentHeader, segmentNames } from "../storage/segment-files.ts";

/** Where neither image nor log says it. */
const UNKNOWN_NAME = "unknown";

interface NewestImage {
  readonly name: string;
  readonly meta: ImageMeta;
  readonly limits: ReplicatedLimits;
}

/**
 * What image and log say of whose they are, for when the identity is damaged or lost (`lost`) and all that is left has to do.
 * What the node had promised beyond them is not in it. Rejects with a `ServerError`: the code of `lost` where no whole image
 * says of what ensemble it is, STORAGE_LOCKED while the node runs, and with what is no damage.
 */
export async function pieceIdentity(
  ports: ServerPorts,
  directory: string,
  lost: ServerError,
): Promise<FormedIdentity> {
  const newest = await newestWholeImage(ports, directory);
  if (newest === null) {
    const text = `${lost.text}, and no whole image says of what ensemble it is`;
    throw new ServerError(lost.code, text, lost);
  }
  const { clusterId, historyId, snapshot } = newest.meta;
  const header = await anyHeader(ports, `${directory}/${LOG_DIRECTORY}`);
  const id = header?.nodeId ?? nodeId(1);
  const known = header === null ? undefined : memberById(snapshot.membership, id);
  const formation = { ...snapshot, index: logIndex(0), term: term(0) };
  const name = known?.name ?? UNKNOWN_NAME;
  return {
    ...newIdentity({ nodeId: id, name, logTag: header?.tag ?? new Uint8Array(TAG_BYTES) }),
    clusterId,
    historyId,
    formation: encodeImageMeta({ clusterId, historyId, snapshot: formation }),
    limits: newest.limits,
    hardState: { term: snapshot.term, votedFor: null },
    hasVoted: true,
    image: newest.name,
    // Where there is none any more, that is a loss.
    logStarted: true,
  };
}

/** It is read once more when it is used: that it is whole has to be known before. Null: none is, or none was ever written to. */
async function newestWholeImage(
  ports: ServerPorts,
  directory: string,
): Promise<NewestImage | null> {
  const names = (await ports.files.list(directory)).filter((name) => name.startsWith(IMAGE_PREFIX));
  for (const name of names.sort((a, b) => imageNumber(b) - imageNumber(a))) {
    const found = await wholeImage(ports, directory, name);
    if (found !== null) return found;
  }
  return null;
}

async function wholeImage(
  ports: ServerPorts,
  directory: string,
  name: string,
): Promise<NewestImage | null> {
  try {
    const image = await ports.images.open(`${directory}/${name}`, { create: false });
    try {
      const { tree, meta } = await loadImage(image, null, ports.clock);
      return meta === null ? null : { name, meta, limits: replicatedLimits(tree.limits) };
    } finally {
      await image.close();
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
    return null;
  }
}

/** All segments of a log say whose it is. Null: none can be read. */
async function anyHeader(ports: ServerPorts, directory: string): Promise<SegmentHeader | null> {
  const files = withDamagingReads(readOnlyFiles(ports.files), "LOG_CORRUPT");
  try {
    for (const name of await segmentNames(files, directory)) {
      const header = await headerOf(files, `${directory}/${name}`);
      if (header !== null) return header;
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  return null;
}

/** Null: it is damaged. */
async function headerOf(files: Files, path: string): Promise<SegmentHeader | null> {
  try {
    const decoded = await readSegmentHeader(files, path);
    return decoded.kind === "header" ? decoded.header : null;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return null;
  }
}
