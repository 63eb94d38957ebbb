import type { MonotonicClock, Transport } from "../ports.ts";

/** One direction of one connection, for whoever decides when and whether things arrive. */
export interface Delivery {
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
  /** Frames, a close, an acceptance: in the order in which they were sent. */
  readonly kind: "open" | "frame" | "close";
  /** Makes it happen; deliveries of one direction must be made in order. */
  deliver(): void;
}

/** A network between parties of one process. */
export declare class MemoryNetwork {
  constructor(options: { readonly clock: MonotonicClock; readonly schedule?: (delivery: Delivery) => void });
  /** What the party known by `host` uses. */
  transport(host: string): Transport;
  /** Breaks every connection between two hosts: both sides see a close. */
  cut(a: string, b: string): void;
  /** From now on nothing sent from one to the other arrives, and nobody is told. */
  block(from: string, to: string): void;
  unblock(from: string, to: string): void;
  /** Deliveries to and from it wait until it is resumed. */
  pause(host: string): void;
  resume(host: string): void;
}
