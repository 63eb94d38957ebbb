import type { MemoryNetwork } from "../../../packages/server/src/transport/memory-transport.ts";

/** Who cannot reach whom. The same direction may be blocked for several reasons at once. */
export class Cuts {
  readonly #network: MemoryNetwork;
  readonly #counts = new Map<string, number>();

  constructor(network: MemoryNetwork) {
    this.#network = network;
  }

  blockOneWay(from: string, to: string): void {
    const key = `${from} ${to}`;
    const count = this.#counts.get(key) ?? 0;
    this.#counts.set(key, count + 1);
    if (count === 0) this.#network.block(from, to);
  }

  unblockOneWay(from: string, to: string): void {
    const key = `${from} ${to}`;
    const count = this.#counts.get(key) ?? 0;
    if (count === 0) return;
    this.#counts.set(key, count - 1);
    if (count === 1) this.#network.unblock(from, to);
  }

  block(a: string, b: string): void {
    this.blockOneWay(a, b);
    this.blockOneWay(b, a);
  }

  unblock(a: string, b: string): void {
    this.unblockOneWay(a, b);
    this.unblockOneWay(b, a);
  }

  /** Everybody reaches everybody. */
  heal(): void {
    for (const [key, count] of this.#counts) {
      const [from = "", to = ""] = key.split(" ");
      if (count > 0) this.#network.unblock(from, to);
    }
    this.#counts.clear();
  }
}
