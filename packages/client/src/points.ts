/**
 * Names of situations of this package that are rare and matter, each told where the code comes to it. A simulation that
 * watches them can say which of them its runs never reached.
 */
export const CLIENT_POINTS = [
  // cancellations.ts
  "call_ended_by_its_signal",
  "call_timed_out",
  // connection.ts
  "client_frame_full_within_a_turn",
  "server_frame_not_understood",
  // connector.ts
  "connection_lost_before_it_proved_good",
  "messages_came_with_the_welcome",
  "all_servers_failed_in_a_round",
  // liveness.ts
  "pong_of_earlier_connection",
  "timeout_shorter_than_before",
  "deadline_passed_at_the_client",
  "server_silent_too_long",
  "client_had_slept",
  "client_slept_past_its_deadline",
  // recipes/contender.ts
  "asked_again_for_lock_of_own_that_was_given_up",
  "lock_granted_to_waiting_contender",
  "waiting_contender_reconnected",
  "lock_lost_with_its_session",
  "acquired_after_it_was_given_up",
  "acquire_answered_after_it_was_sent_again",
  "acquire_given_up_before_its_answer",
  "waiting_contender_gave_up",
  "contender_found_gone",
  "contender_deleted_by_hand",
  "release_failed_and_may_be_repeated",
  // recipes/leader-stream.ts
  "leader_changed_while_followed",
  // request-table.ts
  "unsent_acquire_withdrawn",
  "acquire_withdrawn_to_be_skipped",
  "withdrawn_acquire_skipped_when_sent_again",
  "answers_acknowledged_without_a_write",
  "read_sent_again_after_reconnect",
  "calls_held_back_after_refusal",
  "write_answered_twice",
  "refusal_overcome",
  "skipped_write_answered",
  "read_answered_twice",
  "read_overtook_refused_write",
  "write_can_never_be_taken",
  "writes_refused_for_now",
  "write_given_up_with_unknown_outcome",
  "abandoned_write_refused",
  "refused_write_given_up",
  "unsent_call_given_up",
  "call_waits_for_room_in_the_window",
  "write_skipped",
  // server-list.ts
  "learned_members_forgotten",
  // session-identity.ts
  "first_welcome_too_late",
  // session-secret.ts
  "opening_took_so_long_that_it_began_anew",
  // session-states.ts
  "states_not_followed_in_time",
  // session.ts
  "welcomed_after_the_deadline",
  "welcome_of_another_session",
  "reconnected_to_close_the_session",
  "answer_after_the_deadline",
  "lost_connection_while_closing",
  "write_answered_session_expired",
  "write_refused_session_expired",
  "members_learned_while_connected",
  "attached_on_another_connection",
  "sent_away_as_not_ready",
  "session_given_up_after_blames",
  "opened_session_had_ended",
  "other_version_at_one_of_the_servers",
  "session_suspended",
  "session_expired_at_the_client",
  // watch-stream.ts
  "watch_not_read_overflowed",
  // watches.ts
  "watch_resumed_on_new_connection",
  "answer_for_removed_watch",
  "watch_told_that_it_lost_events",
  "event_for_removed_watch",
  "repeated_event_dropped",
  // write-window.ts
  "write_sent_again_after_reconnect",
] as const;

export type ClientPoint = (typeof CLIENT_POINTS)[number];

let observer: ((point: ClientPoint) => void) | null = null;

/**
 * The code has come to this point. Costs one comparison where nobody watches, and stands off the paths of every day.
 */
export function reached(point: ClientPoint): void {
  if (observer !== null) observer(point);
}

/** Has every point told from now on, of all instances in this process; null: no longer. */
export function observePoints(next: ((point: ClientPoint) => void) | null): void {
  observer = next;
}
