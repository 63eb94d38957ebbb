/** What a worker process is told at its start, as its one argument in JSON. */
export interface WorkerOrders {
  readonly role: "candidate" | "counter";
  readonly name: string;
  readonly servers: readonly string[];
  /** Of the session that holds the lock or leads. */
  readonly sessionTimeoutMs: number;
  readonly path: string;
  /** Counters only. */
  readonly counterPath: string;
  readonly increments: number;
  readonly useLock: boolean;
  readonly useGuard: boolean;
  /** The increment, from 1, in which it says `between` and waits for `proceed`; 0: never. */
  readonly waitInIncrement: number;
}

/** What a worker says. */
export type WorkerMessage =
  | { readonly kind: "connected" }
  | { readonly kind: "leading"; readonly token: number }
  | { readonly kind: "lost" }
  /** It has read `value` and not yet written. */
  | { readonly kind: "between"; readonly value: number }
  | { readonly kind: "incremented"; readonly value: number }
  /** Its write was refused: the lock had passed on. Nothing was changed; it tries again. */
  | { readonly kind: "fenced" }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly message: string };

/** What a worker is told while it runs. */
export interface Proceed {
  readonly kind: "proceed";
}
