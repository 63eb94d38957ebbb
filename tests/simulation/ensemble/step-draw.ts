import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import type { FaultAction, StepPlace } from "./fault-event.ts";

const FROM = ["now", "now", "kill", "powerCut", "damage", "damage"] as const;
/**
 * Steps by what they follow, the rarer the more often. What runs as good as writes only, what starts does any; and only one
 * whose log is damaged puts everything that it has elsewhere.
 */
const OPERATIONS: Readonly<Record<StepCrash["from"], readonly StepPlace["operation"][]>> = {
  now: ["rename", "remove", "syncDirectory", "sync", "write", "write", "any"],
  kill: ["rename", "remove", "syncDirectory", "write", "any", "any"],
  powerCut: ["rename", "remove", "syncDirectory", "write", "any", "any"],
  damage: ["rename", "rename", "syncDirectory", "any"],
};
/** As many writes as a few seconds have, or steps as a start has. */
const OFTEN_MAX = 40;
const SELDOM_MAX = 4;
/** Until then a step of that kind comes, or none will. */
const WITHIN_MS = 10_000;

type StepCrash = Pick<
  Extract<FaultAction, { readonly fault: "stepCrash" }>,
  "from" | "step" | "withMachine" | "withinMs"
>;

/** At which step of its files a process dies. */
export function drawStepCrash(random: SeededRandom): StepCrash {
  const from = FROM[random.nextBelow(FROM.length)] ?? "now";
  const step = drawStep(random, OPERATIONS[from]);
  return { from, step, withMachine: random.nextFraction() < 0.6, withinMs: WITHIN_MS };
}

function drawStep(random: SeededRandom, operations: readonly StepPlace["operation"][]): StepPlace {
  const operation = operations[random.nextBelow(operations.length)] ?? "any";
  const isOften = operation === "any" || operation === "write";
  const nth = 1 + random.nextBelow(isOften ? OFTEN_MAX : SELDOM_MAX);
  return { operation, nth, isBefore: random.nextFraction() < 0.5 };
}
