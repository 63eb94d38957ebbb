import { ServerError } from "../errors.ts";
import type { ServerPorts } from "../ports.ts";
import { loadIdentity } from "../storage/identity.ts";
import { loadImage } from "./image-loader.ts";

/** What the image of a stopped node holds, after all of it was read and found whole. */
export interface ImageSummary {
  /** Folder of the image inside the data directory. */
  readonly image: string;
  /** Revision it stands at; 0 before the first checkpoint. */
  readonly zxid: number;
  readonly term: number;
  readonly znodes: number;
  readonly sessions: number;
  /** Of everything in it, recomputed from the records. */
  readonly digest: string;
}

/**
 * Reads the image of a stopped node, whatever its limits: every record's checksum, the counts and the digest. Rejects with a `ServerError`:
 * IDENTITY_LOST where there is no node, STORAGE_LOCKED while it runs, IMAGE_CORRUPT or FORMAT_UNKNOWN for what is wrong.
 */
export async function verifyImage(
  ports: ServerPorts,
  dataDirectory: string,
): Promise<ImageSummary> {
  const identity = await loadIdentity(ports.files, dataDirectory);
  if (identity === null) {
    throw new ServerError("IDENTITY_LOST", `${dataDirectory} is no node's data directory`);
  }
  const { image } = identity.current;
  await identity.close();
  if (image === null) throw new ServerError("IMAGE_CORRUPT", "the node has no image yet");
  const store = await ports.images.open(`${dataDirectory}/${image}`, { create: false });
  try {
    const { tree, meta } = await loadImage(store, null, ports.clock);
    return {
      image,
      zxid: meta?.snapshot.index ?? 0,
      term: meta?.snapshot.term ?? 0,
      znodes: tree.nodeCount,
      sessions: tree.sessionCount,
      digest: tree.recomputeDigest(),
    };
  } finally {
    await store.close();
  }
}
