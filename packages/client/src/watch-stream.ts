import type { CallOptions, Watch, WatchNotice } from "./api.ts";
import { AsyncQueue } from "./async-queue.ts";
import type { CancellationTicket, OnAbandoned } from "./cancellations.ts";
import { textBytes } from "./checked-op.ts";
import { QuorateError } from "./errors.ts";
import { abandonment } from "./failure.ts";
import { reached } from "./points.ts";
import type { RecipeHost } from "./recipes/recipe-host.ts";
import type { WatchRecord, WatchSink, WatchSpec } from "./watches.ts";

/** Notices that wait for the application: beyond either they are dropped and a `lost` notice says so. */
const BUFFER = { countMax: 16_384, bytesMax: 16_777_216 };
/** What a notice costs beside path and data, bytes. */
const NOTICE_BYTES = 200;

/** What a watch needs of its session. */
export type WatchHost = Pick<RecipeHost, "addWatch" | "removeWatch" | "cancellations">;

/** What the application holds of a watch. */
export class WatchStream implements Watch, WatchSink {
  readonly path: string;
  readonly mode: WatchSpec["mode"];
  /** Settles with the service's first answer. */
  readonly #added: Promise<void>;
  readonly #spec: WatchSpec;
  readonly #queue = new AsyncQueue<WatchNotice>(BUFFER);
  readonly #host: WatchHost;
  /** Null once it stands no more. */
  #record: WatchRecord | null = null;
  #abortTicket: CancellationTicket | null = null;
  /** Up to here a `lost` notice of this client's own stands for the events. */
  #lostZxid = 0;
  #resolve: () => void = UNSET;
  #reject: (error: QuorateError) => void = UNSET;

  constructor(spec: WatchSpec, host: WatchHost) {
    this.path = spec.path;
    this.mode = spec.mode;
    this.#spec = spec;
    this.#host = host;
    this.#added = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /**
   * Registers it and resolves when the service has confirmed that. The timeout ends with that, the signal goes on. Codes:
   * OVERLOADED, ABORTED, TIMEOUT, and what the service refuses it with.
   */
  async open({ signal, timeoutMs }: CallOptions): Promise<void> {
    this.#record = this.#host.addWatch(this.#spec, this);
    const { path } = this;
    if (this.#record === null) throw new QuorateError("OVERLOADED", "too many watches", { path });
    const { cancellations } = this.#host;
    const onAbandoned: OnAbandoned = (code, cause) => {
      this.#leave();
      this.onEnd(abandonment(code, { outcomeUnknown: false, cause, path }));
    };
    this.#abortTicket = cancellations.watch(onAbandoned, { signal });
    const timeout = cancellations.watch(onAbandoned, { timeoutMs });
    try {
      await this.#added;
    } finally {
      cancellations.release(timeout);
    }
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
    reached("watch_not_read_overflowed");
    this.#lostZxid = zxid;
    this.#queue.clear();
    this.#queue.push({ type: "lost", oldestZxid: zxid, zxid }, NOTICE_BYTES);
  }

  onEnd(error: QuorateError): void {
    this.#record = null;
    this.#releaseSignal();
    this.#reject(error);
    // Whoever closed the client knows; anybody else has to learn that no more events come.
    this.#queue.end(error.code === "CLOSED" ? null : error);
  }

  close(): Promise<void> {
    this.#leave();
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

  #leave(): void {
    if (this.#record !== null) this.#host.removeWatch(this.#record);
    this.#record = null;
    this.#releaseSignal();
  }

  #releaseSignal(): void {
    this.#host.cancellations.release(this.#abortTicket);
    this.#abortTicket = null;
  }
}

/** Stands only until the promise's executor has run. */
const UNSET = (): void => undefined;
