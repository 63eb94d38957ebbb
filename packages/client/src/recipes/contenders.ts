import type { FencingToken } from "@quorate/kv-store/protocol";
import { QuorateError } from "../errors.ts";
import type { Contender } from "./contender.ts";

/** The contenders of a session that wait for a lock or hold one, by token. */
export class Contenders {
  readonly #byToken = new Map<FencingToken, Contender>();
  /** Those that were given up before the service answered: they may be in a line yet. */
  readonly #leaving = new Set<Contender>();

  get count(): number {
    return this.#byToken.size;
  }

  /** One of them holds a lock. */
  get isHolding(): boolean {
    for (const contender of this.#byToken.values()) if (contender.isHeld) return true;
    return false;
  }

  /** It has its token and is in line. */
  add(contender: Contender): void {
    if (contender.token !== 0) this.#byToken.set(contender.token, contender);
  }

  /** It waits no more and holds nothing. */
  remove(contender: Contender): void {
    if (contender.token !== 0) this.#byToken.delete(contender.token);
  }

  /** It was given up, and is in line perhaps. */
  addLeaving(contender: Contender): void {
    this.#leaving.add(contender);
  }

  /** Its release is on its way, or it never was in line. */
  removeLeaving(contender: Contender): void {
    this.#leaving.delete(contender);
  }

  isLeaving(path: string): boolean {
    for (const contender of this.#leaving) if (contender.path === path) return true;
    return false;
  }

  onGranted(token: FencingToken): void {
    this.#byToken.get(token)?.onGranted();
  }

  /** A new connection. */
  onAttached(): void {
    for (const contender of this.#byToken.values()) contender.onAttached();
  }

  /** The session is over: whoever holds a lock learns it here, before anything else does. */
  loseAll(end: QuorateError): void {
    const loss = new QuorateError("LOCK_LOST", "the session is over", { cause: end });
    for (const contender of this.#byToken.values()) contender.onSessionEnd(end, loss);
    this.#byToken.clear();
    this.#leaving.clear();
  }
}
