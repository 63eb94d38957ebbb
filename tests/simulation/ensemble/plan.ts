import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { FaultEvent } from "./fault-event.ts";
import { drawProfile, type Profile } from "./profile.ts";

/** A run with everything that goes wrong in it written down. */
export interface Plan {
  readonly profile: Profile;
  readonly faults: readonly FaultEvent[];
}

/** A plan of a run that broke a promise, which it names. */
export interface FailingPlan extends Plan {
  readonly breaks: string;
}

/** Throws unless it says everything that a profile says: what were drawn for it could be drawn otherwise one day. */
export function readPlan(path: string): FailingPlan {
  const plan: FailingPlan = JSON.parse(readFileSync(path, "utf8"));
  const { seed, kind } = plan.profile;
  const missing = Object.keys(drawProfile(seed, kind)).filter(
    (field) => !Object.hasOwn(plan.profile, field),
  );
  if (missing.length > 0) throw new Error(`${path} does not say ${missing.join(", ")}`);
  return plan;
}

/** Makes the folder too. */
export function writePlan(path: string, plan: FailingPlan): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(plan, null, 2)}\n`);
}
