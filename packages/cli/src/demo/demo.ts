import { connect } from "@quorate/client";
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TextSink } from "../context.ts";
import { planEnsemble } from "../ensemble/ensemble-plan.ts";
import { freePorts } from "../ensemble/free-ports.ts";
import { LocalEnsemble } from "../ensemble/local-ensemble.ts";
import { playCounter, type Protection } from "./counter-act.ts";
import { DemoCrew } from "./demo-crew.ts";
import { playElection } from "./election-act.ts";
import { Stage, ms } from "./stage.ts";

const SERVERS = 3;
const START_MS = 30_000;

/** Plays the demo from beginning to end; true if everything held. All that it starts has ended when it returns. */
export async function playDemo(out: TextSink, protection: Protection): Promise<boolean> {
  const stage = new Stage(out);
  const directory = await mkdtemp(join(tmpdir(), "quorate-demo-"));
  const plan = planEnsemble(directory, await freePorts(SERVERS));
  const ensemble = new LocalEnsemble({ plan });
  const crew = new DemoCrew();
  const killAll = (): void => {
    crew.killAll();
    ensemble.killAll();
    // They may still be about to die.
    rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  };
  process.once("exit", killAll);
  try {
    await openStage(stage, ensemble);
    await playElection(stage, ensemble, crew);
    await playCounter(stage, ensemble, crew, protection);
  } catch (error) {
    stage.checks(false, "", error instanceof Error ? error.message : String(error));
  } finally {
    crew.killAll();
    await ensemble.stop();
    process.off("exit", killAll);
    await rm(directory, { recursive: true, force: true });
  }
  out.write(verdict(stage.broken));
  return stage.broken.length === 0;
}

async function openStage(stage: Stage, ensemble: LocalEnsemble): Promise<void> {
  stage.act(`${SERVERS} servers on this machine, each a process of its own`);
  const startedMs = performance.now();
  ensemble.startAll();
  const leader = await ensemble.waitForLeader(START_MS);
  await ensemble.waitUntilReady(START_MS);
  stage.sees(
    `server ${leader.name} leads in term ${leader.term}, ready after ${ms(performance.now() - startedMs)}`,
  );
  await using client = await connect({ servers: ensemble.servers, name: "demo" });
  await client.create("/demo", "");
}

function verdict(broken: readonly string[]): string {
  if (broken.length === 0) return "\nAll of it held.\n";
  return `\nIt did not hold:\n${broken.map((text) => `  - ${text}\n`).join("")}`;
}
