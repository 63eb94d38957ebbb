import type { ErrorCode, Result } from "./error-code.ts";
import type { ZnodePath } from "./ids.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";

/** Everything at and below this path belongs to the ensemble itself. */
export const RESERVED_ROOT = "/quorate";

const SLASH = 0x2f;
const DOT = 0x2e;

/**
 * Null if `path` may name a znode of clients, "/" included; else BAD_PATH or RESERVED_PATH. ZooKeeper's rules
 * (Programmer's Guide, "The ZooKeeper Data Model") with the bounds of {@link PROTOCOL_LIMITS}; unlike there,
 * characters beyond U+FFFF are allowed, and only lone surrogates are refused.
 */
export function checkPath(path: string): ErrorCode | null {
  if (!isWellFormed(path)) return "BAD_PATH";
  return isReserved(path) ? "RESERVED_PATH" : null;
}

/** Checks and brands. Codes: BAD_PATH, RESERVED_PATH. */
export function parsePath(path: string): Result<ZnodePath> {
  return isZnodePath(path)
    ? { ok: true, value: path }
    : { ok: false, code: checkPath(path) ?? "BAD_PATH" };
}

/** Whether `path` is {@link RESERVED_ROOT} or below it. */
export function isReserved(path: string): boolean {
  return (
    path.startsWith(RESERVED_ROOT) &&
    (path.length === RESERVED_ROOT.length || path.charCodeAt(RESERVED_ROOT.length) === SLASH)
  );
}

/** The path above; of "/" itself "/". */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

/** Last component; of "/" "". */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** `name` below `parent`. */
export function joinPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

function isZnodePath(path: string): path is ZnodePath {
  return checkPath(path) === null;
}

function isWellFormed(path: string): boolean {
  if (path.length > PROTOCOL_LIMITS.pathBytesMax || path.charCodeAt(0) !== SLASH) return false;
  if (path.length === 1) return true;
  let pathBytes = 0;
  let depth = 0;
  let start = 1;
  while (start <= path.length) {
    const slash = path.indexOf("/", start);
    const end = slash === -1 ? path.length : slash;
    const bytes = componentBytes(path, start, end);
    if (bytes === 0) return false;
    pathBytes += bytes + 1;
    depth += 1;
    start = end + 1;
  }
  return pathBytes <= PROTOCOL_LIMITS.pathBytesMax && depth <= PROTOCOL_LIMITS.pathDepthMax;
}

/** UTF-8 bytes of one component, 0 if it is none. */
function componentBytes(path: string, start: number, end: number): number {
  if (isDots(path, start, end)) return 0;
  let bytes = 0;
  for (let i = start; i < end; i += 1) {
    const unit = path.charCodeAt(i);
    if (unit > 0x1f && unit < 0x7f) {
      bytes += 1;
    } else if (unit >= 0xd800 && unit <= 0xdbff) {
      i += 1;
      const low = i < end ? path.charCodeAt(i) : 0;
      if (low < 0xdc00 || low > 0xdfff) return 0;
      bytes += 4;
    } else if (isForbidden(unit)) {
      return 0;
    } else {
      bytes += unit < 0x800 ? 2 : 3;
    }
  }
  return bytes <= PROTOCOL_LIMITS.nameBytesMax ? bytes : 0;
}

/** "." and "..". */
function isDots(path: string, start: number, end: number): boolean {
  if (path.charCodeAt(start) !== DOT) return false;
  return end - start === 1 || (end - start === 2 && path.charCodeAt(start + 1) === DOT);
}

function isForbidden(unit: number): boolean {
  return unit <= 0x9f || (unit >= 0xdc00 && unit <= 0xf8ff) || unit >= 0xfff0;
}
