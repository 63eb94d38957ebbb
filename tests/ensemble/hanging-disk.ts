import type { ServerPorts } from "@quorate/server";
import { withWrites } from "../support/faulty-files.ts";

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
