import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Proceed, WorkerMessage, WorkerOrders } from "./worker-message.ts";

const WORKER_MAIN = fileURLToPath(new URL("worker.js", import.meta.url));

/** A worker, seen from the demo: what it said so far, and ways to hurt it. */
export class WorkerProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #said: WorkerMessage[] = [];
  readonly #listeners = new Set<() => void>();
  #ended = false;

  constructor(orders: WorkerOrders) {
    this.name = orders.name;
    this.#child = fork(WORKER_MAIN, [JSON.stringify(orders)], { stdio: "inherit" });
    this.#child.on("message", (message) => {
      if (isWorkerMessage(message)) this.#note(message);
    });
    this.#child.once("exit", () => {
      this.#ended = true;
      this.#notify();
    });
  }

  /** Everything it said, oldest first. */
  get said(): readonly WorkerMessage[] {
    return this.#said;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** The newest message of a kind, or null. */
  last<K extends WorkerMessage["kind"]>(kind: K): Extract<WorkerMessage, { kind: K }> | null {
    const isOfKind = (message: WorkerMessage): message is Extract<WorkerMessage, { kind: K }> =>
      message.kind === kind;
    return this.#said.findLast(isOfKind) ?? null;
  }

  count(kind: WorkerMessage["kind"]): number {
    return this.#said.filter((message) => message.kind === kind).length;
  }

  /** Calls back after every message and at its end, until disposed. */
  onNews(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  proceed(): void {
    const message: Proceed = { kind: "proceed" };
    this.#child.send(message);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #note(message: WorkerMessage): void {
    this.#said.push(message);
    this.#notify();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

/**
 * Waits until `find` finds something among what the workers said. Throws after `timeoutMs`, and when a worker reports
 * that it failed.
 */
export function waitFor<T>(
  workers: readonly WorkerProcess[],
  what: string,
  timeoutMs: number,
  find: () => T | null,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const subscriptions: Disposable[] = [];
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      for (const subscription of subscriptions) subscription[Symbol.dispose]();
      settle();
    };
    const check = (): void => {
      const found = find();
      if (found !== null) return end(() => resolve(found));
      const failure = firstFailure(workers);
      if (failure !== null) end(() => reject(new Error(failure)));
    };
    const timer = setTimeout(
      () => end(() => reject(new Error(`waited ${timeoutMs} ms in vain for ${what}`))),
      timeoutMs,
    );
    for (const worker of workers) subscriptions.push(worker.onNews(check));
    check();
  });
}

/** Workers are this package's own; only what is not a message at all is told apart. */
function isWorkerMessage(value: unknown): value is WorkerMessage {
  return typeof value === "object" && value !== null && "kind" in value;
}

function firstFailure(workers: readonly WorkerProcess[]): string | null {
  for (const worker of workers) {
    const failed = worker.last("failed");
    if (failed !== null) return `worker ${worker.name} failed: ${failed.message}`;
  }
  return null;
}
