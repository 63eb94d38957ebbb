import { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";

/** What can go wrong, by name. */
export const FAULTS = [
  "crash",
  "crashAll",
  "powerCut",
  "stop",
  "isolate",
  "oneWay",
  "split",
  "cutPeers",
  "cutClients",
  "blockClient",
  "slowDisk",
  "hungDisk",
  "failingDisk",
  "wallJump",
  "stopClient",
  "crashClient",
  "restart",
] as const;
export type Fault = (typeof FAULTS)[number];

/** One simulated run: what is in the world, and what happens to it. Everything follows from the seed. */
export interface Profile {
  readonly seed: number;
  readonly nodes: number;
  readonly clients: number;
  readonly paths: number;
  /** Safety phase: faults and load. */
  readonly durationMs: number;
  /** Mean pause of one client between two operations. */
  readonly thinkMs: number;
  readonly sessionTimeoutMs: number;
  readonly electionTimeoutMs: number;
  readonly heartbeatMs: number;
  /** Delay of a frame: at least, and mean of the rest. */
  readonly delayMinMs: number;
  readonly delayMeanMs: number;
  /** A disk write takes that long on average. */
  readonly diskMeanMs: number;
  /** Clock rates differ from 1 by at most this. */
  readonly clockSkewMax: number;
  readonly checkpointBytes: number;
  readonly changeLogCount: number;
  /** Mean pause between two faults. */
  readonly faultEveryMs: number;
  /** The kinds of this run, each with the same chance. */
  readonly faults: readonly Fault[];
  /** Faults pick the leader with this chance. */
  readonly leaderHunt: number;
}

/** A run's parameters (swarm testing: every run leaves out some kinds of faults, or what they do would hide the rest). */
export function drawProfile(seed: number): Profile {
  const random = new SeededRandom(seed);
  const pick = <T>(...choices: readonly [T, ...T[]]): T =>
    choices[random.nextBelow(choices.length)] ?? choices[0];
  const faults = FAULTS.filter(() => random.nextFraction() < 0.4);
  return {
    seed,
    nodes: pick(3, 3, 3, 5),
    clients: pick(3, 5, 8),
    paths: pick(1, 2, 4),
    durationMs: pick(20_000, 40_000),
    thinkMs: pick(20, 60, 120),
    sessionTimeoutMs: pick(1_000, 2_000, 4_000),
    electionTimeoutMs: pick(300, 600),
    heartbeatMs: pick(50, 100),
    delayMinMs: pick(0.05, 0.5, 2),
    delayMeanMs: pick(0.1, 1, 8),
    diskMeanMs: pick(0.2, 1, 5),
    clockSkewMax: pick(0, 0.001, 0.01),
    checkpointBytes: pick(2_000, 20_000, 200_000),
    changeLogCount: pick(50, 500, 10_000),
    faultEveryMs: pick(500, 1_500, 4_000),
    faults: faults.length === 0 ? ["crash"] : faults,
    leaderHunt: pick(0.2, 0.5, 0.9),
  };
}
