import { setTimeout as pause } from "node:timers/promises";
import type { ServerPorts } from "@quorate/server";

/** The disks of several nodes, one of which can be made to hang: what is written to it waits until it goes on. */
export class HangingDisk {
  #hung = -1;
  #until: Promise<void> = Promise.resolve();
  #goOn = (): void => {};

  /** The ports of the node at that place. */
  readonly adapt = (ports: ServerPorts, at: number): ServerPorts =>
    withWrites(ports, async () => {
      if (at === this.#hung) await this.#until;
    });

  hang(at: number): void {
    this.#hung = at;
    this.#until = new Promise((resolve) => {
      this.#goOn = resolve;
    });
  }

  goOn(): void {
    this.#hung = -1;
    this.#goOn();
  }
}

/** Disks of all nodes, which take that long for a write. */
export class SlowDisks {
  writeMs = 0;

  readonly adapt = (ports: ServerPorts): ServerPorts =>
    withWrites(ports, async () => {
      if (this.writeMs > 0) await pause(this.writeMs);
    });
}

/** The same ports, but a write of a file waits for `before`. */
function withWrites(ports: ServerPorts, before: () => Promise<void>): ServerPorts {
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
