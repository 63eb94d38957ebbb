import { EXPIRED_MAX } from "./apply-session.ts";
import { assert, unreachable } from "./assert.ts";
import type { AttachInfo, Command, CommandStamp } from "./command.ts";
import { VERIFIER_BYTES_MAX } from "./image-codec.ts";
import { readOps, TEXT_UNITS_MAX, writeOps } from "./protocol/codec-op.ts";
import { malformed } from "./protocol/codec-value.ts";
import type { SessionId } from "./protocol/index.ts";
import { ProtocolError } from "./protocol/protocol-error.ts";
import { ValueReader } from "./protocol/value-reader.ts";
import { ValueWriter } from "./protocol/value-writer.ts";

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

/** Of its own: entries of the log live and go in the order in which they were made, so that a chunk of them goes as one. */
const commandWriter = new ValueWriter();
const commandReader = new ValueReader();

const KINDS = ["write", "openSession", "attach", "closeSession", "expireSessions"] as const;

/** The stamp last written, as it stands in a command. */
const stampBytes = new Uint8Array(BODY_AT - TIME_AT);
const stampView = new DataView(stampBytes.buffer);
let stamped: CommandStamp = { timeMs: 0, clockMs: 0 };

/** Bytes of a command with room for the stamp, which is zero until {@link stampCommand}. */
export function encodeCommand(command: Command): Uint8Array {
  commandWriter.begin(BODY_AT);
  writeBody(commandWriter, command);
  const bytes = commandWriter.finish();
  bytes[0] = COMMAND_VERSION;
  bytes[KIND_AT] = KINDS.indexOf(command.kind) + 1;
  return bytes;
}

/** Writes the leader's stamp in place; fractions of a millisecond are cut off. */
export function stampCommand(bytes: Uint8Array, stamp: CommandStamp): void {
  assert(bytes.length > BODY_AT, "stamped_command_has_a_body");
  if (stamp !== stamped) {
    assert(stamp.timeMs >= 0 && stamp.clockMs >= 0, "stamp_not_negative");
    stampView.setFloat64(0, Math.floor(stamp.timeMs));
    stampView.setFloat64(CLOCK_AT - TIME_AT, Math.floor(stamp.clockMs));
    stamped = stamp;
  }
  bytes.set(stampBytes, TIME_AT);
}

/** Whether this build knows version and kind of a command; what it is made of shows when it is decoded. */
export function isKnownCommand(bytes: Uint8Array): boolean {
  const kind = bytes[KIND_AT] ?? 0;
  const isKnown = bytes[0] === COMMAND_VERSION && kind >= 1 && kind <= KINDS.length;
  return isKnown && bytes.length > BODY_AT;
}

/** Whether a known command is a write of a session; the others begin and end sessions. */
export function isWriteCommand(bytes: Uint8Array): boolean {
  return bytes[KIND_AT] === KINDS.indexOf("write") + 1;
}

/** Throws {@link CommandError} and nothing else. Binary fields alias `bytes`. */
export function decodeCommand(bytes: Uint8Array): StampedCommand {
  const version = bytes[0];
  if (version !== COMMAND_VERSION) throw new CommandError("UNKNOWN_VERSION", String(version));
  if (bytes.length <= BODY_AT) throw new CommandError("MALFORMED", "too short");
  const kind = KINDS[(bytes[KIND_AT] ?? 0) - 1];
  if (kind === undefined) throw new CommandError("UNKNOWN_KIND", String(bytes[KIND_AT]));
  try {
    commandReader.open(bytes, BODY_AT);
    const command = readBody(kind, commandReader);
    commandReader.close();
    return { stamp: readStamp(bytes), command };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const code = error.code === "UNKNOWN_OPERATION" ? "UNKNOWN_KIND" : "MALFORMED";
    throw new CommandError(code, error.message);
  }
}

/** The stamp of the entry before, which most entries of a batch share. */
let lastStamp: CommandStamp = { timeMs: 0, clockMs: 0 };
const lastStampBytes = new Uint8Array(BODY_AT - TIME_AT);
const lastStampView = new DataView(lastStampBytes.buffer);

function readStamp(bytes: Uint8Array): CommandStamp {
  let isSame = true;
  for (let i = 0; i < lastStampBytes.length; i += 1) {
    const byte = bytes[TIME_AT + i] ?? 0;
    if (lastStampBytes[i] === byte) continue;
    lastStampBytes[i] = byte;
    isSame = false;
  }
  if (isSame) return lastStamp;
  const timeMs = lastStampView.getFloat64(0);
  const clockMs = lastStampView.getFloat64(CLOCK_AT - TIME_AT);
  if (!isTime(timeMs) || !isTime(clockMs)) {
    // So that what is remembered is a stamp whatever was read.
    lastStampBytes.fill(0);
    lastStamp = { timeMs: 0, clockMs: 0 };
    malformed("no stamp");
  }
  lastStamp = { timeMs, clockMs };
  return lastStamp;
}

function isTime(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0);
}

function writeBody(writer: ValueWriter, command: Command): void {
  switch (command.kind) {
    case "write":
      writer.list(5);
      writer.integer(command.session);
      writer.integer(command.writeSeq);
      writer.integer(command.ackedSeq);
      writer.integer(command.epoch);
      writeOps(writer, command.ops);
      return;
    case "openSession":
      writer.list(3);
      writer.bytes(command.verifier);
      writer.integer(command.timeoutMs);
      writeAttach(writer, command.attach);
      return;
    case "attach":
      writer.list(4);
      writer.integer(command.session);
      writer.bytes(command.verifier);
      writer.integer(command.timeoutMs);
      writeAttach(writer, command.attach);
      return;
    case "closeSession":
      writer.list(1);
      writer.integer(command.session);
      return;
    case "expireSessions":
      assert(command.sessions.length <= EXPIRED_MAX, "expired_sessions_bounded");
      writer.list(3);
      writer.integer(command.term);
      writer.integer(command.basis);
      writer.list(command.sessions.length);
      for (const session of command.sessions) writer.integer(session);
      return;
    default:
      unreachable(command);
  }
}

function readBody(kind: Command["kind"], reader: ValueReader): Command {
  switch (kind) {
    case "write":
      reader.tuple(5);
      return {
        kind,
        session: reader.sessionId(),
        writeSeq: reader.writeSeq(),
        ackedSeq: reader.ackedSeq(),
        epoch: reader.integer(),
        ops: readOps(reader),
      };
    case "openSession":
      reader.tuple(3);
      return {
        kind,
        verifier: reader.bytes(VERIFIER_BYTES_MAX),
        timeoutMs: reader.integer(),
        attach: readAttach(reader),
      };
    case "attach":
      reader.tuple(4);
      return {
        kind,
        session: reader.sessionId(),
        verifier: reader.bytes(VERIFIER_BYTES_MAX),
        timeoutMs: reader.integer(),
        attach: readAttach(reader),
      };
    case "closeSession":
      reader.tuple(1);
      return { kind, session: reader.sessionId() };
    case "expireSessions":
      reader.tuple(3);
      return {
        kind,
        term: reader.integer(),
        basis: reader.zxid(),
        sessions: readSessionIds(reader),
      };
    default:
      return unreachable(kind);
  }
}

function readSessionIds(reader: ValueReader): readonly SessionId[] {
  const count = reader.list(EXPIRED_MAX);
  const sessions: SessionId[] = [];
  for (let i = 0; i < count; i += 1) sessions.push(reader.sessionId());
  return sessions;
}

/** Texts beyond the bound, which only describe, are cut: an attach must not fail for them. */
function writeAttach(writer: ValueWriter, attach: AttachInfo): void {
  writer.list(4);
  writer.integer(attach.node);
  writer.text(attach.address.slice(0, TEXT_UNITS_MAX));
  writer.text(attach.principal.slice(0, TEXT_UNITS_MAX));
  writer.text(attach.clientName.slice(0, TEXT_UNITS_MAX));
}

function readAttach(reader: ValueReader): AttachInfo {
  reader.tuple(4);
  return {
    node: reader.integer(),
    address: reader.text(TEXT_UNITS_MAX),
    principal: reader.text(TEXT_UNITS_MAX),
    clientName: reader.text(TEXT_UNITS_MAX),
  };
}
