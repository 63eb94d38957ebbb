import { connect } from "@quorate/client";
import type { WorkerMessage, WorkerOrders } from "./worker-message.ts";

/** Runs for the election, leads for as long as it is the leader, and stands again after a loss. */
export async function runCandidate(
  orders: WorkerOrders,
  say: (message: WorkerMessage) => void,
): Promise<never> {
  for (;;) {
    await using client = await connect({
      servers: orders.servers,
      sessionTimeoutMs: orders.sessionTimeoutMs,
      name: `demo worker ${orders.name}`,
    });
    say({ kind: "connected" });
    const data = new TextEncoder().encode(orders.name);
    const leadership = await client.election(orders.path).campaign({ data });
    say({ kind: "leading", token: leadership.token });
    await new Promise((resolve) => leadership.signal.addEventListener("abort", resolve));
    say({ kind: "lost" });
  }
}
