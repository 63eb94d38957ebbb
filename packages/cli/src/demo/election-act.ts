import { connect, type QuorateClient } from "@quorate/client";
import { setTimeout as sleep } from "node:timers/promises";
import type { LocalEnsemble } from "../ensemble/local-ensemble.ts";
import { findLeader } from "../ensemble/node-status.ts";
import type { DemoCrew } from "./demo-crew.ts";
import { ms, type Stage } from "./stage.ts";
import { waitFor, type WorkerProcess } from "./worker-process.ts";

const ELECTION = "/demo/leader";
const SESSION_TIMEOUT_MS = 4_000;
const WAIT_MS = 15_000;
const POLL_MS = 10;

/** Three workers elect a leader; the leading worker dies, then the leading server. */
export async function playElection(
  stage: Stage,
  ensemble: LocalEnsemble,
  crew: DemoCrew,
): Promise<void> {
  stage.act("1. An election among three worker processes");
  const workers = ["ann", "bob", "cleo"].map((name) => startCandidate(crew, ensemble, name));
  const first = await nextLeader(workers, 0);
  stage.sees(`${first.worker.name} leads, fencing token ${first.token}`);
  const second = await killLeadingWorker(stage, workers, first);
  await killLeadingServer(stage, ensemble, second);
}

interface Leadership {
  readonly worker: WorkerProcess;
  readonly token: number;
}

async function killLeadingWorker(
  stage: Stage,
  workers: readonly WorkerProcess[],
  first: Leadership,
): Promise<Leadership> {
  stage.does(`kill -9 of ${first.worker.name}, the leading worker`);
  const killedMs = performance.now();
  first.worker.signal("SIGKILL");
  const second = await nextLeader(workers, first.token);
  const tookMs = performance.now() - killedMs;
  stage.sees(
    `${second.worker.name} leads ${ms(tookMs)} later (session timeout ${ms(SESSION_TIMEOUT_MS)}), token ${second.token}`,
  );
  stage.checks(
    second.worker !== first.worker && second.token > first.token,
    "another worker took over, under a higher token",
    `${second.worker.name} leads with token ${second.token} after ${first.worker.name} with ${first.token}`,
  );
  return second;
}

async function killLeadingServer(
  stage: Stage,
  ensemble: LocalEnsemble,
  leading: Leadership,
): Promise<void> {
  const before = await ensemble.waitForLeader(WAIT_MS);
  await using client = await connect({ servers: ensemble.servers, name: "demo" });
  await client.create("/demo/note", "");
  stage.does(`kill -9 of server ${before.name}, the leading server`);
  const killedMs = performance.now();
  ensemble.node(before.name).kill("SIGKILL");
  const written = timedWrite(client, killedMs);
  const after = await newServerLeader(ensemble, before.term);
  stage.sees(
    `server ${after.name} leads in term ${after.term}, ${ms(performance.now() - killedMs)} later`,
  );
  stage.sees(`a write made meanwhile was answered ${ms(await written)} after the kill`);
  const leader = await client.election(ELECTION).leader();
  const name = leader === null ? "nobody" : new TextDecoder().decode(leader.data);
  stage.checks(
    leader?.token === leading.token && leading.worker.count("lost") === 0,
    `${leading.worker.name} still leads with the same token: no session was lost with the server`,
    `after the server's death ${name} leads instead of ${leading.worker.name}`,
  );
  stage.does(`server ${before.name} is started again`);
  ensemble.node(before.name).start();
  await ensemble.waitUntilReady(WAIT_MS);
}

async function timedWrite(client: QuorateClient, sinceMs: number): Promise<number> {
  await client.set("/demo/note", "written while there was no leader");
  return performance.now() - sinceMs;
}

async function newServerLeader(
  ensemble: LocalEnsemble,
  oldTerm: number,
): Promise<{ readonly name: string; readonly term: number }> {
  const deadline = performance.now() + WAIT_MS;
  while (performance.now() < deadline) {
    const readings = await ensemble.read();
    const leader = findLeader(readings.flatMap(({ status }) => (status === null ? [] : [status])));
    if (leader !== null && leader.term > oldTerm) return leader;
    await sleep(POLL_MS);
  }
  throw new Error(`no server led within ${WAIT_MS} ms after the leader was killed`);
}

function startCandidate(crew: DemoCrew, ensemble: LocalEnsemble, name: string): WorkerProcess {
  return crew.start({
    role: "candidate",
    name,
    servers: ensemble.servers,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    path: ELECTION,
    counterPath: "",
    increments: 0,
    useLock: true,
    useGuard: true,
    waitInIncrement: 0,
  });
}

function nextLeader(workers: readonly WorkerProcess[], afterToken: number): Promise<Leadership> {
  return waitFor(workers, "a worker that leads", WAIT_MS, () => {
    for (const worker of workers) {
      const token = worker.last("leading")?.token ?? 0;
      if (token > afterToken) return { worker, token };
    }
    return null;
  });
}
