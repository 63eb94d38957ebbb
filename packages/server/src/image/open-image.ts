import type { ImageStore, ServerPorts } from "../ports.ts";
import { IMAGE_PREFIX } from "../storage/data-directory.ts";
import type { IdentityFile } from "../storage/identity.ts";
import { refuseTakenOver } from "../storage/read-identity.ts";

/** Opens the image that the identity names, or makes the first one, and takes away all others. */
export async function openImage(
  ports: ServerPorts,
  directory: string,
  identity: IdentityFile,
): Promise<{ readonly image: ImageStore; readonly imageName: string }> {
  const known = identity.current.image;
  if (known === null) {
    await refuseTakenOver(ports.files, directory, identity);
    await removeOtherImages(ports, directory, known);
  }
  const imageName = known ?? `${IMAGE_PREFIX}1`;
  const path = `${directory}/${imageName}`;
  // Open, it is locked: what another process is about to receive is not taken away from it.
  const image = await ports.images.open(path, { create: known === null });
  try {
    // It was read before anything was locked: what another process has written since is not written over.
    await refuseTakenOver(ports.files, directory, identity);
    await identity.makeDurable();
    if (known !== null) {
      await removeOtherImages(ports, directory, known);
    } else {
      await ports.files.syncDirectory(directory);
      await identity.update({ image: imageName });
    }
  } catch (error) {
    await image.close();
    throw error;
  }
  return { image, imageName };
}

/** Images that were not in force when the process ended: received in part, or replaced. */
async function removeOtherImages(
  ports: ServerPorts,
  directory: string,
  known: string | null,
): Promise<void> {
  for (const name of await ports.files.list(directory)) {
    if (name.startsWith(IMAGE_PREFIX) && name !== known) {
      await ports.files.remove(`${directory}/${name}`);
    }
  }
}
