import { expect, test } from "vitest";
import type { RaftConfig } from "./config.ts";
import { nodeId } from "./ids.ts";
import { validateConfig } from "./validate-config.ts";

const sound: RaftConfig = {
  id: nodeId(1),
  heartbeatTicks: 1,
  electionTicks: 6,
  appendEntriesMax: 100,
  appendBytesMax: 1_000,
  inflightEntriesMax: 200,
  inflightBytesMax: 2_000,
  memoryLogBytesMax: 1,
  uncommittedBytesMax: 1_000,
  entryBytesMax: 500,
  persistBytesMax: 1,
  applyBytesMax: 1,
  lease: null,
  seed: 0,
};

test("sound settings pass", () => {
  expect(() => validateConfig(sound)).not.toThrow();
});

test.each<[string, Partial<RaftConfig>]>([
  ["config_heartbeat_ticks", { heartbeatTicks: 0 }],
  ["config_election_ticks", { electionTicks: 1.5 }],
  ["config_persist_bytes_max", { persistBytesMax: 0 }],
  ["config_apply_bytes_max", { applyBytesMax: Number.NaN }],
  ["config_lease_promise", { lease: { promiseMs: 0, durationMs: 1 } }],
  ["config_lease_within_promise", { lease: { promiseMs: 80, durationMs: 80 } }],
  ["config_seed", { seed: 0.5 }],
  ["config_election_two_heartbeats", { heartbeatTicks: 4 }],
  ["config_entry_fits_append", { appendBytesMax: 499 }],
  ["config_append_fits_window", { inflightBytesMax: 999 }],
  ["config_append_count_fits_window", { inflightEntriesMax: 99 }],
  ["config_entry_fits_uncommitted", { uncommittedBytesMax: 531 }],
])("%s", (invariant, change) => {
  expect(() => validateConfig({ ...sound, ...change })).toThrow(invariant);
});
