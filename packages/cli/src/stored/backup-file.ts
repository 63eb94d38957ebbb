import { createReadStream } from "node:fs";
import type { TextSink } from "../context.ts";
import { Progress } from "../format/progress.ts";
import { readError } from "./stored-data.ts";

const PORTION_BYTES = 1_048_576;

/**
 * A file's bytes as they are read, with progress on a terminal. `verb`: what is being done with them. Fails with a usage error
 * where there is no such file, and UNREADABLE.
 */
export async function* readBackupFile(
  path: string,
  err: TextSink,
  verb: string,
): AsyncGenerator<Uint8Array> {
  using progress = new Progress(err, verb);
  const stream: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: PORTION_BYTES });
  try {
    for await (const bytes of stream) {
      progress.add(bytes.length);
      yield bytes;
    }
  } catch (error) {
    throw readError(error, path, "name one that `quorate snapshot save` wrote");
  }
}
