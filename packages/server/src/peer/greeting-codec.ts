import { ByteReader, violation } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import {
  PEER_PROTOCOL_VERSION,
  type Entrance,
  type PeerHello,
  type PeerRefusal,
  type PeerWelcome,
} from "./envelope.ts";
import {
  WIRE_TEXT_BYTES_MAX,
  readNodeId,
  readPeerAddress,
  readSnapshotMeta,
  writeSnapshotMeta,
} from "./membership-codec.ts";

// First bytes of the frames; 3 is in `peer-codec`. Never reused for anything else.

/** First byte of a hello. */
export const HELLO_FRAME = 1;
/** First byte of the answer to a hello. */
export const WELCOME_FRAME = 2;
/** The only byte of a keepalive. */
export const PING_FRAME = 4;
/** The only byte of the answer to a keepalive. */
export const PONG_FRAME = 5;

/** Follows the first byte of a hello, so that a stranger is told apart from another version. "QP". */
const MAGIC = 0x5150;
const INITIAL_MEMBERS_MAX = 64;

const REFUSALS = [
  "UNSUPPORTED_VERSION",
  "OTHER_CLUSTER",
  "OTHER_HISTORY",
  "IDENTITY_REFUSED",
  "MEMBERSHIP_MISMATCH",
  "LIMITS_MISMATCH",
  "NOT_A_MEMBER",
  "REMOVED",
] as const satisfies readonly PeerRefusal[];

const ENTRANCES = ["member", "join", "rejoin"] as const satisfies readonly Entrance[];

/** What came instead of a hello: the version is all that can be told of another one's. */
export interface OtherVersion {
  readonly kind: "otherVersion";
  readonly protocolVersion: number;
}

/** The first frame of a link. */
export function encodePeerHello(hello: PeerHello): Uint8Array {
  const writer = new ByteWriter(512);
  writer.u8(HELLO_FRAME);
  writer.u16(MAGIC);
  writer.u16(hello.protocolVersion);
  writer.text(hello.clusterId);
  writer.text(hello.historyId);
  writer.u53(hello.nodeId);
  writer.text(hello.name);
  writer.text(hello.peerAddress);
  writer.text(hello.clientAddress);
  writer.u32(hello.initialMembers.length);
  for (const name of hello.initialMembers) writer.text(name);
  writer.u53(hello.limits.bytesMax);
  writer.u53(hello.limits.sessionsMax);
  writer.u53(hello.limits.sessionEphemeralsMax);
  writer.u53(hello.timing.heartbeatMs);
  writer.u53(hello.timing.electionTimeoutMs);
  writer.u53(hello.linkNonce);
  writer.u8(ENTRANCES.indexOf(hello.entrance));
  writer.u53(hello.priority);
  writer.bool(hello.appliedIndex !== null);
  if (hello.appliedIndex !== null) writer.u53(hello.appliedIndex);
  return writer.finish();
}

/** Throws PEER_PROTOCOL for what is no hello of any version. */
export function decodePeerHello(frame: Uint8Array): PeerHello | OtherVersion {
  const reader = new ByteReader(frame);
  if (reader.u8() !== HELLO_FRAME || reader.u16() !== MAGIC) throw violation("this is no hello");
  const protocolVersion = reader.u16();
  if (protocolVersion !== PEER_PROTOCOL_VERSION) return { kind: "otherVersion", protocolVersion };
  const text = (): string => reader.text(WIRE_TEXT_BYTES_MAX);
  const hello: PeerHello = {
    kind: "hello",
    protocolVersion,
    clusterId: text(),
    historyId: text(),
    nodeId: readNodeId(reader),
    name: text(),
    peerAddress: readPeerAddress(reader),
    clientAddress: text(),
    initialMembers: readNames(reader),
    limits: {
      bytesMax: reader.u53(),
      sessionsMax: reader.u53(),
      sessionEphemeralsMax: reader.u53(),
    },
    timing: { heartbeatMs: reader.u53(), electionTimeoutMs: reader.u53() },
    linkNonce: reader.u53(),
    entrance: readEntrance(reader),
    priority: reader.u53(),
    appliedIndex: reader.bool() ? reader.u53() : null,
  };
  reader.end();
  return hello;
}

function readEntrance(reader: ByteReader): Entrance {
  const entrance = ENTRANCES[reader.u8()];
  if (entrance === undefined) throw violation("a hello has an unknown entrance");
  return entrance;
}

function readNames(reader: ByteReader): readonly string[] {
  const count = reader.count(INITIAL_MEMBERS_MAX, 4);
  const names: string[] = [];
  for (let at = 0; at < count; at += 1) names.push(reader.text(WIRE_TEXT_BYTES_MAX));
  return names;
}

/** The answer to a hello. A refusal is laid out alike in every version, so that anybody can read why. */
export function encodePeerWelcome(welcome: PeerWelcome): Uint8Array {
  const writer = new ByteWriter(512);
  writer.u8(WELCOME_FRAME);
  writer.u16(welcome.protocolVersion);
  writer.bool(welcome.kind === "welcome");
  if (welcome.kind === "refused") {
    writer.text(welcome.code);
    writer.text(welcome.message);
    return writer.finish();
  }
  writer.text(welcome.clusterId);
  writer.text(welcome.historyId);
  writer.u53(welcome.nodeId);
  writer.text(welcome.name);
  writer.text(welcome.peerAddress);
  writer.text(welcome.clientAddress);
  writer.bool(welcome.formation !== null);
  if (welcome.formation !== null) writeSnapshotMeta(writer, welcome.formation);
  return writer.finish();
}

/** Throws PEER_PROTOCOL; also for a welcome of another version, which nobody may send. */
export function decodePeerWelcome(frame: Uint8Array): PeerWelcome {
  const reader = new ByteReader(frame);
  if (reader.u8() !== WELCOME_FRAME) throw violation("this is no answer to a hello");
  const protocolVersion = reader.u16();
  const accepted = reader.bool();
  const text = (): string => reader.text(WIRE_TEXT_BYTES_MAX);
  if (!accepted) {
    return { kind: "refused", protocolVersion, code: readRefusal(text()), message: text() };
  }
  if (protocolVersion !== PEER_PROTOCOL_VERSION) throw violation("another version was welcomed");
  const welcome: PeerWelcome = {
    kind: "welcome",
    protocolVersion,
    clusterId: text(),
    historyId: text(),
    nodeId: readNodeId(reader),
    name: text(),
    peerAddress: readPeerAddress(reader),
    clientAddress: text(),
    formation: reader.bool() ? readSnapshotMeta(reader) : null,
  };
  reader.end();
  return welcome;
}

function readRefusal(code: string): PeerRefusal {
  const known = REFUSALS.find((refusal) => refusal === code);
  if (known === undefined) throw violation("a refusal has an unknown code");
  return known;
}
