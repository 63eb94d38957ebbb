import type { SessionId, Zxid } from "./ids.ts";

/** What is known of a znode beside its data. ZooKeeper Programmer's Guide, "ZooKeeper Stat Structure". */
export interface Stat {
  /** Revision that created it. */
  readonly czxid: Zxid;
  /** Revision of its last data change. */
  readonly mzxid: Zxid;
  /** Revision of the last creation or deletion of a direct child; its own creation before the first. */
  readonly pzxid: Zxid;
  /** Leader's wall clock at creation, ms since 1970. May go backwards between changes: never order by it. */
  readonly ctimeMs: number;
  /** Leader's wall clock at the last data change, ms since 1970. */
  readonly mtimeMs: number;
  /** Number of data changes. */
  readonly version: number;
  /** Number of child creations and deletions. */
  readonly cversion: number;
  /** Number of ACL changes. */
  readonly aversion: number;
  /** Owning session of an ephemeral, else 0. */
  readonly ephemeralOwner: SessionId | 0;
  readonly dataBytes: number;
  readonly childCount: number;
}
