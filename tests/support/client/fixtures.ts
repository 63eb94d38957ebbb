import { zxid, type Stat } from "@quorate/kv-store/protocol";

/** A znode's stat where a test does not care. */
export const STAT: Stat = {
  czxid: zxid(1),
  mzxid: zxid(1),
  pzxid: zxid(1),
  ctimeMs: 0,
  mtimeMs: 0,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0,
  dataBytes: 0,
  childCount: 0,
};

/** The single item of a list; fails if there is none or more. */
export function only<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined || items.length > 1) throw new Error(`${items.length} items, not one`);
  return item;
}
