import type { LocalEnsemble } from "@quorate/cli";
import { connect } from "@quorate/client";

/**
 * Time from kill -9 of the leader to the next acknowledged write of a client that writes without pause, ms. The killed
 * node is started again afterwards.
 */
export async function measureFailover(ensemble: LocalEnsemble): Promise<number> {
  await using client = await connect({ servers: ensemble.servers });
  await client.set("/bench/failover", "0").catch(() => client.create("/bench/failover", "0"));
  const leader = await ensemble.waitForLeader(30_000);
  const node = ensemble.node(leader.name);
  let lastAcknowledged = 0;
  let running = true;
  let longestGap = 0;
  const killed = { at: Number.POSITIVE_INFINITY };
  const writer = (async () => {
    while (running) {
      await client.set("/bench/failover", "x");
      const now = performance.now();
      // Only a write that was answered after the kill tells when the ensemble was back.
      if (now > killed.at) longestGap = Math.max(longestGap, now - Math.max(lastAcknowledged, 0));
      lastAcknowledged = now;
    }
  })();
  await pause(1_000);
  killed.at = performance.now();
  node.kill("SIGKILL");
  await node.exited();
  await pause(4_000);
  running = false;
  await writer;
  node.start();
  await ensemble.waitUntilReady(30_000);
  return longestGap;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
