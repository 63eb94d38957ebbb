import { nodeId, term, type HardState, type NodeId } from "@quorate/raft";
import { Packr } from "msgpackr";
import { crc32 } from "node:zlib";
import { assert } from "../assert.ts";
import { ServerError } from "../errors.ts";
import { reached } from "../points.ts";
import type { Files, OpenFile } from "../ports.ts";
import type { ReplicatedLimits } from "../replicated-limits.ts";
import { isNotGivenBack } from "./damaging-reads.ts";
import { IDENTITY_FILE, IMAGE_PREFIX, LOG_DIRECTORY } from "./data-directory.ts";
import { TAG_BYTES } from "./log-format.ts";
import { readUint64, writeUint64 } from "./uint64.ts";

/*
 * The identity file: two slots of 16 KiB with the same content. An update writes the first slot, durably, and what it says
 * holds from then on; then the second, before the next update begins. So an unfinished slot never takes away what had been
 * promised, nor does a damaged one once the second is written: the other one holds it. Reading takes the slot with the
 * higher number; before anything is built upon it both are written again, durably.
 *
 *   0  8 bytes "QUORIDN\n"      12  u32 format version (4)      24  u32 bytes of the content
 *   8  u32 crc32 of 12…end      16  u64 number of the update    28  content, MessagePack, by position
 */

/** What a slot has room for beside everything else. */
export const FORMATION_BYTES_MAX = 12_288;
const SLOT_BYTES = 16_384;
const SLOT_HEADER_BYTES = 28;
const FORMAT_VERSION = 4;
const MAGIC = [0x51, 0x55, 0x4f, 0x52, 0x49, 0x44, 0x4e, 0x0a];
const packr = new Packr({ useRecords: false, moreTypes: false });

/** Who a data directory is; kept outside log and image. */
export interface Identity {
  /** "" while the ensemble is being formed. */
  readonly clusterId: string;
  readonly historyId: string;
  readonly nodeId: NodeId;
  readonly name: string;
  /** The host's bytes (the formation's membership), at most {@link FORMATION_BYTES_MAX}; null while there is none. */
  readonly formation: Uint8Array | null;
  /** Under which everything since the formation was applied; null before. */
  readonly limits: ReplicatedLimits | null;
  /** Copy of the log's; the later one of the two ({@link laterHardState}) is in force. */
  readonly hardState: HardState;
  /** This node voted or acknowledged entries at some time. */
  readonly hasVoted: boolean;
  /** Entries that it acknowledged are gone: under this identity it takes no part any more. */
  readonly hasLostEntries: boolean;
  /** Here, or before, the leader had something else than what was committed: under this identity it takes no part any more. */
  readonly conflictIndex: number | null;
  /** Directory name of the image in force; null before the first. */
  readonly image: string | null;
  /** The log was made: from then on its absence is a loss. */
  readonly logStarted: boolean;
  /** 16 bytes in every segment of its log. */
  readonly logTag: Uint8Array;
  /** Log records up to this one are durable. */
  readonly logSequence: number;
  /** Revision of the first membership that it was in and has applied; null before. Who was a member does not come back as a new one. */
  readonly memberSince: number | null;
}

/** Of a node that belongs to no ensemble yet and has promised nothing. */
export function newIdentity(node: Pick<Identity, "nodeId" | "name" | "logTag">): Identity {
  return {
    ...node,
    clusterId: "",
    historyId: "",
    formation: null,
    limits: null,
    hardState: { term: term(0), votedFor: null },
    hasVoted: false,
    hasLostEntries: false,
    conflictIndex: null,
    image: null,
    logStarted: false,
    logSequence: 0,
    memberSince: null,
  };
}

interface Slot {
  readonly number: number;
  readonly identity: Identity;
}

type DecodedSlot =
  | { readonly kind: "slot"; readonly slot: Slot }
  | { readonly kind: "damaged" }
  /** The medium does not give it back. */
  | { readonly kind: "unreadable"; readonly error: ServerError }
  | { readonly kind: "unknown"; readonly version: number };

/** The identity of a data directory, as it stands on disk. After the first error it refuses everything with it. */
export class IdentityFile {
  readonly #file: OpenFile;
  #current: Identity;
  #number: number;
  /** Positions of slots that are written as they were read, in this order, before anything else is written. */
  #toRewrite: readonly number[];
  #work: Promise<void> = Promise.resolve();
  #failure: unknown = null;

  /** Not for callers: {@link loadIdentity} and {@link createIdentity} make one. */
  constructor(
    file: OpenFile,
    number: number,
    identity: Identity,
    toRewrite: readonly number[] = [],
  ) {
    this.#file = file;
    this.#number = number;
    this.#current = identity;
    this.#toRewrite = toRewrite;
  }

  /** As it was read, or is durable. */
  get current(): Identity {
    return this.#current;
  }

  /** Of the last update that is in {@link current}; each one has the next. */
  get number(): number {
    return this.#number;
  }

  /**
   * Durable when it resolves; the second copy follows by itself. Calls are carried out in order. Fails with STORAGE_FAILED,
   * STORAGE_FULL, STOPPED.
   */
  update(changes: Partial<Identity>): Promise<void> {
    const updated = this.#inOrder(async () => {
      const identity = { ...this.#current, ...changes };
      await this.#makeDurable();
      await this.#file.write(0, encodeSlot(this.#number + 1, identity));
      this.#number += 1;
      this.#current = identity;
    });
    // If it fails, the next call says so.
    this.#inOrder(() =>
      this.#file.write(SLOT_BYTES, encodeSlot(this.#number, this.#current)),
    ).catch(() => {});
    return updated;
  }

  /**
   * Makes durable what was read, in both slots. Not before the data directory is known to be this process's own. Fails as
   * {@link update} does.
   */
  makeDurable(): Promise<void> {
    return this.#inOrder(() => this.#makeDurable());
  }

  /**
   * The second copy of term and vote. `logSequence`: of the last durable log record. Before, with or after the log's own
   * record, but both before the vote or the term is told to anybody.
   */
  recordVote(hardState: HardState, logSequence: number): Promise<void> {
    return this.update({ hardState, logSequence, hasVoted: true });
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#work;
    if (this.#failure === null)
      this.#failure = new ServerError("STOPPED", "the identity was closed");
    await this.#file.close();
  }

  #inOrder(write: () => Promise<void>): Promise<void> {
    const work = this.#work.then(async () => {
      if (this.#failure !== null) throw this.#failure;
      try {
        await write();
      } catch (error) {
        this.#failure = error;
        throw error;
      }
    });
    this.#work = work.catch(() => {});
    return work;
  }

  async #makeDurable(): Promise<void> {
    if (this.#toRewrite.length === 0) return;
    const slot = encodeSlot(this.#number, this.#current);
    for (const position of this.#toRewrite) await this.#file.write(position, slot);
    this.#toRewrite = [];
  }
}

/**
 * Reads, and writes nothing yet. Null: a new data directory. Fails with IDENTITY_LOST (a log or an image without identity),
 * IDENTITY_DAMAGED (no slot is whole), FORMAT_UNKNOWN, STORAGE_FAILED, also where the medium gives neither slot back whole.
 */
export async function loadIdentity(files: Files, directory: string): Promise<IdentityFile | null> {
  const names = await files.list(directory);
  if (!names.includes(IDENTITY_FILE)) {
    const left = names.find((name) => name === LOG_DIRECTORY || name.startsWith(IMAGE_PREFIX));
    if (left === undefined) return null;
    throw new ServerError("IDENTITY_LOST", `${directory} holds ${left}, but no identity`);
  }
  const path = `${directory}/${IDENTITY_FILE}`;
  const file = await files.open(path, { create: false, durable: true });
  try {
    const first = await readSlot(file, 0);
    const second = await readSlot(file, SLOT_BYTES);
    const { number, identity } = newer(path, first, second);
    if (slotNumber(first) !== number) reached("first_copy_of_identity_damaged");
    if (slotNumber(second) !== number) reached("second_copy_of_identity_behind");
    // Both, because the cache may show of either what the disk refused. First the one that lags or was written last: were
    // the power to go meanwhile, the other one must still hold.
    const isFirstBehind = slotNumber(first) < slotNumber(second);
    const toRewrite = isFirstBehind ? [0, SLOT_BYTES] : [SLOT_BYTES, 0];
    // Its maker may have been killed before the name was durable.
    await files.syncDirectory(directory);
    return new IdentityFile(file, number, identity, toRewrite);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Fails with IDENTITY_MISMATCH where there is one. It stands durably, whole or not at all. */
export async function createIdentity(
  files: Files,
  directory: string,
  identity: Identity,
): Promise<IdentityFile> {
  if ((await files.list(directory)).includes(IDENTITY_FILE)) {
    throw new ServerError("IDENTITY_MISMATCH", `${directory} has an identity already`);
  }
  const path = `${directory}/${IDENTITY_FILE}`;
  const draft = `${path}.tmp`;
  await files.remove(draft);
  const file = await files.open(draft, { create: true, durable: true });
  try {
    const slot = encodeSlot(1, identity);
    await file.write(0, slot);
    await file.write(SLOT_BYTES, slot);
    await files.rename(draft, path);
    await files.syncDirectory(directory);
  } catch (error) {
    await file.close();
    throw error;
  }
  return new IdentityFile(file, 1, identity);
}

/** Of two copies the one that is in force: the higher term, and within a term the one with a vote. */
export function laterHardState(a: HardState, b: HardState): HardState {
  if (a.term !== b.term) return a.term > b.term ? a : b;
  return a.votedFor === null ? b : a;
}

/** Neither term nor vote differ. */
export function isSameHardState(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.votedFor === b.votedFor;
}

function slotNumber(decoded: DecodedSlot): number {
  return decoded.kind === "slot" ? decoded.slot.number : 0;
}

/** One that the medium does not give back is made good by the other like one that is damaged. */
async function readSlot(file: OpenFile, position: number): Promise<DecodedSlot> {
  try {
    return decodeSlot(await file.read(position, SLOT_BYTES));
  } catch (error) {
    if (!isNotGivenBack(error)) throw error;
    reached("copy_of_identity_unreadable");
    return { kind: "unreadable", error };
  }
}

/** Fails with what the medium failed with where that may be why neither can be read: it may give it back another time. */
function newer(path: string, first: DecodedSlot, second: DecodedSlot): Slot {
  for (const decoded of [first, second]) {
    if (decoded.kind === "unknown") {
      throw new ServerError("FORMAT_UNKNOWN", `${path} has format ${decoded.version}`);
    }
  }
  const best = slotNumber(first) >= slotNumber(second) ? first : second;
  if (best.kind === "slot") return best.slot;
  for (const decoded of [first, second]) if (decoded.kind === "unreadable") throw decoded.error;
  throw new ServerError("IDENTITY_DAMAGED", `neither copy in ${path} can be read`);
}

function encodeSlot(number: number, identity: Identity): Uint8Array {
  const { limits } = identity;
  const content = packr.pack([
    identity.clusterId,
    identity.historyId,
    identity.nodeId,
    identity.name,
    identity.formation,
    identity.hardState.term,
    identity.hardState.votedFor,
    identity.hasVoted,
    identity.hasLostEntries,
    identity.image,
    identity.logStarted,
    identity.logTag,
    identity.logSequence,
    limits === null ? null : [limits.bytesMax, limits.sessionsMax, limits.sessionEphemeralsMax],
    identity.memberSince,
    identity.conflictIndex,
  ]);
  const end = SLOT_HEADER_BYTES + content.length;
  assert(end <= SLOT_BYTES, "identity_fits_its_slot", () => `${end} bytes`);
  const slot = new Uint8Array(SLOT_BYTES);
  const view = new DataView(slot.buffer);
  slot.set(MAGIC, 0);
  view.setUint32(12, FORMAT_VERSION, true);
  writeUint64(view, 16, number);
  view.setUint32(24, content.length, true);
  slot.set(content, SLOT_HEADER_BYTES);
  view.setUint32(8, crc32(slot.subarray(12, end)), true);
  return slot;
}

function decodeSlot(bytes: Uint8Array): DecodedSlot {
  const damaged: DecodedSlot = { kind: "damaged" };
  if (bytes.length < SLOT_BYTES || MAGIC.some((byte, at) => bytes[at] !== byte)) return damaged;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = SLOT_HEADER_BYTES + view.getUint32(24, true);
  if (end > SLOT_BYTES || crc32(bytes.subarray(12, end)) !== view.getUint32(8, true))
    return damaged;
  const version = view.getUint32(12, true);
  if (version !== FORMAT_VERSION) return { kind: "unknown", version };
  const identity = decodeIdentity(bytes.subarray(SLOT_HEADER_BYTES, end));
  return identity === null
    ? damaged
    : { kind: "slot", slot: { number: readUint64(view, 16), identity } };
}

/** Null: a whole slot with other content than this program writes. */
function decodeIdentity(content: Uint8Array): Identity | null {
  const fields: unknown = packr.unpack(content);
  if (!Array.isArray(fields)) return null;
  const [clusterId, historyId, node, name, formation, termNumber, vote, hasVoted, hasLost] = fields;
  const [image, logStarted, logTag, logSequence, limitValues, memberSince, conflictIndex] =
    fields.slice(9);
  const limits = limitValues === null ? null : limitsOf(limitValues);
  const votedFor = vote === null ? null : positive(vote);
  const id = positive(node);
  const valid =
    typeof clusterId === "string" &&
    typeof historyId === "string" &&
    typeof name === "string" &&
    (formation === null || formation instanceof Uint8Array) &&
    typeof hasVoted === "boolean" &&
    typeof hasLost === "boolean" &&
    (image === null || typeof image === "string") &&
    typeof logStarted === "boolean" &&
    logTag instanceof Uint8Array &&
    logTag.length === TAG_BYTES;
  if (!valid || id === null || !isCount(termNumber) || !isCount(logSequence)) return null;
  if (vote !== null && votedFor === null) return null;
  if (limitValues !== null && limits === null) return null;
  if (memberSince !== null && !isCount(memberSince)) return null;
  if (conflictIndex !== null && !isCount(conflictIndex)) return null;
  return {
    clusterId,
    historyId,
    nodeId: nodeId(id),
    name,
    formation: formation === null ? null : Uint8Array.from(formation),
    limits,
    hardState: { term: term(termNumber), votedFor: votedFor === null ? null : nodeId(votedFor) },
    hasVoted,
    hasLostEntries: hasLost,
    conflictIndex,
    image,
    logStarted,
    logTag: Uint8Array.from(logTag),
    logSequence,
    memberSince,
  };
}

function limitsOf(values: unknown): ReplicatedLimits | null {
  if (!Array.isArray(values)) return null;
  const [bytesMax, sessionsMax, sessionEphemeralsMax]: readonly unknown[] = values;
  const valid = isCount(bytesMax) && isCount(sessionsMax) && isCount(sessionEphemeralsMax);
  return valid ? { bytesMax, sessionsMax, sessionEphemeralsMax } : null;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function positive(value: unknown): number | null {
  return isCount(value) && value > 0 ? value : null;
}
