import type { QueryReply } from "@quorate/kv-store/protocol";
import type { CallOptions, Election, Leader, Lock, LockOptions, ReadOptions } from "../api.ts";
import { ReadCall } from "../call.ts";
import { checkConsistency, checkReadPath, ownedBytes, queryBytes } from "../checked-op.ts";
import { QuorateError } from "../errors.ts";
import type { Contenders } from "./contenders.ts";
import { LeaderStream } from "./leader-stream.ts";
import { acquireLock } from "./lock.ts";
import type { RecipeHost } from "./recipe-host.ts";

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
    this.#host.submit(call, options);
    return orNobody(call.promise);
  }

  observe(options?: CallOptions): AsyncIterable<Leader | null> {
    // Not as `leader` does: behind writes that are refused, while disks are full, say, nobody would hear of a new leader.
    const ask = (): Promise<Leader | null> =>
      orNobody(this.#host.ask({ kind: "holder", path: this.path }, options).then(leaderOf));
    return {
      [Symbol.asyncIterator]: () => new LeaderStream(this.path, this.#host, ask, options),
    };
  }
}

/** Where nobody has ever campaigned nobody leads. */
async function orNobody(leader: Promise<Leader | null>): Promise<Leader | null> {
  try {
    return await leader;
  } catch (error) {
    if (error instanceof QuorateError && error.code === "NO_NODE") return null;
    throw error;
  }
}

function leaderOf(reply: QueryReply): Leader | null {
  if (reply.kind !== "holder") throw new QuorateError("PROTOCOL_ERROR", "no answer to a holder");
  if (reply.holder === null) return null;
  const { contender, token, session, data } = reply.holder;
  return { contender, token, session, data: ownedBytes(data) };
}
