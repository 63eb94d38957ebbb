import { assert } from "./assert.ts";
import type { RaftConfig } from "./config.ts";
import { commandBytes } from "./entry-bytes.ts";

function isPositiveInteger(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

/**
 * Checks one core's settings and how they relate. Throws `InvariantError` with the name of the broken rule.
 *
 * - Every number is a positive safe integer; `seed` may be any safe integer.
 * - At least two heartbeats fit into an election timeout, or one lost heartbeat would start an election.
 * - A lease is shorter than the promises it rests on, or the slightest difference of two clocks would break it.
 * - One entry of the largest size fits into one append, one window and the uncommitted limit, or it could never travel.
 */
export function validateConfig(config: RaftConfig): void {
  assert(isPositiveInteger(config.id), "config_id");
  assert(isPositiveInteger(config.heartbeatTicks), "config_heartbeat_ticks");
  assert(isPositiveInteger(config.electionTicks), "config_election_ticks");
  assert(isPositiveInteger(config.appendEntriesMax), "config_append_entries_max");
  assert(isPositiveInteger(config.appendBytesMax), "config_append_bytes_max");
  assert(isPositiveInteger(config.inflightEntriesMax), "config_inflight_entries_max");
  assert(isPositiveInteger(config.inflightBytesMax), "config_inflight_bytes_max");
  assert(isPositiveInteger(config.memoryLogBytesMax), "config_memory_log_bytes_max");
  assert(isPositiveInteger(config.uncommittedBytesMax), "config_uncommitted_bytes_max");
  assert(isPositiveInteger(config.entryBytesMax), "config_entry_bytes_max");
  assert(isPositiveInteger(config.persistBytesMax), "config_persist_bytes_max");
  assert(isPositiveInteger(config.applyBytesMax), "config_apply_bytes_max");
  assert(Number.isSafeInteger(config.seed), "config_seed");
  assert(config.electionTicks >= 2 * config.heartbeatTicks, "config_election_two_heartbeats");
  if (config.lease !== null) {
    assert(isPositiveInteger(config.lease.promiseMs), "config_lease_promise");
    assert(isPositiveInteger(config.lease.durationMs), "config_lease_duration");
    assert(config.lease.durationMs < config.lease.promiseMs, "config_lease_within_promise");
  }
  assert(config.entryBytesMax <= config.appendBytesMax, "config_entry_fits_append");
  assert(config.appendBytesMax <= config.inflightBytesMax, "config_append_fits_window");
  assert(config.appendEntriesMax <= config.inflightEntriesMax, "config_append_count_fits_window");
  const largestBytes = commandBytes(config.entryBytesMax);
  assert(largestBytes <= config.uncommittedBytesMax, "config_entry_fits_uncommitted");
}
