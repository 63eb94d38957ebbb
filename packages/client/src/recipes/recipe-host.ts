import type { Query, QueryReply } from "@quorate/kv-store/protocol";
import type { CallOptions } from "../api.ts";
import type { PendingRead, PendingWrite } from "../call.ts";
import type { Cancellations } from "../cancellations.ts";
import type { QuorateError } from "../errors.ts";
import type { AbandonCode } from "../failure.ts";
import type { WatchRecord, WatchSink, WatchSpec } from "../watches.ts";

/** What a recipe needs of the session it runs on. */
export interface RecipeHost {
  readonly cancellations: Cancellations;
  /** The error of the session's end, null while it lives. Looks at the clock first: past the deadline it ends here. */
  checkEnd(): QuorateError | null;
  submit(call: PendingWrite | PendingRead, options: CallOptions | undefined): void;
  /** Takes the write whatever waits: it gives something back. */
  submitRelease(call: PendingWrite): void;
  /**
   * Its caller waits no more: it settles at once if it was never sent and does not happen, else with its answer, or without
   * one if it was skipped. Returns what to tell the caller.
   */
  withdraw(call: PendingWrite, code: AbandonCode, cause: unknown): QuorateError;
  /**
   * Linearizable, sent before anything that waits: also while writes of the session are refused. Rejects when the session
   * ends, and as the options say.
   */
  ask(query: Query, options?: CallOptions): Promise<QueryReply>;
  addWatch(spec: WatchSpec, sink: WatchSink): WatchRecord | null;
  removeWatch(record: WatchRecord): void;
}
