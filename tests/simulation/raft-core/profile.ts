import type { RaftConfig } from "@quorate/raft";
import { leaseOf } from "../../../packages/server/src/core-settings.ts";
import { SimRandom } from "./random.ts";

/** Microseconds of one tick of an undisturbed clock. */
export const tickUs = 10_000;

/** What one run is made of; all times in microseconds. Drawn anew for every seed, each fault can be off. */
export interface RunProfile {
  readonly seed: number;
  readonly voters: number;
  /** Further nodes that membership changes may bring in. */
  readonly spares: number;
  readonly durationUs: number;
  /** Batch size 1 in every limit: rare interleavings become common. */
  readonly isTiny: boolean;
  readonly delayUs: number;
  readonly loss: number;
  readonly duplicate: number;
  /** Some messages are held back this much longer. */
  readonly straggler: number;
  readonly stragglerUs: number;
  readonly writeUs: number;
  /** Share of writes that take very long, and how long. */
  readonly slowWrite: number;
  readonly slowWriteUs: number;
  /** Clock rates are drawn from [1 - skew, 1 + skew]. */
  readonly skew: number;
  readonly meanCrashUs: number;
  readonly meanCutUs: number;
  readonly meanHealUs: number;
  /** Strikes the winner this long after each election, and some voters right after their vote; 0 = never. */
  readonly hunterUs: number;
  /** Whoever begins to lead is cut off from all others this long after, on average; 0: not for that. */
  readonly strandUs: number;
  /** Share of winners that nobody hears from the moment they win: their no-op stays with them. */
  readonly mute: number;
  readonly meanProposalUs: number;
  readonly meanReadUs: number;
  readonly meanMembershipUs: number;
  readonly meanTransferUs: number;
  /** Entries between two images; 0 = never. */
  readonly imageEvery: number;
  /** Entries that stay on disk behind an image. */
  readonly keepBehind: number;
  /** Inputs of one node are gathered this long before its work is taken. */
  readonly turnUs: number;
  readonly applyDelayUs: number;
  /** Leaders answer reads on leases; clocks then differ by no more than leases allow. */
  readonly hasLeases: boolean;
}

/** As the server has it, for the election timeout of this simulation. */
const lease = leaseOf(100);
/** What a clock's rate may be off at most: as is promised to operators, whatever the lease is. */
const leaseSkewMax = 0.1;

/** Kinds of runs, by what they are after; the plain one draws everything. */
const kinds = [
  "general",
  "general",
  "elections",
  "elections",
  "prior-term",
  "prior-term",
  "prior-term",
  "reads",
  "leases",
  "churn",
  "churn",
] as const;

type Kind = (typeof kinds)[number];

function drawGeneral(seed: number, random: SimRandom): RunProfile {
  const sometimes = (probability: number, value: () => number): number => {
    const drawn = value();
    return random.chance(probability) ? drawn : 0;
  };
  const isTiny = random.chance(0.5);
  return {
    seed,
    voters: random.pick([3, 3, 3, 5, 5, 4, 2, 1]),
    spares: random.pick([0, 0, 1, 2]),
    durationUs: random.between(2, 8) * 1_000_000,
    isTiny,
    delayUs: random.pick([200, 1_000, 5_000, 20_000]),
    loss: sometimes(0.6, () => random.next() * 0.3),
    duplicate: sometimes(0.5, () => random.next() * 0.4),
    straggler: sometimes(0.4, () => random.next() * 0.1),
    stragglerUs: random.pick([30_000, 200_000, 600_000]),
    writeUs: random.pick([100, 1_000, 8_000, 40_000]),
    slowWrite: sometimes(0.3, () => random.next() * 0.2),
    slowWriteUs: random.pick([60_000, 200_000, 1_500_000]),
    skew: sometimes(0.3, () => random.next() * 0.5),
    meanCrashUs: sometimes(0.6, () => random.pick([100_000, 400_000, 2_000_000])),
    meanCutUs: sometimes(0.6, () => random.pick([100_000, 400_000, 2_000_000])),
    meanHealUs: random.pick([4_000, 50_000, 300_000, 1_000_000]),
    hunterUs: sometimes(0.4, () => random.pick([1_000, 3_000, 15_000, 120_000])),
    strandUs: 0,
    mute: sometimes(0.2, () => random.next() * 0.5),
    // One entry at a time takes a round trip each: what piles up has to be caught up with in the end.
    meanProposalUs: random.pick(isTiny ? [10_000, 20_000, 40_000] : [500, 2_000, 10_000]),
    meanReadUs: sometimes(0.7, () => random.pick([3_000, 15_000])),
    meanMembershipUs: sometimes(0.4, () => random.pick([50_000, 300_000])),
    meanTransferUs: sometimes(0.3, () => random.pick([100_000, 600_000])),
    imageEvery: sometimes(0.5, () => random.pick([5, 20, 100])),
    keepBehind: random.pick([0, 3, 30]),
    turnUs: random.pick([0, 0, 500, 3_000]),
    applyDelayUs: random.pick([0, 0, 2_000, 30_000]),
    hasLeases: random.chance(0.3),
  };
}

/** What a kind of run fixes, so that what it is after happens often. */
function emphasis(kind: Kind, random: SimRandom): Partial<RunProfile> {
  switch (kind) {
    case "general":
      return {};
    case "elections":
      return {
        voters: random.pick([3, 3, 4, 5]),
        spares: 0,
        writeUs: random.pick([8_000, 40_000, 100_000]),
        delayUs: random.pick([200, 1_000, 5_000]),
        loss: 0.1 + random.next() * 0.3,
        meanCrashUs: random.pick([30_000, 100_000]),
        meanCutUs: random.pick([50_000, 200_000]),
        meanHealUs: random.pick([2_000, 10_000, 50_000]),
        hunterUs: random.pick([500, 3_000, 15_000]),
        meanProposalUs: 20_000,
        meanReadUs: 0,
        meanMembershipUs: 0,
        imageEvery: 0,
      };
    case "prior-term":
      return {
        voters: random.pick([3, 3, 3, 5]),
        spares: 0,
        durationUs: 8_000_000,
        isTiny: true,
        writeUs: random.pick([100, 1_000, 4_000]),
        slowWrite: 0,
        delayUs: random.pick([1_000, 5_000]),
        straggler: 0,
        loss: random.next() * 0.3,
        skew: 0,
        meanCrashUs: random.pick([100_000, 300_000]),
        meanCutUs: random.pick([0, 200_000]),
        hunterUs: random.pick([3_000, 8_000, 30_000]),
        mute: 0.5,
        meanHealUs: random.pick([50_000, 150_000, 300_000]),
        meanProposalUs: 20_000,
        meanReadUs: 0,
        meanMembershipUs: 0,
        meanTransferUs: 0,
        imageEvery: 0,
        turnUs: 0,
      };
    case "reads":
      return {
        voters: random.pick([3, 3, 5]),
        spares: 0,
        durationUs: random.between(2, 4) * 1_000_000,
        isTiny: false,
        writeUs: random.pick([100, 1_000]),
        slowWrite: 0,
        delayUs: random.pick([200, 1_000]),
        loss: 0,
        duplicate: random.pick([0, 0.2]),
        straggler: random.pick([0, 0.03]),
        stragglerUs: random.pick([30_000, 100_000]),
        skew: 0,
        meanCrashUs: 0,
        meanCutUs: random.pick([100_000, 300_000]),
        hunterUs: random.pick([15_000, 60_000]),
        meanHealUs: random.pick([50_000, 300_000]),
        meanProposalUs: 2_000,
        meanReadUs: random.pick([500, 2_000]),
        meanMembershipUs: 0,
        meanTransferUs: random.pick([0, 100_000]),
        turnUs: 0,
      };
    // Of who was cut off a lease ends a few ms before others may lead: until then nothing else is to disturb it.
    case "leases":
      return {
        ...emphasis("reads", random),
        voters: 3,
        durationUs: 5_000_000,
        meanReadUs: 1_500,
        delayUs: 200,
        writeUs: 100,
        straggler: 0,
        meanCutUs: 0,
        hunterUs: 0,
        strandUs: 120_000,
        meanHealUs: 300_000,
        hasLeases: true,
        skew: leaseSkewMax,
      };
    case "churn":
      return {
        voters: random.pick([2, 3, 3, 4]),
        spares: 2,
        meanMembershipUs: random.pick([10_000, 40_000]),
        imageEvery: random.pick([3, 10]),
        keepBehind: random.pick([0, 3]),
        hunterUs: random.pick([1_000, 5_000, 30_000]),
        meanHealUs: random.pick([10_000, 50_000, 200_000]),
      };
  }
}

/** One profile for each seed. */
export function drawProfile(seed: number): RunProfile {
  const random = new SimRandom(seed);
  const kind = random.pick(kinds);
  const profile = { ...drawGeneral(seed, random.fork()), ...emphasis(kind, random) };
  const { hasLeases, skew } = profile;
  return hasLeases ? { ...profile, skew: Math.min(skew, leaseSkewMax) } : profile;
}

/** Settings of one core of the run. Half of the runs let every limit hold a single entry. */
export function coreConfig(profile: RunProfile, id: RaftConfig["id"]): RaftConfig {
  const { isTiny, seed, hasLeases } = profile;
  return {
    id,
    heartbeatTicks: 2,
    electionTicks: 10,
    appendEntriesMax: isTiny ? 1 : 64,
    appendBytesMax: isTiny ? 64 : 4_096,
    inflightEntriesMax: isTiny ? 2 : 256,
    inflightBytesMax: isTiny ? 128 : 16_384,
    memoryLogBytesMax: isTiny ? 128 : 4_096,
    uncommittedBytesMax: 16_384,
    entryBytesMax: 64,
    persistBytesMax: isTiny ? 1 : 2_048,
    applyBytesMax: isTiny ? 1 : 1_024,
    lease: hasLeases ? lease : null,
    seed,
  };
}
