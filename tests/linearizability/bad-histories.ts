import {
  SAW_NOTHING,
  UNKNOWN,
  compareAndSet,
  create,
  failed,
  get,
  remove,
  saw,
  set,
} from "./history-builder.ts";
import type { OperationRecord } from "./history.ts";

/** A history no register explains. All begin with value "0" at version 0, unless `startsAbsent`. */
export interface BadHistory {
  readonly anomaly: string;
  readonly operations: readonly OperationRecord[];
  readonly startsAbsent?: true;
}

const STALE_READS: readonly BadHistory[] = [
  {
    anomaly: "stale read: a write that was answered is not seen",
    operations: [set([1, 0, 10], "a", 1), get([2, 11, 20], saw("0", 0))],
  },
  {
    anomaly: "stale read of one's own write",
    operations: [set([1, 0, 10], "a", 1), get([1, 11, 20], saw("0", 0))],
  },
  {
    anomaly: "stale read: two writes back",
    operations: [
      set([1, 0, 10], "a", 1),
      set([1, 11, 20], "b", 2),
      set([1, 21, 30], "c", 3),
      get([2, 31, 40], saw("a", 1)),
    ],
  },
  {
    anomaly: "stale read beside a newer write that is still open",
    operations: [set([1, 0, 10], "a", 1), set([1, 11, 50], "b", 2), get([2, 20, 30], saw("0", 0))],
  },
  {
    anomaly: "stale read by a reader that overlaps only the second write",
    operations: [set([1, 0, 10], "a", 1), set([3, 12, 40], "b", 2), get([2, 15, 45], saw("0", 0))],
  },
  {
    anomaly: "stale absence: a created znode is not there",
    startsAbsent: true,
    operations: [create([1, 0, 10], "a", 0), get([2, 11, 20], SAW_NOTHING)],
  },
  {
    anomaly: "stale presence: a deleted znode is still read",
    operations: [remove([1, 0, 10]), get([2, 11, 20], saw("0", 0))],
  },
  {
    anomaly: "stale read after a successful compare-and-set",
    operations: [compareAndSet([1, 0, 10], 0, "a", 1), get([2, 11, 20], saw("0", 0))],
  },
];

const TIME_TRAVEL: readonly BadHistory[] = [
  {
    anomaly: "non-monotonic: one reader sees new, then old",
    operations: [
      set([1, 0, 100], "a", 1),
      get([2, 10, 20], saw("a", 1)),
      get([2, 30, 40], saw("0", 0)),
    ],
  },
  {
    anomaly: "non-monotonic across readers: the later one sees the older value",
    operations: [
      set([1, 0, 100], "a", 1),
      get([2, 10, 20], saw("a", 1)),
      get([3, 30, 40], saw("0", 0)),
    ],
  },
  {
    anomaly: "new-old inversion during an unknown write",
    operations: [
      set([1, 0, 0], "a", UNKNOWN),
      get([2, 10, 20], saw("a", 1)),
      get([3, 30, 40], saw("0", 0)),
    ],
  },
  {
    anomaly: "read from the future: the value is read before its write is called",
    operations: [get([2, 0, 10], saw("a", 1)), set([1, 11, 20], "a", 1)],
  },
  {
    anomaly: "two readers see two concurrent writes in opposite orders",
    operations: [
      set([1, 0, 100], "a", 1),
      set([2, 0, 100], "b", 2),
      get([3, 10, 20], saw("a", 1)),
      get([3, 30, 40], saw("b", 2)),
      get([4, 50, 60], saw("a", 1)),
    ],
  },
  {
    anomaly: "the value flips back after a concurrent write was seen",
    operations: [
      set([1, 0, 100], "a", 1),
      get([2, 10, 20], saw("0", 0)),
      get([2, 30, 40], saw("a", 1)),
      get([2, 50, 60], saw("0", 0)),
    ],
  },
  {
    anomaly: "a deleted znode comes back without a create",
    operations: [remove([1, 0, 10]), get([2, 11, 20], SAW_NOTHING), get([2, 21, 30], saw("0", 0))],
  },
];

const LOST_UPDATES: readonly BadHistory[] = [
  {
    anomaly: "lost update: two plain writes take the same version",
    operations: [set([1, 0, 10], "a", 1), set([2, 11, 20], "b", 1)],
  },
  {
    anomaly: "lost update: two concurrent writes take the same version",
    operations: [set([1, 0, 50], "a", 1), set([2, 0, 50], "b", 1)],
  },
  {
    anomaly: "lost update: two compare-and-sets win on one version",
    operations: [
      compareAndSet([1, 0, 50], 0, "a", 1),
      compareAndSet([2, 0, 50], 0, "b", 1),
      get([3, 60, 70], saw("b", 1)),
    ],
  },
  {
    anomaly: "lost update: an answered write is gone after a later one",
    operations: [set([1, 0, 10], "a", 1), set([2, 11, 20], "b", 2), get([3, 21, 30], saw("a", 2))],
  },
  {
    anomaly: "lost update: the last answered write is missing at the end",
    operations: [set([1, 0, 10], "a", 1), set([2, 11, 20], "b", 2), get([3, 30, 40], saw("a", 1))],
  },
  {
    anomaly: "lost update: the version rose but the value is the old one",
    operations: [set([1, 0, 10], "a", 1), get([2, 11, 20], saw("0", 1))],
  },
  {
    anomaly: "lost create: a second create of the same znode succeeds",
    startsAbsent: true,
    operations: [create([1, 0, 10], "a", 0), create([2, 11, 20], "b", 0)],
  },
  {
    anomaly: "everything lost: the register is back at its beginning",
    operations: [
      set([1, 0, 10], "a", 1),
      set([1, 11, 20], "b", 2),
      get([2, 30, 40], saw("0", 0)),
      set([2, 41, 50], "c", 1),
    ],
  },
];

const DUPLICATES: readonly BadHistory[] = [
  {
    anomaly: "duplicate application: one write raises the version by two",
    operations: [set([1, 0, 10], "a", 1), get([2, 11, 20], saw("a", 2))],
  },
  {
    anomaly: "duplicate application: the answer names the second application",
    operations: [set([1, 0, 10], "a", 2), get([2, 11, 20], saw("a", 2))],
  },
  {
    anomaly: "duplicate application of an unknown write, before and after another",
    operations: [
      set([1, 0, 0], "a", UNKNOWN),
      get([2, 1, 5], saw("a", 1)),
      set([2, 6, 10], "b", 2),
      get([2, 11, 20], saw("a", 3)),
    ],
  },
  {
    anomaly: "duplicate application: a retried write overwrites a later one",
    operations: [set([1, 0, 10], "a", 1), set([2, 11, 20], "b", 2), get([3, 21, 30], saw("a", 3))],
  },
  {
    anomaly: "duplicate application of a compare-and-set",
    operations: [compareAndSet([1, 0, 10], 0, "a", 1), get([2, 11, 20], saw("a", 2))],
  },
  {
    anomaly: "duplicate delete: it goes through twice",
    operations: [remove([1, 0, 10]), remove([2, 11, 20])],
  },
  {
    anomaly: "duplicate create: the retry destroys what was written after it",
    startsAbsent: true,
    operations: [
      create([1, 0, 10], "a", 0),
      set([2, 11, 20], "b", 1),
      get([2, 21, 30], saw("a", 0)),
    ],
  },
];

const DIRTY_READS: readonly BadHistory[] = [
  {
    anomaly: "dirty read: a value nobody wrote",
    operations: [set([1, 0, 10], "a", 1), get([2, 11, 20], saw("x", 1))],
  },
  {
    anomaly: "dirty read: the value of a write that was refused",
    operations: [set([1, 0, 10], "a", failed("OVERLOADED")), get([2, 5, 20], saw("a", 1))],
  },
  {
    anomaly: "failed operation visible: a refused write shows later",
    operations: [set([1, 0, 10], "a", failed("NOT_READY")), get([2, 30, 40], saw("a", 1))],
  },
  {
    anomaly: "failed operation visible: BAD_VERSION, yet it took effect",
    operations: [
      set([2, 0, 5], "b", 1),
      compareAndSet([1, 6, 10], 0, "a", failed("BAD_VERSION")),
      get([2, 11, 20], saw("a", 2)),
    ],
  },
  {
    anomaly: "failed operation visible: NODE_EXISTS, yet the data is the refused one",
    operations: [create([1, 0, 10], "a", failed("NODE_EXISTS")), get([2, 11, 20], saw("a", 0))],
  },
  {
    anomaly: "failed operation visible: a refused delete deleted",
    operations: [remove([1, 0, 10], failed("OVERLOADED")), get([2, 11, 20], SAW_NOTHING)],
  },
  {
    anomaly: "dirty read: seen by one, rolled back for the next",
    operations: [
      set([1, 0, 100], "a", failed("OVERLOADED")),
      get([2, 10, 20], saw("a", 1)),
      get([2, 30, 40], saw("0", 0)),
    ],
  },
  {
    anomaly: "mixed read: the value of one write under the version of another",
    operations: [set([1, 0, 50], "a", 1), set([2, 0, 50], "b", 2), get([3, 60, 70], saw("a", 2))],
  },
];

const WRONG_CONDITIONS: readonly BadHistory[] = [
  {
    anomaly: "compare-and-set succeeds on a version long gone",
    operations: [
      set([1, 0, 10], "a", 1),
      set([1, 11, 20], "b", 2),
      compareAndSet([2, 21, 30], 0, "c", 3),
    ],
  },
  {
    anomaly: "compare-and-set succeeds on a version not yet there",
    operations: [compareAndSet([1, 0, 10], 1, "a", 2), set([2, 11, 20], "b", 3)],
  },
  {
    anomaly: "compare-and-set fails although nobody wrote in between",
    operations: [compareAndSet([1, 0, 10], 0, "a", failed("BAD_VERSION"))],
  },
  {
    anomaly: "both of two rival compare-and-sets fail",
    operations: [
      compareAndSet([1, 0, 50], 0, "a", failed("BAD_VERSION")),
      compareAndSet([2, 0, 50], 0, "b", failed("BAD_VERSION")),
      get([3, 60, 70], saw("0", 0)),
    ],
  },
  {
    anomaly: "a chain of compare-and-sets with the same base twice",
    operations: [
      compareAndSet([1, 0, 10], 0, "a", 1),
      compareAndSet([2, 11, 20], 1, "b", 2),
      compareAndSet([1, 21, 30], 1, "c", 2),
    ],
  },
  {
    anomaly: "delete of a version succeeds after the version changed",
    operations: [set([1, 0, 10], "a", 1), remove([2, 11, 20], SAW_NOTHING, 0)],
  },
  {
    anomaly: "write to a znode that was deleted before it was called",
    operations: [remove([1, 0, 10]), set([2, 11, 20], "a", 1)],
  },
  {
    anomaly: "NO_NODE for a znode that nobody deleted",
    operations: [set([1, 0, 10], "a", failed("NO_NODE"))],
  },
  {
    anomaly: "NODE_EXISTS where no znode ever was",
    startsAbsent: true,
    operations: [create([1, 0, 10], "a", failed("NODE_EXISTS"))],
  },
  {
    anomaly: "version restarts although the znode was never deleted",
    operations: [set([1, 0, 10], "a", 1), set([1, 11, 20], "b", 2), set([2, 21, 30], "c", 1)],
  },
  {
    anomaly: "version goes on after a delete and a create",
    operations: [
      set([1, 0, 10], "a", 1),
      remove([1, 11, 20]),
      create([1, 21, 30], "b", 0),
      set([2, 31, 40], "c", 2),
    ],
  },
  {
    anomaly: "version skips without a write that could explain it",
    operations: [set([1, 0, 10], "a", 1), set([1, 11, 20], "b", 3)],
  },
  {
    anomaly: "an unknown write cannot explain two skipped versions",
    operations: [set([1, 0, 0], "a", UNKNOWN), set([2, 5, 10], "b", 1), set([2, 11, 20], "c", 4)],
  },
  {
    anomaly: "an unknown write shows before it was called",
    operations: [get([2, 0, 5], saw("a", 1)), set([1, 10, 0], "a", UNKNOWN)],
  },
];

/** By anomaly class; every one must be found. */
export const BAD_HISTORIES: readonly BadHistory[] = [
  ...STALE_READS,
  ...TIME_TRAVEL,
  ...LOST_UPDATES,
  ...DUPLICATES,
  ...DIRTY_READS,
  ...WRONG_CONDITIONS,
];
