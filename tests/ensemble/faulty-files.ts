import type { ServerPorts } from "@quorate/server";

type Files = ServerPorts["files"];

/** The same ports, but these operations on files are the test's. */
export function withFiles(ports: ServerPorts, changes: Partial<Files>): ServerPorts {
  const { files } = ports;
  return {
    ...ports,
    files: {
      makeDirectory: (path) => files.makeDirectory(path),
      list: (path) => files.list(path),
      readWhole: (path) => files.readWhole(path),
      open: (path, options) => files.open(path, options),
      rename: (from, to) => files.rename(from, to),
      remove: (path) => files.remove(path),
      syncDirectory: (path) => files.syncDirectory(path),
      space: (path) => files.space(path),
      ...changes,
    },
  };
}

/** The same ports, but a write of a file waits for `before`. */
export function withWrites(ports: ServerPorts, before: () => Promise<void>): ServerPorts {
  return withFiles(ports, {
    open: async (path, options) => {
      const file = await ports.files.open(path, options);
      return {
        size: () => file.size(),
        read: (position, length) => file.read(position, length),
        write: async (position, bytes) => {
          await before();
          await file.write(position, bytes);
        },
        sync: () => file.sync(),
        close: () => file.close(),
      };
    },
  });
}
