import { drawProfile } from "./profile.ts";
import { RunFailure, Simulator, type RunResult } from "./simulator.ts";

/** Runs one seed. Throws a RunFailure that tells its last steps: for that it is run once more, since telling takes time. */
export function runSeed(seed: number): RunResult {
  try {
    return new Simulator(drawProfile(seed), { isTraced: false }).run();
  } catch (error) {
    if (!(error instanceof RunFailure)) throw error;
    return new Simulator(drawProfile(seed), { isTraced: true }).run();
  }
}
