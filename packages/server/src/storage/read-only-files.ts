import type { Files, OpenFile } from "../ports.ts";

/**
 * The same files for who only looks at what a stopped node has: they are opened for reading alone, so none need be writable, and
 * what a node that starts would write - a torn tail cut off, leftovers removed - is left out.
 */
export function readOnlyFiles(files: Files): Files {
  const leftOut = (): Promise<void> => Promise.resolve();
  return {
    makeDirectory: leftOut,
    list: (path) => files.list(path),
    readWhole: (path) => files.readWhole(path),
    open: async (path) => {
      const options = { create: false, durable: false, readOnly: true };
      const file: OpenFile = await files.open(path, options);
      return {
        size: () => file.size(),
        read: (position, length) => file.read(position, length),
        write: leftOut,
        sync: leftOut,
        close: () => file.close(),
      };
    },
    rename: leftOut,
    remove: leftOut,
    syncDirectory: leftOut,
    space: (path) => files.space(path),
  };
}
