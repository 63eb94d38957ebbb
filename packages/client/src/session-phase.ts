import type { Connection } from "./connection.ts";
import type { QuorateError } from "./errors.ts";
import type { ServerList } from "./server-list.ts";

/** Where the session stands; what each phase needs and no other. */
export type SessionPhase =
  /** No server has welcomed it yet. */
  | {
      readonly kind: "opening";
      readonly resolve: () => void;
      readonly reject: (error: QuorateError) => void;
    }
  | { readonly kind: "connected"; readonly connection: Connection }
  | { readonly kind: "suspended" }
  /** `close` was called; the service has not confirmed it. `connection` null: looking for one. */
  | { readonly kind: "closing"; connection: Connection | null; readonly done: () => void }
  | { readonly kind: "over" };

export interface SessionOptions {
  readonly servers: ServerList;
  readonly timeoutMs: number;
  readonly clientName: string;
  readonly connectTimeoutMs: number;
}
