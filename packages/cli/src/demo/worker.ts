import { runCandidate } from "./candidate.ts";
import { runCounter } from "./counter.ts";
import type { WorkerMessage, WorkerOrders } from "./worker-message.ts";

/** Main file of a worker process. It ends when its work is done or the demo that started it is gone. */
const orders: WorkerOrders = JSON.parse(process.argv[2] ?? "{}");
const say = (message: WorkerMessage): void => void process.send?.(message);
const proceeded = new Promise<void>((resolve) => process.once("message", () => resolve()));
process.once("disconnect", () => process.exit(0));

try {
  if (orders.role === "candidate") await runCandidate(orders, say);
  else await runCounter(orders, say, proceeded);
  process.disconnect();
} catch (error) {
  say({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
}
