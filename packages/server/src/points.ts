/**
 * Names of situations of this package that are rare and matter, each told where the code comes to it. A simulation that
 * watches them can say which of them its runs never reached.
 */
export const SERVER_POINTS = [
  // applier.ts
  "state_replaced_by_snapshot",
  // client/attachments.ts
  "attach_at_a_node_behind_its_client",
  "client_had_seen_more_than_this_node",
  "hello_did_not_come",
  "attach_undecided_in_time",
  // client/client-connection.ts
  "slow_client_let_go",
  "writes_refused_to_client",
  "reads_wait_for_a_client_to_read",
  "reads_left_for_another_turn",
  "client_frame_not_understood",
  "client_held_while_its_watches_resume",
  "write_behind_a_refused_one_ignored",
  "write_number_not_due",
  // client/client-gateway.ts
  "session_of_another_history",
  "attach_overtaken_by_a_later_one",
  "write_larger_than_the_log_takes",
  "node_holds_too_many_proposals",
  "session_end_waits_for_its_writes",
  "client_gone_with_writes_under_way",
  "write_met_a_gap_in_the_log",
  "write_met_a_full_window",
  "write_came_after_the_end_of_its_session",
  "late_attach_of_earlier_connection",
  "session_attached_elsewhere",
  "session_attached_while_its_client_is_gone",
  "attach_refused_to_client",
  "connected_session_expired",
  "snapshot_told_of_session_end",
  "client_sent_away_after_snapshot",
  "snapshot_confirmed_session_close",
  "waiting_write_refused",
  "opening_client_sent_away",
  // client/client-watches.ts
  "watch_from_a_revision_to_come",
  "watch_resumed_from_change_log",
  "client_gone_before_its_watches_stood",
  "watches_beyond_their_bound",
  "watches_fell_behind",
  "walk_waits_for_what_was_told_to_leave",
  "resuming_clients_left_for_another_walk",
  "more_watches_resumed_during_the_walk",
  "resumed_watches_stand_in_another_turn",
  "watch_stands_without_its_events",
  // client/event-delivery.ts
  "events_of_one_revision_beyond_a_frame",
  "events_of_one_watch_beyond_a_frame",
  // client/missed-events.ts
  "missed_events_beyond_their_bound",
  // client/outbox.ts
  "outbox_sent_within_a_turn",
  "client_left_too_much_unread",
  // client/outflow.ts
  "sending_left_for_another_turn",
  "clients_together_left_too_much_unread",
  // client/resume-walk.ts
  "watch_resumed_behind_a_cut_change_log",
  "change_log_cut_during_the_walk",
  "resuming_clients_wait_for_memory",
  "walk_over_changes_interrupted",
  // digest-exchange.ts
  "digest_mismatch_found",
  "digest_too_old_to_compare",
  // disk-health.ts
  "peer_says_its_disk_is_full",
  "disk_has_room_again",
  "disk_stuck_while_others_went_on",
  // disk-reserve.ts
  "disk_reserve_given_up",
  // image/checkpointer.ts
  "checkpoint_failed",
  "checkpoint_paused_for_other_work",
  // image/node-snapshots.ts
  "damage_of_an_image_of_the_past",
  "snapshot_replaced_the_damaged_image",
  "checkpoint_put_off_disk_full",
  "snapshot_installed",
  "snapshot_arrived_while_stopping",
  "snapshot_waits_for_the_disk",
  "snapshot_of_no_use_to_the_core",
  "checkpoint_outlived_its_image",
  // image/snapshot-receiver.ts
  "snapshot_pieces_beyond_the_window",
  "snapshot_piece_came_again",
  "snapshot_piece_missing",
  "unfinished_snapshot_replaced",
  "unfinished_snapshot_given_up",
  "snapshot_began_in_an_earlier_process",
  "snapshot_received_whole",
  "snapshot_piece_refused",
  "snapshot_found_no_room",
  // image/snapshot-sender.ts
  "snapshot_put_off",
  "snapshot_refused_at_its_end",
  "snapshot_asked_for_while_under_way",
  "snapshot_resumed",
  "suspended_snapshot_too_old",
  "snapshot_suspended_by_broken_link",
  "snapshot_unanswered_given_up",
  "suspended_snapshot_given_up",
  // leader-duties.ts
  "snapshot_installed_while_leading",
  "touches_confirmed_in_another_term",
  "expiry_found_no_room",
  "expiry_split_by_its_ephemerals",
  // leadership.ts
  "leader_with_full_disk_hands_over",
  "lead_goes_to_preferred_node",
  // liveness.ts
  "touches_under_way_at_leader_change",
  "touches_unanswered_in_time",
  "unanswered_touches_forgotten",
  "answer_to_forgotten_touches",
  "late_answer_proves_life",
  "pinging_session_unknown_to_leader",
  // membership/admission.ts
  "ensemble_formed",
  "member_unknown_here_met",
  "founders_met_differently",
  "peer_of_another_ensemble",
  "node_without_its_data_asks_to_come_back",
  "node_asks_to_join",
  "stranger_refused",
  "removed_member_came_back",
  "formation_learned_from_peer",
  "refusal_waited_through",
  // membership/acquaintances.ts
  "acquaintance_of_another_history",
  // membership/invitations.ts
  "invitations_of_an_earlier_leadership",
  // membership/membership-keeper.ts
  "membership_waits_for_change_under_way",
  "request_to_come_back_of_the_past",
  "old_identity_still_heard_of",
  "lost_identity_replaced",
  "newcomer_becomes_learner",
  "learner_not_caught_up",
  "learner_becomes_voter",
  "promotion_would_lose_the_quorum",
  // membership/node-membership.ts
  "node_learned_of_its_removal",
  "removal_before_it_was_taken_in_again",
  "leader_missed_for_long",
  "join_request_passed_on",
  "membership_change_refused_by_core",
  "removal_waits_for_transfer_of_lead",
  "removal_no_heir_took_over_before",
  // node-loop.ts
  "process_stood_still",
  "disk_stood_still",
  "turn_ended_for_the_sockets",
  "commands_held_back_by_the_core",
  "damage_found_for_a_peer",
  // node-storage.ts
  "image_replaced_while_it_was_renewed",
  "start_between_snapshot_and_log",
  "received_snapshot_given_up",
  "log_kept_for_a_peer",
  // peer/incoming-link.ts
  "incoming_link_silent",
  "peer_broke_the_protocol",
  "peer_paused_until_its_frames_are_done",
  // peer/outgoing-link.ts
  "outgoing_link_silent",
  "connection_came_after_its_attempt",
  "answer_of_peer_not_understood",
  "peer_refused_this_node",
  "another_node_answered",
  "peer_link_lost",
  "next_address_of_peer_tried",
  // peer/peer-network.ts
  "node_met_its_own_identity",
  "older_link_of_peer_came_later",
  "too_many_peer_links",
  // peer/send-queue.ts
  "peer_queue_full_of_bytes",
  "peer_queue_full_of_envelopes",
  "snapshot_piece_found_no_room",
  "peer_frame_full_within_a_turn",
  // proposal-exchange.ts
  "proposals_could_not_leave",
  "refusals_may_be_unheard",
  "refusal_could_not_be_told",
  "proposals_came_to_no_leader",
  "command_of_peer_not_acceptable",
  "intake_full",
  "growing_write_refused_disks_full",
  "repeat_taken_although_disks_are_full",
  // proposal-intake.ts
  "batch_bounded_by_its_bytes",
  "queued_commands_dropped_with_the_lead",
  // proposals.ts
  "applied_write_waits_here_no_more",
  "write_taken_back_before_the_log",
  "write_waits_behind_a_refused_one",
  "write_refused_by_leader",
  "gap_is_being_made_good",
  "write_sent_again_to_leader",
  "attach_sent_again_to_leader",
  "proposals_wait_for_a_leader",
  // reads.ts
  "read_round_begun_again",
  "read_state_of_earlier_round_ignored",
  "read_round_refused",
  // recovery/damage-repair.ts
  "image_renewal_attempted_again",
  "damaged_image_renewed",
  "damaged_node_is_needed",
  "damaged_image_was_replaced",
  // recovery/departures.ts
  "damaged_leader_waits_until_it_can_tell",
  "departure_put_off_by_new_leader",
  // recovery/log-disputes.ts
  "leader_contradicts_what_is_committed",
  // recovery/set-aside.ts
  "damaged_data_set_aside",
  // scrub/scrubber.ts
  "scrub_asked_for",
  // session-tracker.ts
  "attach_saved_expiring_session",
  "touch_of_expiring_session",
  "expiry_was_not_confirmed",
  "session_overdue",
  // storage/file-window.ts
  "window_narrowed_before_a_bad_sector",
  // storage/identity.ts
  "copy_of_identity_unreadable",
  "first_copy_of_identity_damaged",
  "second_copy_of_identity_behind",
  // storage/log-replay.ts
  "durable_records_lost",
  "newest_segment_lost",
  "torn_write_cut_off",
  "log_damage_found",
  // storage/log-segments.ts
  "spare_segment_found_no_room",
  // storage/room-wait.ts
  "log_waits_for_room",
  "file_waits_to_be_opened",
  // storage/write-ahead-log.ts
  "log_changed_during_a_read",
  "log_went_on_in_next_segment",
  "log_segment_removed",
  "large_record_replaced_empty_segment",
] as const;

export type ServerPoint = (typeof SERVER_POINTS)[number];

let observer: ((point: ServerPoint) => void) | null = null;

/**
 * The code has come to this point. Costs one comparison where nobody watches, and stands off the paths of every day.
 */
export function reached(point: ServerPoint): void {
  if (observer !== null) observer(point);
}

/** Has every point told from now on, of all instances in this process; null: no longer. */
export function observePoints(next: ((point: ServerPoint) => void) | null): void {
  observer = next;
}
