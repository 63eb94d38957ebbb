import { setTimeout as sleep } from "node:timers/promises";
import type { DriverProcess } from "../driver-process.ts";
import type { SessionsWorkload } from "../workloads.ts";
import { connectDrivers, mebibytes } from "./load-drivers.ts";
import { NOTHING, type Outcome } from "./outcome.ts";
import { withStage, type RunContext } from "./run-context.ts";

const DIRECTORY = "/ephemerals";
const SETTLE_MS = 3_000;
const POLL_MS = 50;
const GONE_MS = 120_000;

/**
 * Connects many sessions with an ephemeral each, leaves them idle, and kills their clients. The time until the last
 * ephemeral is gone counts from the kill, less the session timeout, and not below 0: the last heartbeat was earlier.
 */
export async function runSessions(
  workload: SessionsWorkload,
  context: RunContext,
): Promise<Outcome> {
  return withStage(context, { nodes: 3 }, async ({ ensemble, startDriver }) => {
    const observer = startDriver();
    await connectDrivers([observer], [(await ensemble.leader()).clientAddress], 1);
    const drivers = Array.from({ length: workload.drivers }, () => startDriver());
    const started = performance.now();
    const servers = await ensemble.serversLeaderLast();
    await connectDrivers(drivers, servers, workload.sessions, workload.timeoutMs);
    const perDriver = Math.ceil(workload.sessions / drivers.length);
    await Promise.all(
      drivers.map((driver, at) =>
        driver.ask({ command: "ephemerals", directory: DIRECTORY, from: at * perDriver }),
      ),
    );
    const connectMs = performance.now() - started;
    await sleep(SETTLE_MS);
    const { count } = await observer.ask({ command: "children", directory: DIRECTORY });
    const driverCpu = (): number =>
      drivers.reduce((total, driver) => total + driver.cpuSeconds(), 0);
    const before = { servers: ensemble.cpuSeconds(), drivers: driverCpu() };
    await sleep(workload.idleMs);
    const serverCpuSeconds = ensemble.cpuSeconds() - before.servers;
    const driverCpuSeconds = driverCpu() - before.drivers;
    const serverRssBytes = ensemble.anonymousBytes();
    const killed = performance.now();
    await Promise.all(drivers.map((driver) => driver.kill()));
    await waitUntilGone(observer);
    const goneMs = performance.now() - killed - workload.timeoutMs;
    return {
      ...NOTHING,
      metrics: {
        "connect all": connectMs,
        "memory per server": mebibytes(serverRssBytes / ensemble.site.nodes.length),
        "idle CPU of all servers": (serverCpuSeconds * 100_000) / workload.idleMs,
        "ephemerals gone after timeout": Math.max(0, goneMs),
      },
      serverCpuSeconds,
      driverCpuSeconds,
      serverRssBytes,
      driverProcesses: workload.drivers,
      problems:
        count === workload.sessions ? [] : [`${count} of ${workload.sessions} ephemerals lived`],
    };
  });
}

async function waitUntilGone(observer: DriverProcess): Promise<void> {
  const deadline = performance.now() + GONE_MS;
  for (;;) {
    const { count } = await observer.ask({ command: "children", directory: DIRECTORY });
    if (count === 0) return;
    if (performance.now() > deadline) throw new Error(`${count} ephemerals outlive their sessions`);
    await sleep(POLL_MS);
  }
}
