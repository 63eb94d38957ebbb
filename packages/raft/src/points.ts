/**
 * Names of situations of this package that are rare and matter, each told where the code comes to it. A simulation that
 * watches them can say which of them its runs never reached.
 */
export const RAFT_POINTS = [
  // candidate.ts
  "vote_answered_twice",
  "pre_vote_won_but_may_not_stand",
  "election_lost",
  "election_ordered_by_leader",
  "vote_came_too_late",
  "pre_vote_of_another_campaign",
  // disk.ts
  "snapshot_replaced_while_it_was_written",
  // follower.ts
  "append_rejected",
  "membership_fell_back_by_truncation",
  "append_repeats_committed_entries",
  "append_repeats_entries",
  "committed_entry_contradicted",
  "acknowledged_entries_lost",
  "log_replaced_by_snapshot",
  "uncommitted_membership_dropped_by_snapshot",
  "snapshot_end_was_in_the_log",
  "snapshot_older_than_commit",
  "ack_waits_for_durable_term",
  "entries_left_while_apply_is_behind",
  "leader_suspected",
  "read_forwarded_to_nobody",
  "read_answered_by_former_leader",
  "read_answered_too_late",
  "forwarded_read_expired",
  // leader.ts
  "proposal_refused_transferring",
  "proposal_refused_uncommitted_bytes",
  "proposal_refused_while_apply_is_behind",
  "membership_refused_before_own_commit",
  "membership_refused_other_pending",
  "membership_became_joint",
  "read_round_confirmed_by_membership_change",
  "joint_membership_left",
  "joint_membership_left_by_later_leader",
  "commit_waits_for_entry_of_own_term",
  "removed_leader_leaves",
  "transfer_waits_for_successor",
  "lead_promised_twice",
  "agreement_looked_for_before_memory",
  "stale_rejection_ignored",
  "ack_beyond_own_log",
  "read_refused_too_many",
  "reads_wait_for_commit_of_own_term",
  "leader_lost_its_quorum",
  "leader_disk_stuck",
  "leader_without_movement",
  "transfer_given_up",
  "fetch_overtaken_by_acknowledgement",
  "fetch_expired",
  // log.ts
  "durable_entries_truncated",
  "truncated_while_write_in_flight",
  "log_replaced_while_write_in_flight",
  // progress.ts
  "snapshot_arrived_at_peer",
  "rejection_of_earlier_probe",
  // raft-node.ts
  "campaign_waits_for_promise",
  "timeout_of_who_may_not_campaign",
  "write_durable_that_was_not_awaited",
  "snapshot_ended_nobody_waits_for",
  "image_offered_is_no_news",
  // receive.ts
  "old_leader_corrected",
  "stranger_imposes_no_term",
  "newer_term_of_answer_taken_over",
  "order_to_lead_came_late",
  "ordered_to_lead_but_may_not",
  "read_of_a_stranger",
  "read_came_to_no_leader",
  "stray_message_dropped",
  // replication.ts
  "entries_fetched_from_disk",
  "peer_needs_snapshot",
  "entry_larger_than_the_window",
  "peer_asked_again_after_heartbeat",
  "peer_probed_after_silence",
  "fetched_entries_not_wanted_any_more",
  "fetched_entries_were_compacted",
  "fetched_entries_found_no_room",
  // voting.ts
  "vote_refused_for_promise",
  "vote_asked_of_the_leader",
  "equal_pre_candidate_stood_firm",
  "pre_candidate_gave_way",
  "pre_vote_refused_log_behind",
  "vote_refused_older_term",
  "vote_ignored_leader_is_heard",
  "vote_refused_log_behind",
  "vote_refused_given_to_another",
  "vote_refused_by_who_takes_no_part",
  "vote_given_again",
  "vote_waits_for_the_disk",
] as const;

export type RaftPoint = (typeof RAFT_POINTS)[number];

let observer: ((point: RaftPoint) => void) | null = null;

/**
 * The code has come to this point. Costs one comparison where nobody watches, and stands off the paths of every day.
 * This is the one state of the package outside of its instances: nothing is ever computed from it, so what an instance does
 * depends on its inputs alone.
 */
export function reached(point: RaftPoint): void {
  if (observer !== null) observer(point);
}

/** Has every point told from now on, of all instances in this process; null: no longer. */
export function observePoints(next: ((point: RaftPoint) => void) | null): void {
  observer = next;
}
