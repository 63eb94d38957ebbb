import { assert } from "./assert.ts";
import { ByteSlab } from "./byte-slab.ts";
import { ChangeLog } from "./change-log.ts";
import { decodePiece } from "./change-piece.ts";
import { DataTree } from "./data-tree.ts";
import {
  decodeMeta,
  decodeReply,
  decodeSession,
  decodeZnode,
  readImageRecord,
  type ImageMeta,
} from "./image-codec.ts";
import { checkImageCount, checkImageDigest, failImage } from "./image-error.ts";
import type { ImageKey } from "./image-keys.ts";
import { TREE_LIMITS, type TreeLimits } from "./limits.ts";
import { reached } from "./points.ts";
import { checkPath, parentOf, type SessionId, type WriteSeq, type Zxid } from "./protocol/index.ts";
import { ProtocolError } from "./protocol/protocol-error.ts";
import { beyondOwn } from "./reply-room.ts";
import { rememberedReply, type RememberedReply } from "./reply-window.ts";
import { hashSession, makeSession, sessionBytes } from "./session.ts";
import { SortedNames } from "./sorted-names.ts";
import {
  blankState,
  enterZnode,
  newChangeLog,
  renderDigest,
  type TreeState,
} from "./tree-state.ts";
import { makeZnode, type Znode, type ZnodeImage } from "./znode.ts";

interface LoadedZnode {
  readonly path: string;
  readonly image: ZnodeImage;
}

const NO_ORPHANS: readonly LoadedZnode[] = [];

/** For an image whose own limits are not known before its meta record comes. */
const UNBOUNDED: TreeLimits = {
  ...TREE_LIMITS,
  bytesMax: Number.MAX_SAFE_INTEGER,
  sessionsMax: Number.MAX_SAFE_INTEGER,
  sessionEphemeralsMax: Number.MAX_SAFE_INTEGER,
};

interface LoadedChanges {
  readonly firstZxid: Zxid;
  readonly bytes: Uint8Array;
}

/**
 * Builds a tree out of an image's records. `add` does the work record by record, so that a host can pause between
 * slices; only what came before its parent or its session is left to `finish`. Anything wrong throws an
 * {@link ImageError}, and the loader is of no further use.
 */
export class TreeLoader {
  readonly #state: TreeState;
  readonly #adoptsLimits: boolean;
  readonly #changeBytes = new ByteSlab();
  #meta: ImageMeta | null = null;
  /** Znodes that came before their parents, by parent. */
  readonly #orphans = new Map<string, LoadedZnode[]>();
  /** Znodes that lack children. */
  #incomplete = 0;
  readonly #ephemerals: Znode[] = [];
  readonly #replies = new Map<SessionId, RememberedReply[]>();
  #replyCount = 0;
  readonly #changes: LoadedChanges[] = [];

  /** `limits` null: whatever the image was written under, with this build's bounds of the change log. */
  constructor(limits: TreeLimits | null) {
    const changeLog = new ChangeLog({
      bytesMax: 1,
      countMax: 1,
      imagedCountMax: 1,
      imagedBytesMax: 1,
    });
    this.#adoptsLimits = limits === null;
    this.#state = blankState(limits ?? UNBOUNDED, changeLog);
  }

  /** Records in any order, each key once. `value` is copied where it is kept. */
  add(key: string, value: Uint8Array): void {
    readImageRecord(key, (parsed) => this.#take(parsed, value));
  }

  /** After the last record: verifies that they are complete and that they are the state that was written. */
  finish(): DataTree {
    const meta = this.#meta;
    if (meta === null) failImage("INCOMPLETE", "no meta record");
    const state = this.#state;
    for (const path of this.#orphans.keys()) failImage("INCOMPLETE", `no znode ${path}`);
    if (state.nodes.get("/") === undefined) failImage("INCOMPLETE", "no root");
    this.#linkEphemerals();
    this.#restoreReplies();
    state.lastZxid = meta.zxid;
    state.clockMs = meta.clockMs;
    checkImageCount("znodes", state.nodes.size, meta.nodeCount);
    checkImageCount("sessions", state.sessions.size, meta.sessionCount);
    checkImageCount("replies", state.replyCount, meta.replyCount);
    checkImageCount("bytes", state.bytes, meta.bytes);
    checkImageCount("znodes without all children", this.#incomplete, 0);
    const limits = this.#adoptsLimits ? limitsIn(meta) : state.limits;
    const restored: TreeState = { ...state, limits, changeLog: this.#restoreChangeLog(meta) };
    checkImageDigest(renderDigest(restored, state.digest), meta.digest);
    assert(restored.changeLog.newestZxid <= meta.zxid, "no_change_after_the_state");
    return new DataTree(limits, restored);
  }

  #take(key: ImageKey, value: Uint8Array): void {
    switch (key.kind) {
      case "meta":
        this.#addMeta(value);
        return;
      case "znode":
        this.#addZnode(key.path, value);
        return;
      case "session":
        this.#addSession(key.session, value);
        return;
      case "reply":
        this.#addReply(key.session, key.writeSeq, value);
        return;
      case "changes":
        this.#changes.push({ firstZxid: key.firstZxid, bytes: value.slice() });
    }
  }

  #addMeta(value: Uint8Array): void {
    if (this.#meta !== null) failImage("BAD_RECORD", "two meta records");
    const meta = decodeMeta(value);
    const { bytesMax, sessionsMax, sessionEphemeralsMax } = this.#state.limits;
    const isSame =
      meta.bytesMax === bytesMax &&
      meta.sessionsMax === sessionsMax &&
      meta.sessionEphemeralsMax === sessionEphemeralsMax;
    if (!isSame && !this.#adoptsLimits) failImage("LIMITS_MISMATCH", "written under other limits");
    this.#meta = meta;
  }

  #addZnode(path: string, value: Uint8Array): void {
    if (checkPath(path) !== null) failImage("BAD_RECORD", "a znode at no path");
    const decoded = decodeZnode(value);
    const image = { ...decoded, data: this.#state.createdBytes.copy(decoded.data) };
    const parentPath = parentOf(path);
    const parent = path === "/" ? null : this.#state.nodes.get(parentPath);
    if (parent !== undefined) {
      this.#enter(path, parent, image);
      return;
    }
    reached("znode_loaded_before_its_parent");
    const waiting = this.#orphans.get(parentPath);
    if (waiting === undefined) this.#orphans.set(parentPath, [{ path, image }]);
    else waiting.push({ path, image });
  }

  /** Enters a znode whose parent is there (null: the root), and every orphan below it. */
  #enter(path: string, parent: Znode | null, image: ZnodeImage): void {
    assert(parent === null ? path === "/" : parent.path === parentOf(path), "entered_below_parent");
    const node = makeZnode(path, parent, image);
    if (!enterZnode(this.#state, node)) failImage("BAD_RECORD", `two znodes ${path}`);
    if (parent !== null) this.#linkChild(parent, path);
    if (image.stat.childCount > 0) this.#incomplete += 1;
    if (image.stat.ephemeralOwner !== 0) this.#ephemerals.push(node);
    if (this.#orphans.size === 0) return;
    const orphans = this.#orphans.get(path) ?? NO_ORPHANS;
    this.#orphans.delete(path);
    // As deep as paths may be at most.
    for (const orphan of orphans) this.#enter(orphan.path, node, orphan.image);
  }

  #linkChild(parent: Znode, path: string): void {
    parent.children ??= new SortedNames();
    parent.children.add(path);
    const missing = parent.stat.childCount - parent.children.size;
    if (missing < 0) failImage("INCOMPLETE", `too many children of ${parent.path}`);
    if (missing === 0) this.#incomplete -= 1;
  }

  #addSession(id: SessionId, value: Uint8Array): void {
    const { sessions, hasher, digest, limits } = this.#state;
    if (id === 0 || sessions.get(id) !== undefined) failImage("BAD_RECORD", `two sessions ${id}`);
    if (sessions.size >= limits.sessionsMax) failImage("BAD_RECORD", "too many sessions");
    const session = makeSession(id, decodeSession(value));
    session.imagedAcked = session.ackedSeq;
    session.imagedLast = session.lastWriteSeq;
    sessions.add(session);
    hashSession(hasher, session);
    digest.add(session.sumA, session.sumB);
    this.#state.bytes += sessionBytes(session.attach);
  }

  #addReply(session: SessionId, writeSeq: WriteSeq, value: Uint8Array): void {
    const { hasher, digest } = this.#state;
    assert(writeSeq > 0, "write_numbers_from_one");
    const reply = rememberedReply(hasher, session, writeSeq, decodeReply(value));
    digest.add(reply.sumA, reply.sumB);
    this.#state.bytes += reply.bytes;
    this.#replyCount += 1;
    const replies = this.#replies.get(session);
    if (replies === undefined) this.#replies.set(session, [reply]);
    else replies.push(reply);
  }

  #linkEphemerals(): void {
    for (const node of this.#ephemerals) {
      const owner = node.stat.ephemeralOwner;
      reached("ephemeral_loaded_from_image");
      const session = owner === 0 ? undefined : this.#state.sessions.get(owner);
      if (session === undefined) failImage("INCOMPLETE", `no owner of ${node.path}`);
      session.ephemerals.add(node.path);
    }
  }

  #restoreReplies(): void {
    for (const [id, replies] of this.#replies) {
      reached("replies_loaded_from_image");
      const session = this.#state.sessions.get(id);
      if (session === undefined) failImage("INCOMPLETE", `replies of no session ${id}`);
      replies.sort((a, b) => a.writeSeq - b.writeSeq);
      let expected = session.ackedSeq + 1;
      for (const reply of replies) {
        if (reply.writeSeq !== expected)
          failImage("INCOMPLETE", `reply ${expected} of session ${id}`);
        session.window.push(reply);
        expected += 1;
      }
      this.#state.commonReplyBytes += beyondOwn(session.window.bytes);
    }
    for (const session of this.#state.sessions.values()) {
      const expected = session.lastWriteSeq - session.ackedSeq;
      if (session.window.count !== expected) failImage("INCOMPLETE", `replies of ${session.id}`);
    }
    this.#state.replyCount = this.#replyCount;
    assert(this.#replyCount >= 0, "replies_counted");
  }

  /** Revisions in order and complete, under this build's own bounds. */
  #restoreChangeLog(meta: ImageMeta): ChangeLog {
    const { limits } = this.#state;
    const log = newChangeLog(limits, meta.oldestZxid);
    this.#changes.sort((a, b) => a.firstZxid - b.firstZxid);
    let count = 0;
    for (const { firstZxid, bytes } of this.#changes) {
      try {
        const place = { afterZxid: log.newestZxid, firstZxid };
        const piece = decodePiece(bytes, place, (data) => this.#changeBytes.copy(data));
        log.restore(piece);
        count += piece.count;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        failImage("BAD_RECORD", `changes from ${firstZxid} on: ${error.message}`);
      }
    }
    checkImageCount("changes", count, meta.changeCount);
    assert(log.count <= limits.changeLogCountMax, "change_log_bounded");
    return log;
  }
}

function limitsIn(meta: ImageMeta): TreeLimits {
  const { bytesMax, sessionsMax, sessionEphemeralsMax } = meta;
  return { ...TREE_LIMITS, bytesMax, sessionsMax, sessionEphemeralsMax };
}
