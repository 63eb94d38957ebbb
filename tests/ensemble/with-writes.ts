import type { ServerPorts } from "@quorate/server";

/** The same ports, but a write of a file waits for what the test says first. */
export function withWrites(ports: ServerPorts, before: () => Promise<void>): ServerPorts {
  const { files } = ports;
  return {
    ...ports,
    files: {
      makeDirectory: (path) => files.makeDirectory(path),
      list: (path) => files.list(path),
      readWhole: (path) => files.readWhole(path),
      open: async (path, options) => {
        const file = await files.open(path, options);
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
      rename: (from, to) => files.rename(from, to),
      remove: (path) => files.remove(path),
      syncDirectory: (path) => files.syncDirectory(path),
      space: (path) => files.space(path),
    },
  };
}
