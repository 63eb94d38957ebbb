import { SEED_MAX } from "../simulator-flags.ts";
import type { FaultAction } from "./fault-event.ts";
import { drawProfile, FAULTS, KINDS, MORE_WORKS, WORKS, type Fault } from "./profile.ts";

type Check = (value: unknown) => boolean;
/** By the name of a field. */
type Checks = Readonly<Record<string, Check>>;

/** All that may happen under one name. */
type ActionOf<F extends Fault, A = FaultAction> = A extends { readonly fault: infer G }
  ? F extends G
    ? A
    : never
  : never;

const isNumber: Check = (value) => typeof value === "number";
const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const oneOf =
  (names: readonly unknown[]): Check =>
  (value) =>
    names.includes(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const shapeOf =
  (checks: Checks): Check =>
  (value) =>
    wrongIn(value, checks) === null;

const DOWNTIME = { node: isText, downMs: isNumber };
const LASTING = { node: isText, forMs: isNumber };
const links = listOf((value) => listOf(isText)(value) && Object(value).length === 2);
const CUT = { links };
const BLOCK = { links, forMs: isNumber };
const DELAY = { ...BLOCK, delayMs: isNumber };
const place = shapeOf({ record: isNumber, offset: isNumber, bit: isNumber });
const downtimes = listOf(shapeOf(DOWNTIME));

/** What each kind of fault has to say. */
const FIELDS: {
  readonly [F in Fault]: { readonly [K in Exclude<keyof ActionOf<F>, "fault">]: Check };
} = {
  crash: DOWNTIME,
  crashAll: { downtimes },
  powerCut: DOWNTIME,
  blackout: { downtimes, forMs: isNumber },
  stop: LASTING,
  isolate: BLOCK,
  oneWay: BLOCK,
  split: BLOCK,
  cutPeers: CUT,
  cutClients: CUT,
  blockClient: BLOCK,
  slowDisk: LASTING,
  hungDisk: LASTING,
  failingDisk: { node: isText, operation: isText },
  wallJump: { node: isText, byMs: isNumber },
  stopClient: { client: isText, forMs: isNumber },
  crashClient: { client: isText },
  restart: { node: isText },
  wipe: DOWNTIME,
  damage: { ...DOWNTIME, place },
  members: { change: shapeOf({ kind: isText, name: isText }) },
  bridge: BLOCK,
  ring: BLOCK,
  tornFrame: CUT,
  halfOpen: CUT,
  slowLinks: DELAY,
  delaySpike: DELAY,
  congestion: { ...BLOCK, bytesPerSecond: isNumber },
  bitFlip: { ...DOWNTIME, place },
  misdirectedWrite: { ...DOWNTIME, place, to: place },
  readError: DOWNTIME,
  fullDisk: { ...LASTING, spareBytes: isNumber },
  rot: { node: isText, isImage: isFlag, place },
  backup: { node: isText, isLocal: isFlag, pauseMs: isNumber },
};

/**
 * The first thing that a plan from a file lacks or says wrongly; null: it is a plan. A profile has to say everything: what
 * were drawn for it could be drawn otherwise one day.
 */
export function wrongInPlan(plan: unknown): string | null {
  return (
    wrongIn(plan, { breaks: isText, profile: isRecord, faults: Array.isArray }) ??
    prefixed("profile", wrongInProfile(fieldsOf(plan)["profile"])) ??
    wrongInFaults(Object.values(fieldsOf(fieldsOf(plan)["faults"])))
  );
}

function wrongInProfile(profile: unknown): string | null {
  const isSeed: Check = (seed) =>
    Number.isInteger(seed) && Number(seed) >= 0 && Number(seed) <= SEED_MAX;
  const drawn = Object.entries(drawProfile(0)).map(([name, value]): readonly [string, Check] => [
    name,
    Array.isArray(value) ? Array.isArray : (other) => typeof other === typeof value,
  ]);
  return wrongIn(profile, {
    ...Object.fromEntries(drawn),
    seed: isSeed,
    kind: oneOf(KINDS),
    works: listOf(oneOf([...WORKS, ...MORE_WORKS])),
    faults: listOf(oneOf(FAULTS)),
  });
}

function wrongInFaults(events: readonly unknown[]): string | null {
  for (const [at, event] of events.entries()) {
    const fault = FAULTS.find((name) => name === fieldsOf(event)["fault"]);
    const fields: Checks = fault === undefined ? { fault: oneOf(FAULTS) } : FIELDS[fault];
    const wrong = wrongIn(event, { ...fields, atMs: isNumber });
    if (wrong !== null) return `faults.${at}.${wrong}`;
  }
  return null;
}

/** The name of the first field that is not as it should be. */
function wrongIn(value: unknown, checks: Checks): string | null {
  const fields = fieldsOf(value);
  return Object.entries(checks).find(([name, check]) => !check(fields[name]))?.[0] ?? null;
}

function prefixed(name: string, wrong: string | null): string | null {
  return wrong === null ? null : `${name}.${wrong}`;
}

function isRecord(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/** None where there can be none. */
function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value))
    : {};
}
