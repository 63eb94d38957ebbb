import type { Files, OpenFile } from "../ports.ts";

/** A file system in memory, with faults. */
export declare class MemoryFiles implements Files {
  constructor(options?: { readonly seed?: number; readonly bytesMax?: number });
  makeDirectory(path: string): Promise<void>;
  list(path: string): Promise<readonly string[]>;
  readWhole(path: string): Promise<Uint8Array | null>;
  open(path: string, options: { readonly create: boolean; readonly durable: boolean }): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  space(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
  /** The machine loses power: what was not made durable is lost, kept or torn; all handles are dead. */
  crash(): void;
}
