import { createServerConfig, type ServerConfig } from "../../../packages/server/src/config.ts";
import type { Entrance } from "../../../packages/server/src/peer/envelope.ts";
import { at, DATA_DIRECTORY } from "./disk-damage.ts";
import type { Profile } from "./profile.ts";
import { streamOf } from "./streams.ts";

const PEER_PORT = 7101;
/** Of every server. */
export const CLIENT_PORT = 7001;

/** What its operator starts a node as. `repair`: as who it was, with data that were damaged. */
export type Start = Entrance | "repair";

/** What the server of node `number` is started with. */
export function configOf(profile: Profile, number: number, entrance: Start): ServerConfig {
  const founders = Array.from({ length: profile.nodes }, (_, at) => at + 1);
  const members = [...new Set([...founders, number])].map((each) => ({
    name: `n${each}`,
    peer: `n${each}:${PEER_PORT}`,
    client: `n${each}:${CLIENT_PORT}`,
  }));
  const config = createServerConfig({
    name: `n${number}`,
    members,
    join: entrance === "join",
    rejoin: entrance === "rejoin",
    dataDirectory: DATA_DIRECTORY,
    insecure: true,
    tickMs: 20,
    heartbeatMs: profile.heartbeatMs,
    ...coreSettings(profile, number),
    ...(profile.isRanked && { priority: 100 * number }),
    diskFreeBytesMin: 4 * profile.segmentBytes,
    diskReserveBytes: profile.segmentBytes,
    logSegmentBytes: profile.segmentBytes,
    checkpointBytes: profile.checkpointBytes,
    scrubIntervalMs: profile.scrubMs,
  });
  const { limits } = config;
  const tree = {
    ...limits.tree,
    changeLogCountMax: profile.changeLogCount,
    changeLogImagedMax: Math.ceil(profile.changeLogCount / 4),
  };
  const { pendingMax, isTiny } = profile;
  const one = isTiny ? { appendEntriesMax: 1, inflightEntriesMax: 2 } : {};
  const raft = { ...limits.raft, ...one, memoryLogBytesMax: profile.memoryLogBytes };
  const intake = {
    ...limits.intake,
    countMax: pendingMax,
    ...(isTiny ? { batchCountMax: 1 } : {}),
  };
  const proposals = { ...limits.proposals, pendingCountMax: pendingMax };
  const outbox = { ...limits.outbox, bufferedBytesMax: profile.unreadBytes };
  const { checkpointTurnRecords, snapshotPieceBytes } = profile;
  const pieces = { snapshotPieceBytes, backupPieceBytes: snapshotPieceBytes };
  const storage = { ...limits.storage, ...pieces, checkpointTurnRecords };
  // As long as faults are apart, instead of minutes.
  const preference = { wellMs: 4_000, lastingMs: 8_000, waitMsMax: 16_000 };
  const parts = { tree, raft, intake, proposals, outbox, storage, preference };
  return { ...config, limits: { ...limits, ...parts } };
}

const ELECTION_TIMEOUTS_MS = [300, 600] as const;

/** The same in all lives of a node: one that had longer promised would have to stay down for long. */
function coreSettings(
  profile: Profile,
  number: number,
): Pick<Profile, "electionTimeoutMs" | "leaseReads"> {
  const { isMixed, electionTimeoutMs, leaseReads, seed } = profile;
  if (!isMixed) return { electionTimeoutMs, leaseReads };
  const random = streamOf(seed, `settings of node ${number}`);
  return {
    electionTimeoutMs: at(ELECTION_TIMEOUTS_MS, random.nextFraction()) ?? electionTimeoutMs,
    leaseReads: random.nextFraction() < 0.5,
  };
}
