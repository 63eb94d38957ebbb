import { systemError } from "../../packages/server/src/memory/system-error.ts";
import type { OpenFile, ServerPorts } from "../../packages/server/src/ports.ts";
import { fileError } from "../../packages/server/src/storage/file-error.ts";

type Files = ServerPorts["files"];

/** The same files, but these operations are the test's. */
export function changedFiles(files: Files, changes: Partial<Files>): Files {
  return {
    makeDirectory: (path) => files.makeDirectory(path),
    list: (path) => files.list(path),
    readWhole: (path) => files.readWhole(path),
    open: (path, options) => files.open(path, options),
    rename: (from, to) => files.rename(from, to),
    remove: (path) => files.remove(path),
    syncDirectory: (path) => files.syncDirectory(path),
    space: (path) => files.space(path),
    ...changes,
  };
}

/** The same ports, but these operations on files are the test's. */
export function withFiles(ports: ServerPorts, changes: Partial<Files>): ServerPorts {
  return { ...ports, files: changedFiles(ports.files, changes) };
}

/** The same ports, but files of which `isSuch` behave as the test says. */
function withFile(
  ports: ServerPorts,
  isSuch: (path: string) => boolean,
  changed: (file: OpenFile, path: string) => Partial<OpenFile>,
): ServerPorts {
  return withFiles(ports, {
    open: async (path, options) => {
      const file = await ports.files.open(path, options);
      if (!isSuch(path)) return file;
      return {
        size: () => file.size(),
        read: (position, length) => file.read(position, length),
        write: (position, bytes) => file.write(position, bytes),
        sync: () => file.sync(),
        close: () => file.close(),
        ...changed(file, path),
      };
    },
  });
}

/** The same ports, but a write of a file waits for `before`. */
export function withWrites(ports: ServerPorts, before: () => Promise<void>): ServerPorts {
  return withFile(
    ports,
    () => true,
    (file) => ({
      write: async (position, bytes) => {
        await before();
        await file.write(position, bytes);
      },
    }),
  );
}

/** The same ports, but the medium gives nothing of one file back. */
export function withUnreadable(ports: ServerPorts, broken: string): ServerPorts {
  return withFile(
    ports,
    (path) => path === broken,
    (_file, path) => ({ read: () => Promise.reject(fileError("read", path, systemError("EIO"))) }),
  );
}
