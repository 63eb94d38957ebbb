import { ImageError } from "@quorate/kv-store";
import { ServerError } from "../errors.ts";
import type { ImageMeta } from "./image-meta.ts";

/**
 * What reading records failed with, in this package's terms. Records that are not what they should be are of another format
 * (FORMAT_UNKNOWN), or damaged, which `damage` says.
 */
export function damageOf(error: unknown, damage: "IMAGE_CORRUPT" | "BACKUP_DAMAGED"): unknown {
  if (!(error instanceof ImageError)) return error;
  const code = error.code === "UNKNOWN_FORMAT" ? "FORMAT_UNKNOWN" : damage;
  return new ServerError(code, error.message, error);
}

/** The meta record of an image whose records stand at `revision`. Throws IMAGE_CORRUPT where there is none, or it says otherwise. */
export function metaAt(revision: number, meta: ImageMeta | null): ImageMeta {
  if (meta === null) throw new ServerError("IMAGE_CORRUPT", "the image has no meta record");
  const { index } = meta.snapshot;
  if (index === revision) return meta;
  const text = `the image says that it stands at ${index}, its records say ${revision}`;
  throw new ServerError("IMAGE_CORRUPT", text);
}
