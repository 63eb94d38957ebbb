import { reached } from "./points.ts";

/** Why an image cannot be loaded. */
export type ImageErrorCode =
  /** A record's key or value is not of this format, or a key came twice. */
  | "BAD_RECORD"
  /** The image is of a format version this build does not know. */
  | "UNKNOWN_FORMAT"
  /** Records are missing or do not fit together. */
  | "INCOMPLETE"
  /** Everything can be read but is not the state that was written. */
  | "DIGEST_MISMATCH"
  /** The image was written under other limits. */
  | "LIMITS_MISMATCH";

/** An image that is damaged, incomplete or foreign. */
export class ImageError extends Error {
  override readonly name = "ImageError";
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

/** Says that an image is not what it should be. */
export function failImage(code: ImageErrorCode, message: string): never {
  reached("image_refused");
  throw new ImageError(code, message);
}

/** Fails with DIGEST_MISMATCH unless the records are together what was written. */
export function checkImageDigest(found: string, expected: string): void {
  if (found !== expected) failImage("DIGEST_MISMATCH", `${found} instead of ${expected}`);
}

/** Fails with INCOMPLETE unless as many were found as the image says. */
export function checkImageCount(what: string, found: number, expected: number): void {
  if (found !== expected) failImage("INCOMPLETE", `${found} ${what} instead of ${expected}`);
}
