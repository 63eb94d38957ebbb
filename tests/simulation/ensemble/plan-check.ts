import * as v from "valibot";
import { SEED_MAX } from "../simulator-flags.ts";
import type { FaultAction } from "./fault-event.ts";
import { drawProfile, FAULTS, KINDS, MORE_WORKS, WORKS, type Fault } from "./profile.ts";

/** All that may happen under one name. */
type ActionOf<F extends Fault, A = FaultAction> = A extends { readonly fault: infer G }
  ? F extends G
    ? A
    : never
  : never;

const number = v.number();
const text = v.string();

const DOWNTIME = { node: text, downMs: number };
const LASTING = { node: text, forMs: number };
const CUT = { links: v.array(v.strictTuple([text, text])) };
const BLOCK = { ...CUT, forMs: number };
const DELAY = { ...BLOCK, delayMs: number };
const place = v.object({ record: number, offset: number, bit: number });
const step = v.object({ operation: text, nth: number, isBefore: v.boolean() });
const downtimes = v.array(v.object(DOWNTIME));

/** What each kind of fault has to say. */
const FIELDS: {
  readonly [F in Fault]: { readonly [K in Exclude<keyof ActionOf<F>, "fault">]: v.GenericSchema };
} = {
  crash: DOWNTIME,
  crashAll: { downtimes },
  powerCut: DOWNTIME,
  blackout: { downtimes, forMs: number },
  stop: LASTING,
  isolate: BLOCK,
  oneWay: BLOCK,
  split: BLOCK,
  cutPeers: CUT,
  cutClients: CUT,
  blockClient: BLOCK,
  slowDisk: LASTING,
  hungDisk: LASTING,
  failingDisk: { node: text, operation: text },
  wallJump: { node: text, byMs: number },
  stopClient: { client: text, forMs: number },
  crashClient: { client: text },
  restart: { node: text },
  wipe: DOWNTIME,
  damage: { ...DOWNTIME, place },
  members: { change: v.object({ kind: text, name: text }) },
  bridge: BLOCK,
  ring: BLOCK,
  tornFrame: CUT,
  halfOpen: CUT,
  slowLinks: DELAY,
  delaySpike: DELAY,
  congestion: { ...BLOCK, bytesPerSecond: number },
  bitFlip: { ...DOWNTIME, place },
  misdirectedWrite: { ...DOWNTIME, place, to: place },
  readError: DOWNTIME,
  fullDisk: { ...LASTING, spareBytes: number },
  rot: { node: text, isImage: v.boolean(), place },
  backup: { node: text, isLocal: v.boolean(), pauseMs: number },
  badSector: { ...DOWNTIME, place },
  cutOffClient: BLOCK,
  stepCrash: { ...DOWNTIME, from: text, step, withMachine: v.boolean(), withinMs: number, place },
  lostTail: { ...DOWNTIME, how: v.picklist(["whole", "within", "segment", "hole"]), place },
  oldDisk: { ...DOWNTIME, afterMs: number },
};

const NAMED = v.object({ fault: v.picklist(FAULTS) });
const EVENT = v.lazy((event) =>
  v.is(NAMED, event) ? v.object({ ...FIELDS[event.fault], atMs: number }) : NAMED,
);

/** As those that are drawn: a profile has to say everything, as what is drawn could be drawn otherwise one day. */
const PROFILE = v.object({
  ...Object.fromEntries(Object.entries(drawProfile(0)).map(([name, value]) => [name, like(value)])),
  seed: v.pipe(number, v.integer(), v.minValue(0), v.maxValue(SEED_MAX)),
  kind: v.picklist(KINDS),
  works: v.array(v.picklist([...WORKS, ...MORE_WORKS])),
  faults: v.array(v.picklist(FAULTS)),
});

const PLAN = v.object({ breaks: text, profile: PROFILE, faults: v.array(EVENT) });

/** Where a plan from a file lacks something first, or says it wrongly; null: it is a plan. */
export function wrongInPlan(plan: unknown): string | null {
  const { issues } = v.safeParse(PLAN, plan, { abortEarly: true });
  return issues === undefined ? null : (v.getDotPath(issues[0]) ?? "all of it");
}

function like(value: unknown): v.GenericSchema {
  return v.custom((other) => typeof other === typeof value);
}
