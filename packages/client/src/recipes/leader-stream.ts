import type { FencingToken } from "@quorate/kv-store/protocol";
import type { CallOptions, Leader } from "../api.ts";
import { AsyncQueue } from "../async-queue.ts";
import { checkCallOptions, type CancellationTicket } from "../cancellations.ts";
import { checkReadPath } from "../checked-op.ts";
import { QuorateError } from "../errors.ts";
import { abandonment } from "../failure.ts";
import { reached } from "../points.ts";
import type { WatchRecord } from "../watches.ts";
import type { RecipeHost } from "./recipe-host.ts";

/** A leader is only asked for when somebody waits for it, so none is ever kept. */
const NOTHING_WAITS = { countMax: 0, bytesMax: 0 };

type Result = IteratorResult<Leader | null, undefined>;

/**
 * The leaders of an election, for one loop: asked for when the directory has changed and the loop wants the next, so
 * several changes while nobody looks are one. Registers its watch with the first `next`.
 */
export class LeaderStream implements AsyncIterator<Leader | null, undefined> {
  readonly #path: string;
  readonly #host: RecipeHost;
  readonly #options: CallOptions | undefined;
  readonly #ask: () => Promise<Leader | null>;
  readonly #leaders = new AsyncQueue<Leader | null>(NOTHING_WAITS);
  #isStarted = false;
  #record: WatchRecord | null = null;
  #ticket: CancellationTicket | null = null;
  /** Calls of `next` that have no answer. */
  #wanted = 0;
  /** Something has changed since the leader was last asked for. */
  #isRung = false;
  #isAsking = false;
  /** Token of the leader handed out last; undefined before the first. */
  #known: FencingToken | null | undefined;

  /** `ask` tells who leads now. */
  constructor(
    path: string,
    host: RecipeHost,
    ask: () => Promise<Leader | null>,
    options: CallOptions | undefined,
  ) {
    this.#path = path;
    this.#host = host;
    this.#ask = ask;
    this.#options = options;
  }

  next(): Promise<Result> {
    if (!this.#isStarted) this.#start();
    this.#wanted += 1;
    const result = this.#leaders.next();
    this.#advance();
    return result;
  }

  return(): Promise<Result> {
    this.#isStarted = true;
    this.#end(null);
    return Promise.resolve({ done: true, value: undefined });
  }

  #start(): void {
    this.#isStarted = true;
    const options = this.#options;
    const error = checkReadPath(this.#path) ?? checkCallOptions(options) ?? this.#host.checkEnd();
    if (error !== null) {
      this.#end(error);
      return;
    }
    const ring = (): void => {
      this.#isRung = true;
      this.#advance();
    };
    this.#record = this.#host.addWatch(
      { path: this.#path, mode: "persistent", withData: false, sinceZxid: null },
      { onAdded: ring, onNotice: ring, onEnd: (end) => this.#end(end) },
    );
    if (this.#record === null) {
      this.#end(new QuorateError("OVERLOADED", "too many watches", { path: this.#path }));
    } else {
      this.#ticket = this.#host.cancellations.watch(
        (code, cause) => {
          this.#end(abandonment(code, { outcomeUnknown: false, cause, path: this.#path }));
        },
        { signal: options?.signal },
      );
    }
  }

  #advance(): void {
    if (!this.#isRung || this.#isAsking || this.#wanted === 0 || this.#leaders.isEnded) return;
    this.#isRung = false;
    this.#isAsking = true;
    this.#ask().then(
      (leader) => this.#onLeader(leader),
      (error: unknown) => this.#end(error),
    );
  }

  #onLeader(leader: Leader | null): void {
    this.#isAsking = false;
    const token = leader?.token ?? null;
    if (token !== this.#known && this.#known !== undefined)
      reached("leader_changed_while_followed");
    if (token !== this.#known && !this.#leaders.isEnded) {
      this.#known = token;
      this.#wanted -= 1;
      this.#leaders.push(leader, 0);
    }
    this.#advance();
  }

  #end(error: unknown): void {
    this.#host.cancellations.release(this.#ticket);
    this.#ticket = null;
    if (this.#record !== null) this.#host.removeWatch(this.#record);
    this.#record = null;
    // Whoever closed the client knows that nothing more comes.
    const isQuiet = error instanceof QuorateError && error.code === "CLOSED";
    this.#leaders.end(isQuiet ? null : error);
  }
}
