import { ServerError } from "../errors.ts";
import type { ServerPorts } from "../ports.ts";
import { readIdentity } from "../storage/read-identity.ts";
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
 * NOTHING_STORED where there is no node or no image, STORAGE_LOCKED while it runs, IDENTITY_DAMAGED, IMAGE_CORRUPT or FORMAT_UNKNOWN for
 * what is wrong. LevelDB writes to the image's directory, though it holds the same afterwards.
 */
export async function verifyImage(
  ports: ServerPorts,
  dataDirectory: string,
): Promise<ImageSummary> {
  const { image } = await readIdentity(ports.files, dataDirectory);
  if (image === null) {
    throw new ServerError("NOTHING_STORED", `${dataDirectory} holds no image yet`);
  }
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
