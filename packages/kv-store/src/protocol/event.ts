import type { Zxid } from "./ids.ts";
import type { Stat } from "./stat.ts";

/** What can happen to a znode. */
export const EVENT_KINDS = ["created", "deleted", "dataChanged", "childrenChanged"] as const;
/** One of {@link EVENT_KINDS}. */
export type EventKind = (typeof EVENT_KINDS)[number];

/**
 * `persistent`: the znode's own events and `childrenChanged` for its direct children. `recursive`: created, deleted and
 * dataChanged of the znode and everything below, no childrenChanged. ZooKeeper Programmer's Guide, "Watches".
 */
export const WATCH_MODES = ["persistent", "recursive"] as const;
/** One of {@link WATCH_MODES}. */
export type WatchMode = (typeof WATCH_MODES)[number];

/** One change, as a watch delivers it. */
export interface WatchEvent {
  readonly zxid: Zxid;
  readonly kind: EventKind;
  readonly path: string;
  /** Only for watches that asked for data, and for created and dataChanged. State right after the change. */
  readonly data?: Uint8Array;
  readonly stat?: Stat;
}
