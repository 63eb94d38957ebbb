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
