import type {
  FencingToken,
  QueryReply,
  WriteOp,
  WriteReply,
  Zxid,
} from "@quorate/kv-store/protocol";
import type { CallOptions, Lock, WatchNotice } from "../api.ts";
import { WriteCall, type PendingWrite } from "../call.ts";
import type { CancellationTicket } from "../cancellations.ts";
import { writeBytes } from "../checked-op.ts";
import { QuorateError } from "../errors.ts";
import { abandonment, type AbandonCode } from "../failure.ts";
import { reached } from "../points.ts";
import type { WatchRecord } from "../watches.ts";
import type { Contenders } from "./contenders.ts";
import { HeldLock } from "./held-lock.ts";
import type { RecipeHost } from "./recipe-host.ts";

type AcquireOp = Extract<WriteOp, { readonly kind: "acquire" }>;
type AcquireReply = Extract<WriteReply, { readonly kind: "acquire" }>;

/** Where a contender stands; `leaving` and `ended` hold nothing any more. */
type State =
  /** The acquire has not been answered. */
  | { readonly kind: "asking"; readonly call: PendingWrite }
  | { readonly kind: "waiting" }
  | { readonly kind: "held"; readonly lock: HeldLock }
  /** The caller gave up before the acquire was answered: the answer is followed by a release. */
  | { readonly kind: "leaving" }
  | { readonly kind: "ended" };

/**
 * One place in the line for a lock, from the asking to the giving back. The service decides who holds; this only follows:
 * it learns of the grant, asks again where an answer may be out of date, and watches its own znode, so that a lock taken
 * away by hand is noticed.
 */
export class Contender {
  readonly path: string;
  readonly #host: RecipeHost;
  readonly #contenders: Contenders;
  #state: State = { kind: "ended" };
  #place: AcquireReply | null = null;
  #watch: WatchRecord | null = null;
  #ticket: CancellationTicket | null = null;
  #isAsking = false;
  /** Its place in line has to be given back: the application said so, the service has not confirmed it. */
  #owesRelease = false;
  #releasing: Promise<void> | null = null;
  #resolve: (lock: Lock) => void = UNSET;
  #reject: (error: QuorateError) => void = UNSET;

  constructor(path: string, host: RecipeHost, contenders: Contenders) {
    this.path = path;
    this.#host = host;
    this.#contenders = contenders;
  }

  /** Its fencing token; 0 before the service has given one. */
  get token(): FencingToken | 0 {
    return this.#place?.token ?? 0;
  }

  get isHeld(): boolean {
    return this.#state.kind === "held";
  }

  /** Gets in line; resolves with the lock. `op` has been checked. */
  acquire(op: AcquireOp, options: CallOptions | undefined): Promise<Lock> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#ticket = this.#host.cancellations.watch((code, cause) => {
        this.#abandon(code, cause);
      }, options);
      this.#ask(op);
    });
  }

  /**
   * If the answer is that somebody holds the lock, that may be one of this client's own that was given up: its release is on its
   * way by then, so it is asked again, behind that.
   */
  #ask(op: AcquireOp): void {
    const ops = [op];
    const call = new WriteCall(ops, writeBytes(ops), (replies, zxid, write) => {
      this.#onReply(replies[0], zxid, write);
    });
    const mayMeetOwn = !op.wait && this.#contenders.isLeaving(this.path);
    this.#state = { kind: "asking", call };
    call.promise.catch((error: unknown) => {
      const isHeld = error instanceof QuorateError && error.code === "LOCK_HELD";
      if (isHeld && mayMeetOwn && this.#state.kind === "asking") {
        reached("asked_again_for_lock_of_own_that_was_given_up");
        this.#ask(op);
      } else {
        this.#onFailure(error);
      }
    });
    this.#host.submit(call, undefined);
  }

  /** The service says that it is this contender's turn. */
  onGranted(): void {
    if (this.#state.kind !== "waiting") return;
    reached("lock_granted_to_waiting_contender");
    this.#hold();
  }

  /** A new connection: a grant may have passed unheard. */
  onAttached(): void {
    if (this.#state.kind !== "waiting") return;
    reached("waiting_contender_reconnected");
    this.#askWhere();
  }

  /** The session is over; `error` tells waiters, `loss` holders. */
  onSessionEnd(error: QuorateError, loss: QuorateError): void {
    if (this.#state.kind === "held") {
      reached("lock_lost_with_its_session");
      this.#end(loss);
    } else {
      this.#end(error);
    }
  }

  /** Throws LOCK_LOST unless the session certainly lives and this is the holder. */
  assertHeld(): void {
    const end = this.#host.checkEnd();
    if (this.#state.kind === "held") return;
    throw lockLost(this.path, end ?? undefined);
  }

  /**
   * Gives the lock back; again, or when it is lost, it does nothing. A failed attempt may be repeated. The options limit
   * the waiting alone.
   */
  release(options: CallOptions | undefined): Promise<void> {
    if (this.#state.kind === "held") {
      this.#owesRelease = true;
      this.#end(new QuorateError("LOCK_LOST", "the lock was released", { path: this.path }));
    }
    if (this.#owesRelease) this.#releasing ??= this.#sendRelease();
    const releasing = this.#releasing ?? Promise.resolve();
    if (options === undefined) return releasing;
    return this.#host.cancellations.limit(releasing, options, this.path);
  }

  #onReply(reply: WriteReply | undefined, zxid: Zxid, call: PendingWrite): void {
    if (reply === undefined || reply.kind !== "acquire") {
      this.#fail(new QuorateError("PROTOCOL_ERROR", "no answer to an acquire"));
      return;
    }
    this.#place = reply;
    if (this.#state.kind === "leaving") {
      reached("acquired_after_it_was_given_up");
      this.#endLeaving();
      this.#leaveLine();
      return;
    }
    if (this.#state.kind !== "asking") return;
    this.#state = { kind: "waiting" };
    this.#contenders.add(this);
    this.#watchPlace(reply.contender, zxid);
    // The answer to a write that was sent more than once may be older than what happened since.
    if (call.sendCount > 1) {
      reached("acquire_answered_after_it_was_sent_again");
      this.#askWhere();
    } else if (reply.held) {
      this.#hold();
    }
  }

  #onFailure(error: unknown): void {
    const failure =
      error instanceof QuorateError
        ? error
        : new QuorateError("INTERNAL", "the acquire failed", { cause: error });
    if (this.#state.kind === "leaving" || this.#state.kind === "asking") this.#fail(failure);
  }

  #abandon(code: AbandonCode, cause: unknown): void {
    this.#ticket = null;
    const state = this.#state;
    // Whatever the acquire did is undone, so nothing stays unknown to the caller.
    if (state.kind === "asking") {
      reached("acquire_given_up_before_its_answer");
      const { call } = state;
      const error = this.#host.withdraw(call, code, cause);
      this.#state = { kind: call.isSettled ? "ended" : "leaving" };
      if (!call.isSettled) this.#contenders.addLeaving(this);
      this.#reject(error);
    } else if (state.kind === "waiting") {
      reached("waiting_contender_gave_up");
      this.#end(abandonment(code, { outcomeUnknown: false, cause, path: this.path }));
      this.#leaveLine();
    }
  }

  #hold(): void {
    const place = this.#place;
    if (place === null || this.#host.checkEnd() !== null) return;
    this.#releaseTicket();
    const lock = new HeldLock(this, place.contender, place.token);
    this.#state = { kind: "held", lock };
    this.#resolve(lock);
  }

  /** Asks the service where this contender stands. */
  #askWhere(): void {
    const token = this.#place?.token;
    if (token === undefined || this.#isAsking) return;
    this.#isAsking = true;
    this.#host.ask({ kind: "contender", path: this.path, token }).then(
      (reply) => this.#onPlace(reply),
      // Only the session's end gets here, and that is told to every contender by itself.
      () => {
        this.#isAsking = false;
      },
    );
  }

  #onPlace(reply: QueryReply): void {
    this.#isAsking = false;
    if (reply.kind !== "contender") return;
    if (reply.state === "gone") {
      reached("contender_found_gone");
      this.#fail(lockLost(this.path));
    } else if (reply.state === "held") this.onGranted();
  }

  /** From `zxid` on, so that nothing between the answer and the watch is missed. */
  #watchPlace(path: string, zxid: Zxid): void {
    const onNotice = (notice: WatchNotice): void => {
      if (notice.type === "lost") this.#askWhere();
      else if (notice.kind === "deleted" && notice.path === path) {
        reached("contender_deleted_by_hand");
        this.#fail(lockLost(this.path));
      }
    };
    // Without the watch the lock is as good, only a removal by hand is noticed no sooner than by its guard.
    const onEnd = (): void => {
      this.#watch = null;
    };
    const spec = { path, mode: "persistent", withData: false, sinceZxid: zxid } as const;
    this.#watch = this.#host.addWatch(spec, { onAdded: () => undefined, onNotice, onEnd });
  }

  /** It is over without this side having wished it. */
  #fail(error: QuorateError): void {
    if (this.#state.kind === "leaving") this.#endLeaving();
    else if (this.#state.kind !== "ended") this.#end(error);
  }

  #end(error: QuorateError): void {
    const state = this.#state;
    this.#state = { kind: "ended" };
    this.#contenders.remove(this);
    this.#releaseTicket();
    if (this.#watch !== null) this.#host.removeWatch(this.#watch);
    this.#watch = null;
    if (state.kind === "held") state.lock.lose(error);
    else if (state.kind === "asking" || state.kind === "waiting") this.#reject(error);
  }

  #endLeaving(): void {
    this.#state = { kind: "ended" };
    this.#contenders.removeLeaving(this);
  }

  #leaveLine(): void {
    // If the session ends first the place in the line goes with it.
    this.#sendRelease().catch(() => undefined);
  }

  async #sendRelease(): Promise<void> {
    const token = this.token;
    if (token === 0 || this.#host.checkEnd() !== null) return;
    const ops = [{ kind: "release", path: this.path, token } as const];
    const call = new WriteCall(ops, writeBytes(ops), () => undefined);
    this.#host.submitRelease(call);
    try {
      await call.promise;
    } catch (error) {
      const isGone = error instanceof QuorateError && error.code === "NO_NODE";
      if (!isGone && this.#host.checkEnd() === null) {
        reached("release_failed_and_may_be_repeated");
        this.#releasing = null;
        throw error;
      }
    }
    this.#owesRelease = false;
  }

  #releaseTicket(): void {
    this.#host.cancellations.release(this.#ticket);
    this.#ticket = null;
  }
}

function lockLost(path: string, cause?: QuorateError): QuorateError {
  return new QuorateError("LOCK_LOST", `the place in line at "${path}" is gone`, { path, cause });
}

/** Stands only until the promise's executor has run. */
const UNSET = (): void => undefined;
