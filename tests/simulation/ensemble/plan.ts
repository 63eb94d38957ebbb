import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { reasonOf, UsageError } from "../command-line.ts";
import type { FaultEvent } from "./fault-event.ts";
import { wrongInPlan } from "./plan-check.ts";
import type { Profile } from "./profile.ts";

/** A run with everything that goes wrong in it written down. */
export interface Plan {
  readonly profile: Profile;
  readonly faults: readonly FaultEvent[];
}

/** A plan of a run that broke a promise, which it names. */
export interface FailingPlan extends Plan {
  readonly breaks: string;
}

/** Throws UsageError for what is no plan. */
export function readPlan(path: string): FailingPlan {
  const plan: FailingPlan = parse(path);
  const wrong = wrongInPlan(plan);
  if (wrong !== null) throw new UsageError(`${path} is no plan: ${wrong} is missing or wrong`);
  return plan;
}

function parse(path: string): FailingPlan {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${reasonOf(error)}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${path} is no plan: it is not JSON`);
  }
}

/** Makes the folder too. */
export function writePlan(path: string, plan: FailingPlan): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(plan, null, 2)}\n`);
}
