import { ServerError, isDamage } from "../errors.ts";
import type { Files } from "../ports.ts";
import { isMediumError } from "./file-error.ts";

/** Of reading: the medium does not give it back, whether the files are those of {@link withDamagingReads} or not. */
export function isNotGivenBack(error: unknown): error is ServerError {
  return isMediumError(error) || isDamage(error);
}

/**
 * The same files, but what the medium does not give back is damage: reading it fails with `damage`. A write that the medium
 * does not take says nothing of what is stored, and fails as before.
 */
export function withDamagingReads(
  files: Files,
  damage: "LOG_CORRUPT" | "IMAGE_CORRUPT" | "IDENTITY_DAMAGED",
): Files {
  const reading = async <T>(read: () => Promise<T>): Promise<T> => {
    try {
      return await read();
    } catch (error) {
      throw isMediumError(error) ? new ServerError(damage, error.text, error) : error;
    }
  };
  return {
    makeDirectory: (path) => files.makeDirectory(path),
    list: (path) => reading(() => files.list(path)),
    readWhole: (path) => reading(() => files.readWhole(path)),
    open: async (path, options) => {
      const open = (): ReturnType<Files["open"]> => files.open(path, options);
      const file = await (options.create ? open() : reading(open));
      return {
        size: () => reading(() => file.size()),
        read: (position, length) => reading(() => file.read(position, length)),
        write: (position, bytes) => file.write(position, bytes),
        sync: () => file.sync(),
        close: () => file.close(),
      };
    },
    rename: (from, to) => files.rename(from, to),
    remove: (path) => files.remove(path),
    syncDirectory: (path) => files.syncDirectory(path),
    space: (path) => files.space(path),
  };
}
