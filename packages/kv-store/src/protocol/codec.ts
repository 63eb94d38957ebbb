import { packValue, unpackValue } from "./codec-bytes.ts";
import { packClientMessage, readClientMessage } from "./codec-client.ts";
import { packServerMessage, readServerMessage } from "./codec-server.ts";
import { malformed, readList } from "./codec-value.ts";
import type { ClientMessage, ServerMessage } from "./frame.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";

/**
 * One frame out of many messages: one MessagePack array of positional arrays. Throws {@link ProtocolError}
 * FRAME_TOO_LARGE, and nothing else, where the other side would have to refuse it.
 */
export function encodeClientFrame(messages: readonly ClientMessage[]): Uint8Array {
  return encodeFrame(messages, packClientMessage);
}

/** Throws {@link ProtocolError} and nothing else. Binary fields alias `bytes`. */
export function decodeClientFrame(bytes: Uint8Array): readonly ClientMessage[] {
  return decodeFrame(bytes, readClientMessage);
}

/** As {@link encodeClientFrame}, for the other direction. */
export function encodeServerFrame(messages: readonly ServerMessage[]): Uint8Array {
  return encodeFrame(messages, packServerMessage);
}

/** Throws {@link ProtocolError} and nothing else. Binary fields alias `bytes`. */
export function decodeServerFrame(bytes: Uint8Array): readonly ServerMessage[] {
  return decodeFrame(bytes, readServerMessage);
}

function encodeFrame<T>(
  messages: readonly T[],
  pack: (message: T) => readonly unknown[],
): Uint8Array {
  if (messages.length > PROTOCOL_LIMITS.frameMessagesMax) tooLarge(messages.length, "messages");
  const bytes = packValue(messages.map(pack));
  if (bytes.length > PROTOCOL_LIMITS.frameBytesMax) tooLarge(bytes.length, "bytes");
  return bytes;
}

function decodeFrame<T>(bytes: Uint8Array, read: (value: unknown) => T): readonly T[] {
  if (bytes.length > PROTOCOL_LIMITS.frameBytesMax) tooLarge(bytes.length, "bytes");
  const values = readList(unpackValue(bytes, 0), PROTOCOL_LIMITS.frameMessagesMax);
  if (values.length === 0) malformed("an empty frame");
  return values.map(read);
}

function tooLarge(amount: number, unit: string): never {
  throw new ProtocolError("FRAME_TOO_LARGE", `${amount} ${unit}`);
}
