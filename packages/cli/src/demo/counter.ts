import { QuorateError, connect, type Lock, type QuorateClient } from "@quorate/client";
import type { WriteOp } from "@quorate/kv-store/protocol";
import type { WorkerMessage, WorkerOrders } from "./worker-message.ts";

/**
 * Increments a counter with plain get and set. As in a real application the lock is one thing and the data another: the
 * lock's session is short, so that a dead worker is replaced soon; the data are reached over a connection of their own
 * that knows nothing of the lock. That is why the lock's token must travel with the write.
 */
export async function runCounter(
  orders: WorkerOrders,
  say: (message: WorkerMessage) => void,
  proceeded: Promise<void>,
): Promise<void> {
  await using data = await connect({
    servers: orders.servers,
    sessionTimeoutMs: DATA_SESSION_TIMEOUT_MS,
    name: `demo worker ${orders.name}, data`,
  });
  const locks = new LockSource(orders);
  say({ kind: "connected" });
  let done = 0;
  let hasWaited = false;
  while (done < orders.increments) {
    const lock = orders.useLock ? await locks.acquire() : null;
    const { data: bytes } = await data.get(orders.counterPath);
    const value = Number(new TextDecoder().decode(bytes));
    if (!hasWaited && done + 1 === orders.waitInIncrement) {
      hasWaited = true;
      say({ kind: "between", value });
      await proceeded;
    }
    if (await write(data, orders, lock, value + 1)) {
      done += 1;
      say({ kind: "incremented", value: value + 1 });
    } else {
      say({ kind: "fenced" });
    }
    if (lock !== null) await locks.release(lock);
  }
  await locks.close();
  say({ kind: "done" });
}

const DATA_SESSION_TIMEOUT_MS = 30_000;

/** False: refused, because the lock has passed on meanwhile. */
async function write(
  data: QuorateClient,
  orders: WorkerOrders,
  lock: Lock | null,
  value: number,
): Promise<boolean> {
  const bytes = new TextEncoder().encode(String(value));
  if (lock === null || !orders.useGuard) {
    await data.set(orders.counterPath, bytes);
    return true;
  }
  const set: WriteOp = { kind: "set", path: orders.counterPath, data: bytes, version: null };
  try {
    await data.multi([lock.guard(), set]);
    return true;
  } catch (error) {
    if (error instanceof QuorateError && error.code === "FENCED") return false;
    throw error;
  }
}

/** Locks from a session that is replaced when it has expired. */
class LockSource {
  readonly #orders: WorkerOrders;
  #client: QuorateClient | null = null;

  constructor(orders: WorkerOrders) {
    this.#orders = orders;
  }

  async acquire(): Promise<Lock> {
    for (;;) {
      const client = await this.#connected();
      try {
        return await client.lock(this.#orders.path).acquire();
      } catch (error) {
        this.#forgetIfLost(error);
      }
    }
  }

  async release(lock: Lock): Promise<void> {
    try {
      await lock.release();
    } catch (error) {
      this.#forgetIfLost(error);
    }
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }

  async #connected(): Promise<QuorateClient> {
    const current = this.#client;
    if (current !== null && !OVER.has(current.state.kind)) return current;
    const client = await connect({
      servers: this.#orders.servers,
      sessionTimeoutMs: this.#orders.sessionTimeoutMs,
      name: `demo worker ${this.#orders.name}, lock`,
    });
    this.#client = client;
    return client;
  }

  #forgetIfLost(error: unknown): void {
    const isLoss = error instanceof QuorateError && LOSSES.has(error.code);
    if (!isLoss) throw error;
  }
}

const OVER: ReadonlySet<string> = new Set(["expired", "closed"]);
const LOSSES: ReadonlySet<string> = new Set(["SESSION_EXPIRED", "LOCK_LOST", "NO_NODE"]);
