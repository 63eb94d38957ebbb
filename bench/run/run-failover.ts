import { setTimeout as sleep } from "node:timers/promises";
import type { DriverProcess } from "../driver-process.ts";
import { median } from "../median.ts";
import type { NodeSite } from "../systems/system.ts";
import type { FailoverWorkload } from "../workloads.ts";
import { connectDrivers } from "./load-drivers.ts";
import type { Outcome } from "./outcome.ts";
import { NOTHING } from "./outcome.ts";
import { SESSION_TIMEOUT_MS, withStage, type RunContext, type Stage } from "./run-context.ts";

const DIRECTORY = "/bench";
const BEFORE_MS = 2_000;
/** Any gap that a failure makes has begun by then. */
const AFTER_MS = 8_000;
const RECOVERED_SILENCE_MS = 500;
const RECOVERED_WITHIN_MS = 60_000;
const POLL_MS = 250;
/** So often the leader may have moved by itself before it was to fail. */
const ATTEMPTS_MAX = 5;

/**
 * Lets the leader fail again and again while two clients write: one attached to the leader, free to go elsewhere, one
 * attached to a follower. The figures are the medians of their longest times without an acknowledged write. After each
 * failure, and after all servers were killed in the end, what was acknowledged last has to be there.
 */
export async function runFailover(
  workload: FailoverWorkload,
  context: RunContext,
): Promise<Outcome> {
  return withStage(context, { nodes: 3, tuning: workload.tuning }, async (stage) => {
    const ofLeader: number[] = [];
    const ofFollower: number[] = [];
    const problems: string[] = [];
    const times = Math.min(workload.times, context.repetitionsMax);
    let last: readonly number[] = [];
    for (let time = 0; time < times; time += 1) {
      const { gapsMs, revisions } = await failOnce(workload, stage);
      problems.push(...(await findLost(stage, revisions)));
      last = revisions;
      ofLeader.push(gapsMs[0] ?? Number.NaN);
      ofFollower.push(gapsMs[1] ?? Number.NaN);
      if (gapsMs.some((gapMs) => gapMs >= RECOVERED_WITHIN_MS)) {
        problems.push("a client did not write again");
      }
    }
    await stage.ensemble.restartKilled();
    problems.push(...(await findLost(stage, last)));
    return {
      ...NOTHING,
      metrics: {
        "gap, leader's client": median(ofLeader),
        "gap, follower's client": median(ofFollower),
      },
      problems,
      notes: [`medians of ${times} failures`],
    };
  });
}

async function failOnce(
  workload: FailoverWorkload,
  stage: Stage,
): Promise<{ readonly gapsMs: readonly number[]; readonly revisions: readonly number[] }> {
  const { driver, leader } = await writeBesideLeader(stage);
  await driver.ask({ command: "writers-mark" });
  stage.ensemble.signal(leader, workload.signal);
  await sleep(AFTER_MS);
  await waitUntilRecovered(driver);
  const { gapsMs, revisions } = await driver.ask({ command: "writers-stop" });
  await driver.kill();
  await bringBack(workload, stage, leader);
  return { gapsMs, revisions };
}

/** Two writers, one of them on the node that leads, and led until they had been writing for a while. */
async function writeBesideLeader(
  stage: Stage,
): Promise<{ readonly driver: DriverProcess; readonly leader: NodeSite }> {
  const { ensemble } = stage;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const leader = await ensemble.leader();
    const follower = ensemble.site.nodes.find((node) => node !== leader) ?? leader;
    const driver = stage.startDriver();
    await driver.ask({
      command: "writers-start",
      directory: DIRECTORY,
      servers: ensemble.servers,
      preferred: [leader.clientAddress, follower.clientAddress],
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
    });
    await sleep(BEFORE_MS);
    if ((await ensemble.leader()) === leader) return { driver, leader };
    await driver.kill();
  }
  throw new Error(`the leader moved by itself ${ATTEMPTS_MAX} times`);
}

/** Acknowledged writes that a failure took away. A later one may stand in their place: its answer was lost. */
async function findLost(
  { ensemble, startDriver }: Stage,
  revisions: readonly number[],
): Promise<readonly string[]> {
  const reader = startDriver();
  await connectDrivers([reader], ensemble.servers, 1);
  const indexes = [...revisions.keys()];
  const { values } = await reader.ask({ command: "read", directory: DIRECTORY, indexes });
  await reader.kill();
  const found = new Map(values.map(([index, revision]) => [index, revision]));
  return revisions.flatMap((revision, index) =>
    (found.get(index) ?? 0) >= revision ? [] : ["an acknowledged write is lost"],
  );
}

/** Gives up when nothing comes for too long; the gap is then as long as the wait. */
async function waitUntilRecovered(driver: DriverProcess): Promise<void> {
  for (;;) {
    const { silentMs } = await driver.ask({ command: "writers-silence" });
    const longest = Math.max(...silentMs);
    if (longest < RECOVERED_SILENCE_MS || longest > RECOVERED_WITHIN_MS) return;
    await sleep(POLL_MS);
  }
}

async function bringBack(
  workload: FailoverWorkload,
  { ensemble }: Stage,
  node: NodeSite,
): Promise<void> {
  if (workload.signal === "SIGSTOP") {
    ensemble.signal(node, "SIGCONT");
  } else {
    await ensemble.killNode(node);
    ensemble.startNode(node);
  }
  await ensemble.waitUntilReady();
}
