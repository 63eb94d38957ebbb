import { assert } from "./assert.ts";
import { ByteSlab } from "./byte-slab.ts";
import { ChangeLog } from "./change-log.ts";
import { DigestSum, Hasher, ITEM } from "./digest.ts";
import { DirtyList } from "./dirty-list.ts";
import type { TreeLimits } from "./limits.ts";
import { PathMap } from "./path-map.ts";
import { checkPath, type ErrorCode, type Stat, type Zxid, zxid } from "./protocol/index.ts";
import { SessionTable } from "./session-table.ts";
import { sessionImage, type Session, type SessionImage } from "./session.ts";
import {
  hashZnode,
  makeZnode,
  znodeBytes,
  type Znode,
  znodeImage,
  type ZnodeImage,
} from "./znode.ts";

/** The one mutable record behind a `DataTree`. */
export interface TreeState {
  readonly limits: TreeLimits;
  readonly nodes: PathMap<Znode>;
  readonly sessions: SessionTable;
  readonly changeLog: ChangeLog;
  readonly digest: DigestSum;
  readonly hasher: Hasher;
  readonly dirtyNodes: DirtyList<Znode, ZnodeImage>;
  readonly dirtySessions: DirtyList<Session, SessionImage>;
  /** Data of new znodes, which tend to stay, and of changed ones, which tend to change again: they share no slab. */
  readonly createdBytes: ByteSlab;
  readonly changedBytes: ByteSlab;
  bytes: number;
  /** Remembered replies of all sessions. */
  replyCount: number;
  /** Their bytes beyond what is each session's own, see `reply-room.ts`. */
  commonReplyBytes: number;
  lastZxid: Zxid | 0;
  clockMs: number;
  /** A checkpoint is under way. */
  isFrozen: boolean;
}

const NO_DATA = new Uint8Array(0);

const ROOT_STAT: Stat = {
  czxid: zxid(0),
  mzxid: zxid(0),
  pzxid: zxid(0),
  ctimeMs: 0,
  mtimeMs: 0,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0,
  dataBytes: 0,
  childCount: 0,
};

/** A state with nothing in it, not even "/". */
export function blankState(limits: TreeLimits, changeLog: ChangeLog): TreeState {
  return {
    limits,
    nodes: new PathMap(),
    sessions: new SessionTable(),
    changeLog,
    digest: new DigestSum(),
    hasher: new Hasher(),
    dirtyNodes: new DirtyList(znodeImage),
    dirtySessions: new DirtyList(sessionImage),
    createdBytes: new ByteSlab(),
    changedBytes: new ByteSlab(),
    bytes: 0,
    replyCount: 0,
    commonReplyBytes: 0,
    lastZxid: 0,
    clockMs: 0,
    isFrozen: false,
  };
}

/** A change log with nothing in it. `oldestZxid`: of the image it continues; 0 for a new history. */
export function newChangeLog(limits: TreeLimits, oldestZxid: Zxid | 0 = 0): ChangeLog {
  const bounds = {
    bytesMax: limits.changeLogBytesMax,
    countMax: limits.changeLogCountMax,
    imagedCountMax: limits.changeLogImagedMax,
    imagedBytesMax: limits.changeLogImagedBytesMax,
  };
  return new ChangeLog(bounds, oldestZxid);
}

/** The state before the first entry: "/" alone. */
export function newState(limits: TreeLimits): TreeState {
  const state = blankState(limits, newChangeLog(limits));
  const image = { data: NO_DATA, stat: ROOT_STAT, created: 0, contenderFormat: null };
  const root = makeZnode("/", null, image);
  enterZnode(state, root);
  state.dirtyNodes.add(root);
  assert(state.nodes.size === 1, "nothing_but_the_root_at_first");
  return state;
}

/** Puts a complete znode into map, sum and count; its parent learns of it elsewhere. False if its path is taken. */
export function enterZnode(state: TreeState, node: Znode): boolean {
  assert(node.mark === null, "entered_znodes_are_clean");
  assert(node.data.length === node.stat.dataBytes, "data_bytes_counted");
  if (!state.nodes.add(node.path, node)) return false;
  hashZnode(state.hasher, node);
  state.digest.add(node.sumA, node.sumB);
  state.bytes += znodeBytes(node.path, node.data.length);
  return true;
}

/** Why there is no znode at `path`. */
export function whyMissing(path: string): ErrorCode {
  return checkPath(path) ?? "NO_NODE";
}

/** What the digest covers beside the items of the sum. */
export interface DigestBase {
  readonly hasher: Hasher;
  readonly clockMs: number;
  readonly limits: Pick<TreeLimits, "bytesMax" | "sessionsMax" | "sessionEphemeralsMax">;
}

/** 16 hex digits over everything replicated; `sum` holds znodes, sessions and replies. */
export function renderDigest(state: DigestBase, sum: DigestSum): string {
  const { hasher, limits } = state;
  assert(state.clockMs >= 0, "clock_from_zero");
  hasher.begin(ITEM.base);
  hasher.number(state.clockMs);
  hasher.number(limits.bytesMax);
  hasher.number(limits.sessionsMax);
  hasher.number(limits.sessionEphemeralsMax);
  hasher.end();
  return sum.render(hasher.a, hasher.b);
}
