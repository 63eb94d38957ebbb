import type { ClientMessage, ServerMessage } from "./frame.ts";

/** Bytes that are not a frame of this protocol. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: "PROTOCOL_ERROR" | "UNKNOWN_OPERATION" | "FRAME_TOO_LARGE";

  constructor(code: "PROTOCOL_ERROR" | "UNKNOWN_OPERATION" | "FRAME_TOO_LARGE", message: string) {
    super(message);
    this.code = code;
  }
}

/** One frame out of many messages. */
export declare function encodeClientFrame(messages: readonly ClientMessage[]): Uint8Array;
/** Throws {@link ProtocolError} and nothing else. Binary fields alias `bytes`. */
export declare function decodeClientFrame(bytes: Uint8Array): readonly ClientMessage[];
export declare function encodeServerFrame(messages: readonly ServerMessage[]): Uint8Array;
/** Throws {@link ProtocolError} and nothing else. Binary fields alias `bytes`. */
export declare function decodeServerFrame(bytes: Uint8Array): readonly ServerMessage[];
