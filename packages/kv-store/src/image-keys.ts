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
 *   c<zxid, 16 digits>                   revisions of the change log, from that one on
 *
 * Numbers have a fixed width, so that the order of keys is theirs; a znode comes after its parent.
 */

export const META_KEY = "m";

const NUMBER_DIGITS = 16;

export function znodeKey(path: string): string {
  assert(path.startsWith("/"), "znode_keys_are_paths");
  return `n${path}`;
}

export function sessionKey(id: SessionId): string {
  assert(id > 0, "session_id_positive");
  return `s${digits(id, NUMBER_DIGITS)}`;
}

export function replyKey(session: SessionId, writeSeq: WriteSeq): string {
  assert(session > 0 && writeSeq > 0, "replies_are_of_a_session");
  return `r${digits(session, NUMBER_DIGITS)}.${digits(writeSeq, NUMBER_DIGITS)}`;
}

export function changesKey(firstZxid: Zxid): string {
  assert(firstZxid > 0, "changes_have_a_revision");
  return `c${digits(firstZxid, NUMBER_DIGITS)}`;
}

/** What a key names; null: nothing of ours. */
export type ImageKey =
  | { readonly kind: "meta" }
  | { readonly kind: "znode"; readonly path: string }
  | { readonly kind: "session"; readonly session: SessionId }
  | { readonly kind: "reply"; readonly session: SessionId; readonly writeSeq: WriteSeq }
  | { readonly kind: "changes"; readonly firstZxid: Zxid };

const SINGLE_KEY = /^[sc](\d{16})$/;
const REPLY_KEY = /^r(\d{16})\.(\d{16})$/;

export function parseImageKey(key: string): ImageKey | null {
  if (key === META_KEY) return { kind: "meta" };
  if (key.startsWith("n/")) return { kind: "znode", path: key.slice(1) };
  const single = SINGLE_KEY.exec(key)?.[1];
  if (single === undefined) return parseReplyKey(key);
  const value = numberOf(single);
  if (value === null || value === 0) return null;
  return key.startsWith("s")
    ? { kind: "session", session: sessionId(value) }
    : { kind: "changes", firstZxid: zxid(value) };
}

function parseReplyKey(key: string): ImageKey | null {
  const [, first = "", second = ""] = REPLY_KEY.exec(key) ?? [];
  const session = numberOf(first);
  const seq = numberOf(second);
  if (session === null || seq === null || session === 0 || seq === 0) return null;
  return { kind: "reply", session: sessionId(session), writeSeq: writeSeq(seq) };
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
