import type { Watch, WatchNotice } from "./api.ts";
import { AsyncQueue } from "./async-queue.ts";
import { textBytes } from "./checked-op.ts";
import type { QuorateError } from "./errors.ts";
import type { WatchSink, WatchSpec } from "./watches.ts";

/** Notices that wait for the application: beyond either they are dropped and a `lost` notice says so. */
const BUFFER = { countMax: 16_384, bytesMax: 16_777_216 };
/** What a notice costs beside path and data, bytes. */
const NOTICE_BYTES = 200;

/** What the application holds of a watch. */
export class WatchStream implements Watch, WatchSink {
  readonly path: string;
  readonly mode: WatchSpec["mode"];
  /** Settles with the service's first answer. */
  readonly added: Promise<void>;
  readonly #queue = new AsyncQueue<WatchNotice>(BUFFER);
  readonly #remove: () => void;
  /** Up to here a `lost` notice of this client's own stands for the events. */
  #lostZxid = 0;
  #resolve: () => void = UNSET;
  #reject: (error: QuorateError) => void = UNSET;

  /** `remove` ends the watch at the service. */
  constructor(spec: WatchSpec, remove: () => void) {
    this.path = spec.path;
    this.mode = spec.mode;
    this.#remove = remove;
    this.added = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  onAdded(): void {
    this.#resolve();
  }

  onNotice(notice: WatchNotice): void {
    const hasEvent = notice.type === "event";
    const data = hasEvent ? (notice.data?.length ?? 0) : 0;
    const bytes = NOTICE_BYTES + data + (hasEvent ? textBytes(notice.path) : 0);
    const { zxid } = notice;
    if (zxid <= this.#lostZxid || this.#queue.push(notice, bytes)) return;
    this.#lostZxid = zxid;
    this.#queue.clear();
    this.#queue.push({ type: "lost", oldestZxid: zxid, zxid }, NOTICE_BYTES);
  }

  onEnd(error: QuorateError): void {
    this.#reject(error);
    // Whoever closed the client knows; anybody else has to learn that no more events come.
    this.#queue.end(error.code === "CLOSED" ? null : error);
  }

  close(): Promise<void> {
    this.#remove();
    this.#queue.clear();
    this.#queue.end();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchNotice, undefined> {
    return {
      next: () => this.#queue.next(),
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }
}

/** Stands only until the promise's executor has run. */
const UNSET = (): void => undefined;
