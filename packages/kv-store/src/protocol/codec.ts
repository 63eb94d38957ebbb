import { readClientMessage, writeClientMessage } from "./codec-client.ts";
import { readServerMessage, writeServerMessage } from "./codec-server.ts";
import { malformed } from "./codec-value.ts";
import type { ClientMessage, ServerMessage } from "./frame.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";
import { ValueReader } from "./value-reader.ts";
import { ValueWriter } from "./value-writer.ts";

const frameReader = new ValueReader();
const frameWriter = new ValueWriter();

/**
 * One frame out of many messages: one MessagePack array of positional arrays. Throws {@link ProtocolError}
 * FRAME_TOO_LARGE, and nothing else, where the other side would have to refuse it.
 */
export function encodeClientFrame(messages: readonly ClientMessage[]): Uint8Array {
  return encodeFrame(messages, writeClientMessage);
}

/** Throws {@link ProtocolError} and nothing else. Binary fields alias `bytes`. */
export function decodeClientFrame(bytes: Uint8Array): readonly ClientMessage[] {
  return decodeFrame(bytes, readClientMessage);
}

/** As {@link encodeClientFrame}, for the other direction. */
export function encodeServerFrame(messages: readonly ServerMessage[]): Uint8Array {
  return encodeFrame(messages, writeServerMessage);
}

/** Throws {@link ProtocolError} and nothing else. Binary fields alias `bytes`. */
export function decodeServerFrame(bytes: Uint8Array): readonly ServerMessage[] {
  return decodeFrame(bytes, readServerMessage);
}

function encodeFrame<T>(
  messages: readonly T[],
  write: (writer: ValueWriter, message: T) => void,
): Uint8Array {
  if (messages.length > PROTOCOL_LIMITS.frameMessagesMax) tooLarge(messages.length, "messages");
  frameWriter.begin();
  frameWriter.list(messages.length);
  for (const message of messages) write(frameWriter, message);
  if (frameWriter.length > PROTOCOL_LIMITS.frameBytesMax) tooLarge(frameWriter.length, "bytes");
  return frameWriter.finish();
}

function decodeFrame<T>(bytes: Uint8Array, read: (reader: ValueReader) => T): readonly T[] {
  if (bytes.length > PROTOCOL_LIMITS.frameBytesMax) tooLarge(bytes.length, "bytes");
  frameReader.open(bytes, 0);
  const count = frameReader.list(PROTOCOL_LIMITS.frameMessagesMax);
  if (count === 0) malformed("an empty frame");
  const messages: T[] = [];
  for (let i = 0; i < count; i += 1) messages.push(read(frameReader));
  frameReader.close();
  return messages;
}

function tooLarge(amount: number, unit: string): never {
  throw new ProtocolError("FRAME_TOO_LARGE", `${amount} ${unit}`);
}
