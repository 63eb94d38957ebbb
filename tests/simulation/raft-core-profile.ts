import type { RaftConfig } from "@quorate/raft";
import { SimRandom } from "./raft-core-random.ts";

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
  /** Strikes the winner this long after each election; 0 = never. */
  readonly hunterUs: number;
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
}

/** One profile for each seed. */
export function drawProfile(seed: number): RunProfile {
  const random = new SimRandom(seed);
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
    meanHealUs: random.pick([50_000, 300_000, 1_000_000]),
    hunterUs: sometimes(0.4, () => random.pick([3_000, 15_000, 120_000])),
    meanProposalUs: random.pick([500, 2_000, 10_000]),
    meanReadUs: sometimes(0.7, () => random.pick([3_000, 15_000])),
    meanMembershipUs: sometimes(0.4, () => random.pick([50_000, 300_000])),
    meanTransferUs: sometimes(0.3, () => random.pick([100_000, 600_000])),
    imageEvery: sometimes(0.5, () => random.pick([5, 20, 100])),
    keepBehind: random.pick([0, 3, 30]),
    turnUs: random.pick([0, 0, 500, 3_000]),
    applyDelayUs: random.pick([0, 0, 2_000, 30_000]),
  };
}

/** Settings of one core of the run. Half of the runs let every limit hold a single entry. */
export function coreConfig(profile: RunProfile, id: RaftConfig["id"]): RaftConfig {
  const { isTiny, seed } = profile;
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
    applyBytesMax: isTiny ? 1 : 1_024,
    seed,
  };
}
