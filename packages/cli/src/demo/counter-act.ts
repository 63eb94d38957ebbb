import { connect } from "@quorate/client";
import type { LocalEnsemble } from "../ensemble/local-ensemble.ts";
import type { DemoCrew } from "./demo-crew.ts";
import { ms, type Stage } from "./stage.ts";
import { waitFor, type WorkerProcess } from "./worker-process.ts";

/** Which of the two protections of the counter are used; the demo holds only with both. */
export interface Protection {
  readonly useLock: boolean;
  readonly useGuard: boolean;
}

const COUNTER = "/demo/counter";
const LOCK = "/demo/counter-lock";
const NAMES = ["dan", "eve", "fay", "gus"];
const INCREMENTS = 25;
const WAIT_IN_INCREMENT = 5;
const LOCK_SESSION_TIMEOUT_MS = 2_000;
/** Increments that others make while one worker stands still. */
const MEANWHILE = 3;
const WAIT_MS = 25_000;

/** Four workers increment a counter; one of them is stopped between reading and writing, for longer than its lock lives. */
export async function playCounter(
  stage: Stage,
  ensemble: LocalEnsemble,
  crew: DemoCrew,
  protection: Protection,
): Promise<void> {
  stage.act(`2. A counter, incremented with plain get and set ${describeProtection(protection)}`);
  await using client = await connect({ servers: ensemble.servers, name: "demo" });
  await client.create(COUNTER, "0");
  const workers = NAMES.map((name, index) =>
    startCounter(crew, ensemble, name, {
      ...protection,
      waitInIncrement: index === 0 ? WAIT_IN_INCREMENT : 0,
    }),
  );
  stage.sees(`${NAMES.join(", ")} make ${INCREMENTS} increments each`);
  await stopOneInBetween(stage, workers, protection);
  await waitFor(workers, "the workers to be done", WAIT_MS, () =>
    workers.every((worker) => worker.last("done") !== null) ? true : null,
  );
  const { data, stat } = await client.get(COUNTER);
  const value = Number(new TextDecoder().decode(data));
  judge(stage, workers, { value, writes: stat.version }, protection);
}

async function stopOneInBetween(
  stage: Stage,
  workers: readonly WorkerProcess[],
  protection: Protection,
): Promise<void> {
  const [victim, ...others] = workers;
  if (victim === undefined) return;
  const { value } = await waitFor(workers, "a worker between get and set", WAIT_MS, () =>
    victim.last("between"),
  );
  const how = protection.useLock ? ", holding the lock" : "";
  stage.does(`SIGSTOP of ${victim.name}, who has read ${value} and not yet written${how}`);
  victim.signal("SIGSTOP");
  const stoppedMs = performance.now();
  const made = (): number => others.reduce((sum, worker) => sum + worker.count("incremented"), 0);
  const madeBefore = made();
  await waitFor(others, "others to go on while one stands still", WAIT_MS, () =>
    made() - madeBefore >= MEANWHILE ? true : null,
  );
  stage.sees(
    `${ms(performance.now() - stoppedMs)} later the others have made ${made() - madeBefore} more`,
  );
  stage.does(`SIGCONT of ${victim.name}, who goes on as if nothing had happened`);
  victim.proceed();
  victim.signal("SIGCONT");
}

function judge(
  stage: Stage,
  workers: readonly WorkerProcess[],
  counter: { readonly value: number; readonly writes: number },
  protection: Protection,
): void {
  const acknowledged = workers.reduce((sum, worker) => sum + worker.count("incremented"), 0);
  const fenced = workers.reduce((sum, worker) => sum + worker.count("fenced"), 0);
  const { value, writes } = counter;
  if (protection.useLock && protection.useGuard) {
    stage.checks(
      fenced > 0,
      `the late write was refused (FENCED ×${fenced}) and made again under a new lock`,
      "no late write was refused, so the fencing token was never put to the test",
    );
  }
  stage.checks(
    value === acknowledged && writes === acknowledged,
    `${acknowledged} increments were acknowledged and the counter says ${value}: none lost, none doubled`,
    `${acknowledged} increments were acknowledged, but the counter says ${value} after ${writes} writes: ${lossText(acknowledged, value)}${reasonText(protection)}`,
  );
}

function lossText(acknowledged: number, value: number): string {
  const difference = acknowledged - value;
  const count = Math.abs(difference);
  return `${count} ${count === 1 ? "was" : "were"} ${difference >= 0 ? "lost" : "counted twice"}`;
}

function reasonText({ useLock, useGuard }: Protection): string {
  if (!useLock)
    return ". Without the lock, several workers read the same value and each wrote its successor";
  if (!useGuard) {
    return ". The lock was lost in the pause, but without the guard nobody refused the late write, which undid what the others had counted";
  }
  return "";
}

function describeProtection({ useLock, useGuard }: Protection): string {
  if (!useLock) return "and no lock";
  return useGuard
    ? "under a lock, each write guarded by the lock's token"
    : "under a lock, without the guard";
}

function startCounter(
  crew: DemoCrew,
  ensemble: LocalEnsemble,
  name: string,
  settings: Protection & { readonly waitInIncrement: number },
): WorkerProcess {
  return crew.start({
    role: "counter",
    name,
    servers: ensemble.servers,
    sessionTimeoutMs: LOCK_SESSION_TIMEOUT_MS,
    path: LOCK,
    counterPath: COUNTER,
    increments: INCREMENTS,
    ...settings,
  });
}
