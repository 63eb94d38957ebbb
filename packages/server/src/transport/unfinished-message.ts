/** Of the longest header: two bytes, a length of eight, a mask of four. */
const HEADER_BYTES_MAX = 14;
const FINAL = 0x80;
/** Set in the opcode of pings, pongs and closes, which may come between the frames of a message. */
const CONTROL = 0x08;
const MASKED = 0x80;
const LENGTH = 0x7f;
const LENGTH_IN_2_BYTES = 126;
const LENGTH_IN_8_BYTES = 127;

/** What each piece from the network costs beside its bytes, however short it is; measured: 900. */
const PIECE_COST_BYTES = 1_024;
/** The same for each frame of a message that has several; measured: 100. */
const FRAME_COST_BYTES = 128;

/**
 * Follows the frames that come in on one WebSocket, to know what memory the message takes that is not complete yet: it is kept
 * by the library, which tells nobody. What breaks the rules for frames may be measured wrongly; its connection ends.
 */
export class UnfinishedMessage {
  readonly #header = new Uint8Array(HEADER_BYTES_MAX);
  /** Bytes of the header that have come; 0: none is under way. */
  #headerLength = 0;
  #payloadLeft = 0;
  /** The frames of the message that came do not end it. */
  #isFragmented = false;
  #heapBytes = 0;

  /** Memory that it takes, about; 0 between messages. */
  get heapBytes(): number {
    return this.#heapBytes;
  }

  /** The next piece came from the network. It stays in memory as a whole for as long as one byte of it is waited on. */
  take(piece: Uint8Array): void {
    for (let at = 0; at < piece.length;) {
      if (this.#payloadLeft === 0) {
        this.#takeHeader(piece[at] ?? 0);
        at += 1;
      } else {
        const taken = Math.min(this.#payloadLeft, piece.length - at);
        at += taken;
        this.#payloadLeft -= taken;
        if (this.#payloadLeft === 0) this.#endFrame();
      }
    }
    const isBetween = this.#headerLength === 0 && this.#payloadLeft === 0 && !this.#isFragmented;
    if (!isBetween) this.#heapBytes += piece.length + PIECE_COST_BYTES;
  }

  #takeHeader(byte: number): void {
    this.#header[this.#headerLength] = byte;
    this.#headerLength += 1;
    if (this.#headerLength < 2 || this.#headerLength < headerLength(this.#header)) return;
    this.#headerLength = 0;
    this.#payloadLeft = payloadLength(this.#header);
    if (this.#payloadLeft === 0) this.#endFrame();
  }

  #endFrame(): void {
    const [first = 0] = this.#header;
    if ((first & CONTROL) === 0) {
      this.#isFragmented = (first & FINAL) === 0;
      this.#heapBytes += FRAME_COST_BYTES;
    }
    if (!this.#isFragmented) this.#heapBytes = 0;
  }
}

function headerLength(header: Uint8Array): number {
  const second = header[1] ?? 0;
  return 2 + lengthBytes(second) + ((second & MASKED) === 0 ? 0 : 4);
}

function payloadLength(header: Uint8Array): number {
  const second = header[1] ?? 0;
  const more = lengthBytes(second);
  if (more === 0) return second & LENGTH;
  return header.subarray(2, 2 + more).reduce((length, byte) => length * 256 + byte, 0);
}

/** Of a length that the second byte has no room for. */
function lengthBytes(second: number): number {
  const length = second & LENGTH;
  if (length === LENGTH_IN_8_BYTES) return 8;
  return length === LENGTH_IN_2_BYTES ? 2 : 0;
}
