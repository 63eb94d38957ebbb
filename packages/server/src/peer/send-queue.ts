import type { PeerLimits } from "../limits.ts";
import { reached } from "../points.ts";
import type { PeerEnvelope } from "./envelope.ts";
import { encodePeerFrame, envelopeBytes, type BlockFor } from "./peer-codec.ts";

/** Frames are filled up to this, so that the receiver can begin with the first while the next are on their way. */
const FRAME_BYTES_TARGET = 1_048_576;
const FRAME_ENVELOPES_MAX = 4096;
/** Snapshot pieces that wait; whoever sends a snapshot is told to pause by a refusal. */
const BULK_COUNT_MAX = 16;

/** What a link hands its frames to. */
export interface FrameSink {
  /** Bytes taken and not yet in the network. */
  readonly bufferedBytes: number;
  send(frame: Uint8Array): void;
}

/**
 * What waits for one peer within a turn. Order is kept, except that snapshot pieces wait until everything else is on its
 * way. Beyond the bounds entries and proposals are refused, while heartbeats, votes and acknowledgements still find room.
 */
export class SendQueue {
  readonly #limits: PeerLimits;
  #envelopes: PeerEnvelope[] = [];
  #sizes: number[] = [];
  #bytes = 0;
  #bulk: PeerEnvelope[] = [];
  #bulkBytes = 0;

  constructor(limits: PeerLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes + this.#bulkBytes;
  }

  /** False: refused, there is no room. `bufferedBytes`: what the network has yet to take. */
  offer(envelope: PeerEnvelope, bufferedBytes: number): boolean {
    const bytes = envelopeBytes(envelope);
    if (bytes >= this.#limits.frameBytesMax) return false;
    if (envelope.kind === "snapshotChunk") return this.#offerBulk(envelope, bytes);
    const { queueBytesMax, queueCountMax, reserveBytes, reserveCount } = this.#limits;
    const heavy = isHeavy(envelope);
    const bytesMax = heavy ? queueBytesMax : queueBytesMax + reserveBytes;
    const countMax = heavy ? queueCountMax : queueCountMax + reserveCount;
    if (this.#bytes + bytes + bufferedBytes > bytesMax) {
      reached("peer_queue_full_of_bytes");
      return false;
    }
    if (this.#envelopes.length >= countMax) {
      reached("peer_queue_full_of_envelopes");
      return false;
    }
    this.#envelopes.push(envelope);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    return true;
  }

  #offerBulk(envelope: PeerEnvelope, bytes: number): boolean {
    if (this.#bulk.length >= BULK_COUNT_MAX) {
      reached("snapshot_piece_found_no_room");
      return false;
    }
    const room = this.#limits.queueBytesMax - this.#bulkBytes;
    if (this.#bulk.length > 0 && bytes > room) return false;
    this.#bulk.push(envelope);
    this.#bulkBytes += bytes;
    return true;
  }

  /** Sends everything but those snapshot pieces that would make the rest wait. Returns the number of frames. */
  drainTo(sink: FrameSink, blockFor: BlockFor): number {
    let frames = 0;
    let start = 0;
    while (start < this.#envelopes.length) {
      const end = this.#frameEnd(start);
      const whole = start === 0 && end === this.#envelopes.length;
      const envelopes = whole ? this.#envelopes : this.#envelopes.slice(start, end);
      sink.send(encodePeerFrame(envelopes, blockFor));
      frames += 1;
      start = end;
    }
    if (start > 0) this.#reset();
    while (this.#bulk.length > 0 && sink.bufferedBytes <= this.#limits.bulkBufferedBytesMax) {
      const pieces = this.#bulk.splice(0, 1);
      for (const piece of pieces) this.#bulkBytes -= envelopeBytes(piece);
      sink.send(encodePeerFrame(pieces, blockFor));
      frames += 1;
    }
    return frames;
  }

  /** Forgets everything: the link is gone, and what was meant for it is stale. */
  clear(): void {
    this.#reset();
    this.#bulk = [];
    this.#bulkBytes = 0;
  }

  #reset(): void {
    this.#envelopes = [];
    this.#sizes = [];
    this.#bytes = 0;
  }

  #frameEnd(start: number): number {
    let bytes = this.#sizes[start] ?? 0;
    let end = start + 1;
    while (end < this.#envelopes.length && end - start < FRAME_ENVELOPES_MAX) {
      bytes += this.#sizes[end] ?? 0;
      if (bytes > FRAME_BYTES_TARGET) {
        reached("peer_frame_full_within_a_turn");
        break;
      }
      end += 1;
    }
    return end;
  }
}

function isHeavy(envelope: PeerEnvelope): boolean {
  if (envelope.kind === "proposals") return true;
  return (
    envelope.kind === "raft" &&
    envelope.message.kind === "appendEntries" &&
    envelope.message.entries.length > 0
  );
}
