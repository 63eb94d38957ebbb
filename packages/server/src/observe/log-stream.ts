import { constants, fstatSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { pino } from "pino";

/** Where log lines go. Nothing ever waits for whoever reads them. */
export interface LogStream {
  /** Lines given up. */
  readonly droppedCount: number;
  write(line: string): void;
  /** Resolves once everything is written, at the latest after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void>;
}

/**
 * Opens a descriptor of this process for log lines. At most `bufferBytesMax` wait in memory, what comes on top is dropped.
 * `onCaughtUp` is called when everything is written again.
 *
 * A write to a full pipe or socket that blocks would hold a thread of the pool, and the process could not even exit: these
 * are written to without blocking. Files have no reader to wait for, and at a terminal sits somebody who can go on.
 */
export function openLogStream(
  descriptor: number,
  bufferBytesMax: number,
  onCaughtUp: () => void,
): LogStream {
  const stats = fstatSync(descriptor);
  if (stats.isSocket()) return pipeStream(descriptor, bufferBytesMax, onCaughtUp);
  if (stats.isFIFO()) return pipeStream(reopen(descriptor), bufferBytesMax, onCaughtUp);
  return fileStream(descriptor, bufferBytesMax, onCaughtUp);
}

/** A second opening of a pipe: not to block would otherwise be asked for every process that shares the first. */
function reopen(descriptor: number): number {
  try {
    const { O_WRONLY, O_APPEND, O_NONBLOCK, O_NOCTTY } = constants;
    return openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
  } catch {
    return descriptor;
  }
}

function fileStream(descriptor: number, bufferBytesMax: number, onCaughtUp: () => void): LogStream {
  const flushes = new Flushes();
  const stream = pino.destination({
    fd: descriptor,
    sync: false,
    minLength: 0,
    maxLength: bufferBytesMax,
  });
  let dropped = 0;
  stream.on("drop", () => {
    dropped += 1;
  });
  // A reader that went away must not end the process: the lines are lost, as with a stuck one.
  stream.on("error", () => {
    dropped += 1;
    flushes.settle();
  });
  stream.on("drain", () => {
    flushes.settle();
    onCaughtUp();
  });
  return {
    get droppedCount() {
      return dropped;
    },
    write: (line) => {
      flushes.begin();
      stream.write(line);
    },
    flush: (timeoutMs) => flushes.wait(timeoutMs),
  };
}

function pipeStream(descriptor: number, bufferBytesMax: number, onCaughtUp: () => void): LogStream {
  const flushes = new Flushes();
  const socket = new Socket({ fd: descriptor, readable: false, writable: true });
  let dropped = 0;
  let pending = 0;
  let isBroken = false;
  socket.on("error", () => undefined);
  socket.unref();
  const onWritten = (error?: Error | null): void => {
    pending -= 1;
    if (error !== undefined && error !== null) {
      // The reader is gone for good. To tell it of lines that were lost would lose another one, and so on.
      isBroken = true;
      dropped += 1;
    }
    if (pending > 0) return;
    flushes.settle();
    if (!isBroken) onCaughtUp();
  };
  return {
    get droppedCount() {
      return dropped;
    },
    write: (line) => {
      if (isBroken || socket.writableLength + line.length > bufferBytesMax) {
        dropped += 1;
        return;
      }
      flushes.begin();
      pending += 1;
      socket.write(line, onWritten);
    },
    flush: (timeoutMs) => flushes.wait(timeoutMs),
  };
}

/** Who waits for the stream to be written out. */
class Flushes {
  readonly #waiting = new Set<() => void>();
  #isWriting = false;

  begin(): void {
    this.#isWriting = true;
  }

  settle(): void {
    this.#isWriting = false;
    for (const finish of this.#waiting) finish();
  }

  wait(timeoutMs: number): Promise<void> {
    if (!this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(finish);
        resolve();
      };
      const timer = setTimeout(finish, timeoutMs);
      this.#waiting.add(finish);
    });
  }
}
