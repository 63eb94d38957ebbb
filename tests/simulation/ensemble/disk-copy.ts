import type { NodeId } from "@quorate/raft";
import type { Storage } from "./rot.ts";

/** A disk as it was once. */
export interface DiskCopy extends Storage {
  /** Whose it was. */
  readonly id: NodeId | null;
  /** Where the membership that was in force stands in the log. */
  readonly members: number;
}
