import { assert } from "../assert.ts";
import { reached } from "../points.ts";
import {
  checkPath,
  type ErrorCode,
  fencingToken,
  joinPath,
  parentOf,
  type WriteOp,
  type WriteReply,
} from "../protocol/index.ts";
import type { Transaction } from "../transaction.ts";
import { znodeBytes, type Znode } from "../znode.ts";
import { refuseChild, refuseData } from "./create.ts";
import { CONTENDER_PREFIX, SEQUENCE_MAX, sequentialName } from "./sequence.ts";

type AcquireOp = Extract<WriteOp, { kind: "acquire" }>;

const LONGEST_NAME = sequentialName(CONTENDER_PREFIX, SEQUENCE_MAX);
const NO_DATA = new Uint8Array(0);

/**
 * Lines up for a lock: an ephemeral sequential contender in the lock directory, which is created with its parents
 * where it is missing: TOO_LARGE beyond 1,024 parents in one write, whose bytes say little of the work that those are. The
 * contender with the lowest czxid holds the lock, and that czxid is its token.
 */
export function applyAcquire(transaction: Transaction, op: AcquireOp): WriteReply | ErrorCode {
  const refusal = refuseRequest(transaction, op);
  if (refusal !== null) return refusal;
  const { nearest, missing } = findDirectory(transaction, op.path);
  const isThere = missing.length === 0;
  const unfit = isThere ? refuseDirectory(nearest, op.wait) : refuseChild(transaction, nearest);
  if (unfit !== null) return unfit;
  if (!transaction.mayMakeParents(parentsIn(missing))) {
    reached("acquire_refused_too_many_parents");
    return "TOO_LARGE";
  }
  let growth = znodeBytes(joinPath(op.path, LONGEST_NAME), op.data.length);
  for (const path of missing) growth += znodeBytes(path, 0);
  if (!transaction.hasRoom(growth)) {
    reached("acquire_refused_tree_full");
    return "TREE_FULL";
  }
  return lineUp(transaction, op, { nearest, missing });
}

/** The lowest of what is missing is the lock directory, which its op asks for. */
function parentsIn(missing: readonly string[]): number {
  return Math.max(0, missing.length - 1);
}

/** A directory that exists, or the nearest existing znode above it and the paths to create, from the top. */
interface Directory {
  readonly nearest: Znode;
  readonly missing: readonly string[];
}

function refuseRequest(transaction: Transaction, op: AcquireOp): ErrorCode | null {
  if (op.path === "/") return "BAD_ARGUMENTS";
  const invalid = checkPath(op.path) ?? checkPath(joinPath(op.path, LONGEST_NAME));
  if (invalid !== null) return invalid;
  // Both would have the same token.
  if (transaction.hasAcquired(op.path)) {
    reached("lock_acquired_twice_in_one_write");
    return "BAD_ARGUMENTS";
  }
  return refuseData(transaction, op.data, true);
}

function refuseDirectory(directory: Znode, wait: boolean): ErrorCode | null {
  if (directory.stat.ephemeralOwner !== 0) {
    reached("acquire_below_ephemeral");
    return "NO_CHILDREN_FOR_EPHEMERALS";
  }
  const isHeld = directory.stat.childCount > 0;
  if (isHeld && directory.contenderFormat === null) {
    reached("acquire_among_ordinary_children");
    return "LOCK_DIRECTORY";
  }
  if (isHeld && !wait) {
    reached("acquire_refused_lock_held");
    return "LOCK_HELD";
  }
  return directory.created > SEQUENCE_MAX ? "SEQUENCE_EXHAUSTED" : null;
}

function findDirectory(transaction: Transaction, path: string): Directory {
  const { nodes } = transaction.state;
  const missing: string[] = [];
  let at = path;
  let nearest = nodes.get(at);
  while (nearest === undefined) {
    assert(at !== "/", "root_exists");
    missing.push(at);
    at = parentOf(at);
    nearest = nodes.get(at);
  }
  assert(!nearest.isRemoved, "nearest_znode_lives");
  return { nearest, missing: missing.reverse() };
}

function lineUp(transaction: Transaction, op: AcquireOp, where: Directory): WriteReply {
  transaction.noteParentsMade(parentsIn(where.missing));
  let directory = where.nearest;
  for (const path of where.missing) {
    reached("lock_directory_created");
    directory = transaction.create(directory, path, NO_DATA, 0);
  }
  assert(directory.path === op.path, "lock_directory_created");
  transaction.setContenderFormat(directory, "quorate");
  const path = sequentialName(joinPath(op.path, CONTENDER_PREFIX), directory.created);
  const contender = transaction.create(directory, path, op.data, transaction.author);
  const held = directory.children?.first === path;
  if (!held) reached("contender_lined_up_behind_others");
  transaction.noteAcquired(contender, held);
  const token = fencingToken(transaction.zxid);
  assert(contender.stat.czxid === (token as number), "token_is_czxid");
  return { kind: "acquire", contender: path, token, held };
}
