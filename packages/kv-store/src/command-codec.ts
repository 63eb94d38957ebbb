import { assert, unreachable } from "./assert.ts";
import { ByteSlab } from "./byte-slab.ts";
import { EXPIRED_MAX } from "./apply-session.ts";
import type { AttachInfo, Command, CommandStamp } from "./command.ts";
import { VERIFIER_BYTES_MAX } from "./image-codec.ts";
import { packValue, readFloat64, unpackValue } from "./protocol/codec-bytes.ts";
import { readAckedSeq } from "./protocol/codec-client.ts";
import { packOps, readOps, readText, TEXT_UNITS_MAX } from "./protocol/codec-op.ts";
import {
  readBytes,
  readInteger,
  readList,
  readSessionId,
  readTuple,
  readWriteSeq,
  readZxid,
  wellFormed,
} from "./protocol/codec-value.ts";
import { ProtocolError } from "./protocol/protocol-error.ts";

/** Version of the commands in the log. History: 1 = first. */
export const COMMAND_VERSION = 1;

/** Bytes that are no command this build understands. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: "UNKNOWN_VERSION" | "UNKNOWN_KIND" | "MALFORMED";

  constructor(code: "UNKNOWN_VERSION" | "UNKNOWN_KIND" | "MALFORMED", message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

/** A decoded log entry. */
export interface StampedCommand {
  readonly stamp: CommandStamp;
  readonly command: Command;
}

/*
 * Version, kind, then room for the stamp, timeMs and clockMs as big-endian float64, then one MessagePack array. The stamp
 * stands outside of it so that the leader writes it into bytes that a follower encoded.
 */
const KIND_AT = 1;
const TIME_AT = 2;
const CLOCK_AT = 10;
const BODY_AT = 18;

/** Entries of the log live and go in the order in which they were made, so that a slab of them goes as one. */
const COMMAND_SLAB_BYTES = 65_536;
const commandBytes = new ByteSlab(COMMAND_SLAB_BYTES);

const KINDS = ["write", "openSession", "attach", "closeSession", "expireSessions"] as const;

/** Bytes of a command with room for the stamp, which is zero until {@link stampCommand}. */
export function encodeCommand(command: Command): Uint8Array {
  const body = packValue(packBody(command));
  const bytes = commandBytes.take(BODY_AT + body.length);
  bytes[0] = COMMAND_VERSION;
  bytes[KIND_AT] = KINDS.indexOf(command.kind) + 1;
  bytes.set(body, BODY_AT);
  return bytes;
}

/** Writes the leader's stamp in place; fractions of a millisecond are cut off. */
export function stampCommand(bytes: Uint8Array, stamp: CommandStamp): void {
  assert(bytes.length > BODY_AT, "stamped_command_has_a_body");
  assert(stamp.timeMs >= 0 && stamp.clockMs >= 0, "stamp_not_negative");
  const view = new DataView(bytes.buffer, bytes.byteOffset, BODY_AT);
  view.setFloat64(TIME_AT, Math.floor(stamp.timeMs));
  view.setFloat64(CLOCK_AT, Math.floor(stamp.clockMs));
}

/** Throws {@link CommandError} and nothing else. Binary fields alias `bytes`. */
export function decodeCommand(bytes: Uint8Array): StampedCommand {
  const version = bytes[0];
  if (version !== COMMAND_VERSION) throw new CommandError("UNKNOWN_VERSION", String(version));
  if (bytes.length <= BODY_AT) throw new CommandError("MALFORMED", "too short");
  const kind = KINDS[(bytes[KIND_AT] ?? 0) - 1];
  if (kind === undefined) throw new CommandError("UNKNOWN_KIND", String(bytes[KIND_AT]));
  try {
    const timeMs = readInteger(readFloat64(bytes, TIME_AT));
    const clockMs = readInteger(readFloat64(bytes, CLOCK_AT));
    return { stamp: { timeMs, clockMs }, command: readBody(kind, unpackValue(bytes, BODY_AT)) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const code = error.code === "UNKNOWN_OPERATION" ? "UNKNOWN_KIND" : "MALFORMED";
    throw new CommandError(code, error.message);
  }
}

function packBody(command: Command): readonly unknown[] {
  switch (command.kind) {
    case "write": {
      const { session, writeSeq, ackedSeq, epoch } = command;
      return [session, writeSeq, ackedSeq, epoch, packOps(command.ops)];
    }
    case "openSession":
      return [command.verifier, command.timeoutMs, packAttach(command.attach)];
    case "attach": {
      const { session, verifier, timeoutMs } = command;
      return [session, verifier, timeoutMs, packAttach(command.attach)];
    }
    case "closeSession":
      return [command.session];
    case "expireSessions":
      assert(command.sessions.length <= EXPIRED_MAX, "expired_sessions_bounded");
      return [command.term, command.basis, command.sessions];
    default:
      return unreachable(command);
  }
}

function readBody(kind: Command["kind"], value: unknown): Command {
  switch (kind) {
    case "write": {
      // By index: destructuring walks an iterator, which this path, taken for every entry, would feel.
      const fields = readTuple(value, 5);
      return {
        kind,
        session: readSessionId(fields[0]),
        writeSeq: readWriteSeq(fields[1]),
        ackedSeq: readAckedSeq(fields[2]),
        epoch: readInteger(fields[3]),
        ops: readOps(fields[4]),
      };
    }
    case "openSession": {
      const [verifier, timeoutMs, attach] = readTuple(value, 3);
      return {
        kind,
        verifier: readBytes(verifier, VERIFIER_BYTES_MAX),
        timeoutMs: readInteger(timeoutMs),
        attach: readAttach(attach),
      };
    }
    case "attach": {
      const [session, verifier, timeoutMs, attach] = readTuple(value, 4);
      return {
        kind,
        session: readSessionId(session),
        verifier: readBytes(verifier, VERIFIER_BYTES_MAX),
        timeoutMs: readInteger(timeoutMs),
        attach: readAttach(attach),
      };
    }
    case "closeSession":
      return { kind, session: readSessionId(readTuple(value, 1)[0]) };
    case "expireSessions": {
      const [term, basis, sessions] = readTuple(value, 3);
      return {
        kind,
        term: readInteger(term),
        basis: readZxid(basis),
        sessions: readList(sessions, EXPIRED_MAX).map(readSessionId),
      };
    }
    default:
      return unreachable(kind);
  }
}

/** Texts beyond the bound, which only describe, are cut: an attach must not fail for them. */
function packAttach(attach: AttachInfo): readonly unknown[] {
  const texts = [attach.address, attach.principal, attach.clientName];
  return [attach.node, ...texts.map((text) => wellFormed(text.slice(0, TEXT_UNITS_MAX)))];
}

function readAttach(value: unknown): AttachInfo {
  const [node, address, principal, clientName] = readTuple(value, 4);
  return {
    node: readInteger(node),
    address: readText(address),
    principal: readText(principal),
    clientName: readText(clientName),
  };
}
