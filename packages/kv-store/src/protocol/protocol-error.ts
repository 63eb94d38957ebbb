/** Bytes that are not a frame of this protocol. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: "PROTOCOL_ERROR" | "UNKNOWN_OPERATION" | "FRAME_TOO_LARGE";

  constructor(code: "PROTOCOL_ERROR" | "UNKNOWN_OPERATION" | "FRAME_TOO_LARGE", message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}
