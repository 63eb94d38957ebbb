import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DriverProcess } from "../driver-process.ts";
import { Ensemble, type EnsembleOptions } from "../ensemble.ts";
import { runTool } from "../systems/run-tool.ts";
import type { System } from "../systems/system.ts";

/** How long sessions outlive silence, on all systems: what ends a failover is not to depend on it differing. */
export const SESSION_TIMEOUT_MS = 10_000;

/** What every run of a workload needs to know. */
export interface RunContext {
  readonly system: System;
  /** On the disk that is measured; each run's data lie in a folder of their own below it and are removed with it. */
  readonly dataDirectory: string;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Repetitions of what is measured several times within one run: at most this many. */
  readonly repetitionsMax: number;
  /** From this share of a core on, a driver process is taken for what limits the figure. */
  readonly driverCpuShareMax: number;
}

/** An ensemble on fresh data and drivers, for the time of one run. */
export interface Stage {
  readonly ensemble: Ensemble;
  /** Starts one driver more; it ends with the run. */
  readonly startDriver: () => DriverProcess;
}

let runs = 0;

/** Calls `run` with an ensemble on fresh data, and clears everything away afterwards, whatever happens. */
export async function withStage<T>(
  context: RunContext,
  options: Pick<EnsembleOptions, "nodes" | "tuning" | "isGcLogged">,
  run: (stage: Stage) => Promise<T>,
): Promise<T> {
  runs += 1;
  const { system, dataDirectory } = context;
  const directory = join(dataDirectory, `run-${runs}`);
  mkdirSync(directory, { recursive: true });
  // What the run before left to be written would be paid by this one, which is always another system's.
  await runTool({ command: "sync", args: [] });
  const drivers: DriverProcess[] = [];
  const startDriver = (): DriverProcess => {
    const driver = new DriverProcess(system.driver());
    drivers.push(driver);
    return driver;
  };
  try {
    const ensemble = await Ensemble.start({ system, directory, ...options });
    try {
      return await run({ ensemble, startDriver });
    } finally {
      await Promise.all(drivers.map((driver) => driver.kill()));
      await ensemble.kill();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
