import type { FencingToken, QueryReply } from "@quorate/kv-store/protocol";
import type { CallOptions, Election, Leader, Lock, LockOptions, ReadOptions } from "../api.ts";
import { AsyncQueue } from "../async-queue.ts";
import { ReadCall } from "../call.ts";
import { checkCallOptions } from "../cancellations.ts";
import { checkConsistency, checkReadPath, ownedBytes, queryBytes } from "../checked-op.ts";
import { QuorateError } from "../errors.ts";
import { abandonment } from "../failure.ts";
import type { Contenders } from "./contenders.ts";
import { acquireLock } from "./lock.ts";
import type { RecipeHost } from "./recipe-host.ts";

/** Several changes while nobody looks are one: the newest leader is asked for anyway. */
const BELL = { countMax: 1, bytesMax: 1 };

/** An election at one directory: the lock there, with the holder as leader. */
export class LockElection implements Election {
  readonly path: string;
  readonly #host: RecipeHost;
  readonly #contenders: Contenders;

  constructor(path: string, host: RecipeHost, contenders: Contenders) {
    this.path = path;
    this.#host = host;
    this.#contenders = contenders;
  }

  campaign(options?: LockOptions): Promise<Lock> {
    const place = { path: this.path, wait: true };
    return acquireLock(place, options, this.#host, this.#contenders);
  }

  async leader(options?: ReadOptions): Promise<Leader | null> {
    const error = checkReadPath(this.path) ?? checkConsistency(options) ?? this.#host.checkEnd();
    if (error !== null) throw error;
    const query = { kind: "holder", path: this.path } as const;
    const consistency = options?.consistency ?? "linearizable";
    const call = new ReadCall(query, consistency, queryBytes(query), leaderOf);
    this.#host.submitRead(call, options);
    try {
      return await call.promise;
    } catch (error) {
      // Nobody has ever campaigned here.
      if (error instanceof QuorateError && error.code === "NO_NODE") return null;
      throw error;
    }
  }

  observe(options?: CallOptions): AsyncIterable<Leader | null> {
    return { [Symbol.asyncIterator]: () => this.#observe(options) };
  }

  async *#observe(options: CallOptions | undefined): AsyncGenerator<Leader | null, void> {
    const error = checkReadPath(this.path) ?? checkCallOptions(options) ?? this.#host.checkEnd();
    if (error !== null) throw error;
    const bell = new AsyncQueue<true>(BELL);
    const ticket = this.#host.cancellations.watch(
      {
        onAbandoned: (code, cause) => {
          bell.end(abandonment(code, { outcomeUnknown: false, cause, path: this.path }));
        },
      },
      options?.signal === undefined ? undefined : { signal: options.signal },
    );
    const ring = (): void => void bell.push(true, 1);
    const record = this.#host.addWatch(
      { path: this.path, mode: "persistent", withData: false, sinceZxid: null },
      { onAdded: ring, onNotice: ring, onEnd: (end) => bell.end(end) },
    );
    if (record === null) bell.end(new QuorateError("OVERLOADED", "too many watches"));
    try {
      yield* this.#changes(bell, options);
    } catch (error) {
      // Whoever closed the client knows that nothing more comes.
      if (!(error instanceof QuorateError && error.code === "CLOSED")) throw error;
    } finally {
      if (ticket !== null) this.#host.cancellations.release(ticket);
      if (record !== null) this.#host.removeWatch(record);
    }
  }

  async *#changes(
    bell: AsyncQueue<true>,
    options: CallOptions | undefined,
  ): AsyncGenerator<Leader | null, void> {
    let known: FencingToken | null | undefined;
    for (let rung = await bell.next(); rung.done !== true; rung = await bell.next()) {
      const leader = await this.leader(options);
      const token = leader?.token ?? null;
      if (token === known) continue;
      known = token;
      yield leader;
    }
  }
}

function leaderOf(reply: QueryReply): Leader | null {
  if (reply.kind !== "holder") throw new QuorateError("PROTOCOL_ERROR", "no answer to a holder");
  if (reply.holder === null) return null;
  const { contender, token, session, data } = reply.holder;
  return { contender, token, session, data: ownedBytes(data) };
}
