import { loadBackup } from "../backup/verify-backup.ts";
import type { ImageStore, ServerPorts } from "../ports.ts";
import {
  foundEnsemble,
  type FoundedEnsemble,
  type FoundingOptions,
  type FoundingState,
} from "./found-ensemble.ts";
import { ImageWriter } from "./image-writer.ts";

/**
 * Founds an ensemble of one node on a backup, which is verified while it is read. Rejects with a `ServerError`:
 * DIRECTORY_IN_USE, CONFIG_INVALID where the directory can be none, BACKUP_DAMAGED, FORMAT_UNKNOWN, STORAGE_FAILED, STORAGE_FULL;
 * the directory is then as it was.
 */
export function restoreBackup(
  ports: ServerPorts,
  backup: AsyncIterable<Uint8Array>,
  target: Pick<FoundingOptions, "directory" | "member">,
): Promise<FoundedEnsemble> {
  return foundEnsemble(ports, { ...target, fill: (image) => copyBackup(backup, image) });
}

async function copyBackup(
  backup: AsyncIterable<Uint8Array>,
  image: ImageStore,
): Promise<FoundingState> {
  const writer = new ImageWriter(image);
  const { tree, meta } = await loadBackup(backup, (records) => writer.add(records));
  await writer.finish();
  const { clusterId, snapshot } = meta;
  return { tree, clusterId, index: snapshot.index, term: snapshot.term };
}
