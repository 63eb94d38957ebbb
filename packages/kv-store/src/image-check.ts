import { assert } from "./assert.ts";
import { decodePiece } from "./change-piece.ts";
import { DigestSum, Hasher } from "./digest.ts";
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
import type { Zxid } from "./protocol/index.ts";
import { rememberedReply } from "./reply-window.ts";
import { hashSession, makeSession } from "./session.ts";
import { renderDigest } from "./tree-state.ts";
import { hashZnode, makeZnode } from "./znode.ts";

/**
 * Looks through an image's records without building the tree: that each is whole, that none is missing, and that together
 * they are the state that was written. Memory does not grow with the image. What a tree needs beyond that (parents before
 * children, owners of ephemerals) follows from the digest, but for the counts of children, whose sum is looked at. Anything
 * wrong throws an {@link ImageError}.
 */
export class ImageCheck {
  readonly #hasher = new Hasher();
  readonly #sum = new DigestSum();
  readonly #counts = { znodes: 0, children: 0, sessions: 0, replies: 0, changes: 0 };
  #meta: ImageMeta | null = null;
  #newestChange: Zxid | 0 = 0;

  /** One record, in the order of the keys. */
  add(key: string, value: Uint8Array): void {
    readImageRecord(key, (parsed) => this.#take(parsed, value));
  }

  /** After the last record. Returns the revision that the image stands at. */
  finish(): Zxid | 0 {
    const meta = this.#meta;
    if (meta === null) failImage("INCOMPLETE", "no meta record");
    const { znodes, children, sessions, replies, changes } = this.#counts;
    checkImageCount("znodes", znodes, meta.nodeCount);
    // Each but the root is a child of one.
    checkImageCount("children of znodes", children, znodes - 1);
    checkImageCount("sessions", sessions, meta.sessionCount);
    checkImageCount("replies", replies, meta.replyCount);
    checkImageCount("changes", changes, meta.changeCount);
    const base = { hasher: this.#hasher, clockMs: meta.clockMs, limits: meta };
    checkImageDigest(renderDigest(base, this.#sum), meta.digest);
    if (this.#newestChange > meta.zxid) failImage("INCOMPLETE", "changes after the state");
    return meta.zxid;
  }

  #take(key: ImageKey, value: Uint8Array): void {
    const hasher = this.#hasher;
    switch (key.kind) {
      case "meta":
        this.#meta = decodeMeta(value);
        return;
      case "znode": {
        const node = makeZnode(key.path, null, decodeZnode(value));
        assert(node.data.length === node.stat.dataBytes, "data_bytes_counted");
        hashZnode(hasher, node);
        this.#sum.add(node.sumA, node.sumB);
        this.#counts.znodes += 1;
        this.#counts.children += node.stat.childCount;
        return;
      }
      case "session": {
        const session = makeSession(key.session, decodeSession(value));
        hashSession(hasher, session);
        this.#sum.add(session.sumA, session.sumB);
        this.#counts.sessions += 1;
        return;
      }
      case "reply": {
        const reply = rememberedReply(hasher, key.session, key.writeSeq, decodeReply(value));
        this.#sum.add(reply.sumA, reply.sumB);
        this.#counts.replies += 1;
        return;
      }
      case "changes": {
        const place = { afterZxid: this.#newestChange, firstZxid: key.firstZxid };
        const piece = decodePiece(value, place, (bytes) => bytes);
        this.#counts.changes += piece.count;
        this.#newestChange = piece.lastZxid;
      }
    }
  }
}
