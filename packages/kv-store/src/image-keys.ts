import { assert } from "./assert.ts";
import {
  type SessionId,
  sessionId,
  type WriteSeq,
  writeSeq,
  type Zxid,
  zxid,
} from "./protocol/index.ts";

/*
 * Keys of the image, one letter and a name each:
 *
 *   m                                    format, revision, clock, digest, counts, limits, oldest resumable revision
 *   n<path>                              a znode
 *   s<session, 16 digits>                a session
 *   r<session, 16 digits>.<writeSeq, 16> a remembered reply
 *   c<zxid, 16 digits>.<index, 8>        a change of the change log
 *
 * Numbers have a fixed width, so that the order of keys is theirs; a znode comes after its parent.
 */

export const META_KEY = "m";

const NUMBER_DIGITS = 16;
const INDEX_DIGITS = 8;

export function znodeKey(path: string): string {
  assert(path.startsWith("/"), "znode_keys_are_paths");
  return `n${path}`;
}

export function sessionKey(id: SessionId): string {
  return `s${digits(id, NUMBER_DIGITS)}`;
}

export function replyKey(session: SessionId, writeSeq: WriteSeq): string {
  return `r${digits(session, NUMBER_DIGITS)}.${digits(writeSeq, NUMBER_DIGITS)}`;
}

export function changeKey(zxid: Zxid, index: number): string {
  return `c${digits(zxid, NUMBER_DIGITS)}.${digits(index, INDEX_DIGITS)}`;
}

/** What a key names; null: nothing of ours. */
export type ImageKey =
  | { readonly kind: "meta" }
  | { readonly kind: "znode"; readonly path: string }
  | { readonly kind: "session"; readonly session: SessionId }
  | { readonly kind: "reply"; readonly session: SessionId; readonly writeSeq: WriteSeq }
  | { readonly kind: "change"; readonly zxid: Zxid; readonly index: number };

const SESSION_KEY = /^s(\d{16})$/;
const PAIR_KEY = /^[rc](\d{16})\.(\d{8}|\d{16})$/;

export function parseImageKey(key: string): ImageKey | null {
  if (key === META_KEY) return { kind: "meta" };
  if (key.startsWith("n/")) return { kind: "znode", path: key.slice(1) };
  const session = SESSION_KEY.exec(key)?.[1];
  if (session !== undefined) {
    const id = numberOf(session);
    return id === null || id === 0 ? null : { kind: "session", session: sessionId(id) };
  }
  return parsePairKey(key);
}

function parsePairKey(key: string): ImageKey | null {
  const [, first = "", second = ""] = PAIR_KEY.exec(key) ?? [];
  const major = numberOf(first);
  const minor = numberOf(second);
  if (major === null || minor === null || major === 0) return null;
  if (key.startsWith("c")) {
    if (second.length !== INDEX_DIGITS) return null;
    return { kind: "change", zxid: zxid(major), index: minor };
  }
  if (second.length !== NUMBER_DIGITS || minor === 0) return null;
  return { kind: "reply", session: sessionId(major), writeSeq: writeSeq(minor) };
}

function numberOf(digits: string): number | null {
  const value = Number(digits);
  return digits !== "" && Number.isSafeInteger(value) ? value : null;
}

function digits(value: number, width: number): string {
  const text = String(value).padStart(width, "0");
  assert(text.length === width, "image_key_width", () => text);
  return text;
}
