import type { WorkerOrders } from "./worker-message.ts";
import { WorkerProcess } from "./worker-process.ts";

/** Every worker process of a demo, so that none of them outlives it. */
export class DemoCrew {
  readonly #workers: WorkerProcess[] = [];

  start(orders: WorkerOrders): WorkerProcess {
    const worker = new WorkerProcess(orders);
    this.#workers.push(worker);
    return worker;
  }

  killAll(): void {
    for (const worker of this.#workers) if (!worker.hasEnded) worker.signal("SIGKILL");
  }
}
