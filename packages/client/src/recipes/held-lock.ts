import type { FencingToken, WriteOp } from "@quorate/kv-store/protocol";
import type { CallOptions, Lock } from "../api.ts";
import type { QuorateError } from "../errors.ts";

/** What a lock asks of its place in the line. */
export interface LockPlace {
  readonly path: string;
  assertHeld(): void;
  release(options: CallOptions | undefined): Promise<void>;
}

/** What the application holds of a lock or of a leadership. */
export class HeldLock implements Lock {
  readonly path: string;
  readonly contender: string;
  readonly token: FencingToken;
  readonly signal: AbortSignal;
  readonly #place: LockPlace;
  readonly #controller = new AbortController();

  constructor(place: LockPlace, contender: string, token: FencingToken) {
    this.path = place.path;
    this.contender = contender;
    this.token = token;
    this.signal = this.#controller.signal;
    this.#place = place;
  }

  /** It is held no more. */
  lose(reason: QuorateError): void {
    this.#controller.abort(reason);
  }

  guard(): Extract<WriteOp, { readonly kind: "guard" }> {
    return { kind: "guard", path: this.path, token: this.token };
  }

  assertHeld(): void {
    this.#place.assertHeld();
  }

  release(options?: CallOptions): Promise<void> {
    return this.#place.release(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#place.release(undefined);
  }
}
