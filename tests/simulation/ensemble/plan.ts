import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { FaultEvent } from "./fault-event.ts";
import { drawProfile, type Profile } from "./profile.ts";

/** A run with everything that goes wrong in it written down. */
export interface Plan {
  readonly profile: Profile;
  readonly faults: readonly FaultEvent[];
}

/** As the file has it; what its profile does not say is as drawn from its seed. */
export function readPlan(path: string): Plan {
  const { profile, faults }: Plan = JSON.parse(readFileSync(path, "utf8"));
  return { profile: { ...drawProfile(profile.seed, profile.kind), ...profile }, faults };
}

/** Makes the folder too. */
export function writePlan(path: string, plan: Plan): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(plan, null, 2)}\n`);
}
