import { ServerError } from "../errors.ts";
import { decodeTraceLine, TRACE_MAGIC, type TraceLine } from "./trace-line.ts";

/** A line is at most this long; whatever is longer is no line of a trace. */
const LINE_BYTES_MAX = 134_217_728;
const NEWLINE = 0x0a;

/** What stands in a trace, line by line; `torn`: the file ends in the middle of one. */
export type TraceItem = TraceLine | { readonly kind: "torn" };

/**
 * Reads a trace out of the bytes of its file. Throws NO_TRACE for anything that does not begin like one, FORMAT_UNKNOWN for one
 * of another version, and TRACE_DAMAGED with the line.
 */
export async function* readTrace(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<TraceItem> {
  const decoder = new TextDecoder();
  let pieces: Uint8Array[] = [];
  let pendingBytes = 0;
  let lines = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      pieces.push(chunk.subarray(from, end));
      lines += 1;
      yield decodeLine(decoder.decode(joined(pieces)), lines);
      pieces = [];
      pendingBytes = 0;
      from = end + 1;
    }
    if (from === chunk.length) continue;
    pieces.push(chunk.subarray(from));
    pendingBytes += chunk.length - from;
    if (lines === 0 && pendingBytes >= TRACE_MAGIC.length)
      checkMagic(decoder.decode(joined(pieces)));
    if (pendingBytes > LINE_BYTES_MAX) {
      throw new ServerError(
        "TRACE_DAMAGED",
        `line ${lines + 1} is longer than any line of a trace`,
      );
    }
  }
  if (pendingBytes > 0 && lines > 0) yield { kind: "torn" };
  if (lines > 0) return;
  checkMagic(decoder.decode(joined(pieces)));
  throw new ServerError("NO_TRACE", "the file ends within its first line: nothing was recorded");
}

function decodeLine(line: string, number: number): TraceLine {
  if (number === 1) checkMagic(line);
  const decoded = decodeTraceLine(line, number);
  if ((decoded.kind === "head") === (number === 1)) return decoded;
  throw new ServerError("TRACE_DAMAGED", `line ${number}: a trace begins once`);
}

function checkMagic(line: string): void {
  const isStart = line.startsWith(TRACE_MAGIC) || TRACE_MAGIC.startsWith(line);
  if (!isStart) throw new ServerError("NO_TRACE", "this is no trace of a core");
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
}
