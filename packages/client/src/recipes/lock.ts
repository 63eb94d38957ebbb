import type { Lock, LockHandle, LockOptions } from "../api.ts";
import { checkCallOptions } from "../cancellations.ts";
import { checkOp, dataBytes } from "../checked-op.ts";
import { QuorateError } from "../errors.ts";
import { Contender } from "./contender.ts";
import type { Contenders } from "./contenders.ts";
import type { RecipeHost } from "./recipe-host.ts";

/** Gets in line at the directory `path`; codes of bad arguments, and those of {@link LockHandle}. */
export async function acquireLock(
  place: { readonly path: string; readonly wait: boolean },
  options: LockOptions | undefined,
  host: RecipeHost,
  contenders: Contenders,
): Promise<Lock> {
  const { path, wait } = place;
  const op = { kind: "acquire", path, data: dataBytes(options?.data ?? ""), wait } as const;
  const error = checkOp(op, 0) ?? checkCallOptions(options) ?? host.checkEnd();
  if (error !== null) throw error;
  return await new Contender(path, host, contenders).acquire(op, options);
}

/** Locks at one directory. */
export class LockDirectory implements LockHandle {
  readonly path: string;
  readonly #host: RecipeHost;
  readonly #contenders: Contenders;

  constructor(path: string, host: RecipeHost, contenders: Contenders) {
    this.path = path;
    this.#host = host;
    this.#contenders = contenders;
  }

  acquire(options?: LockOptions): Promise<Lock> {
    const place = { path: this.path, wait: true };
    return acquireLock(place, options, this.#host, this.#contenders);
  }

  async tryAcquire(options?: LockOptions): Promise<Lock | null> {
    const place = { path: this.path, wait: false };
    try {
      return await acquireLock(place, options, this.#host, this.#contenders);
    } catch (error) {
      if (error instanceof QuorateError && error.code === "LOCK_HELD") return null;
      throw error;
    }
  }
}
