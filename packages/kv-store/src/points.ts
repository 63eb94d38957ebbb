/**
 * Names of situations of this package that are rare and matter, each told where the code comes to it. A simulation that
 * watches them can say which of them its runs never reached.
 */
export const KV_STORE_POINTS = [
  // apply-session.ts
  "session_opening_repeated",
  "session_refused_too_many",
  "attach_refused_session_gone",
  "session_closed_twice",
  "expiry_of_session_already_gone",
  "expiry_spared_session_that_acted",
  "expiry_of_other_term_ignored",
  "several_sessions_expired_at_once",
  "session_moved_to_other_node",
  "ephemeral_ended_with_its_session",
  "session_ended_with_unacknowledged_replies",
  "session_timeout_raised",
  "session_timeout_lowered",
  // apply-write.ts
  "write_of_session_gone",
  "write_of_connection_before",
  "write_after_gap_skipped",
  "write_skipped_window_full",
  "repeat_of_acknowledged_write",
  "reply_from_window",
  "acknowledged_more_than_written",
  "window_full_of_bytes",
  "write_without_ops",
  "write_of_too_many_ops",
  "multi_undone_after_earlier_ops",
  // change-log.ts
  "changes_restored_from_image",
  "changes_asked_for_are_gone",
  "changes_of_abandoned_checkpoint_removed",
  "changes_fell_out_of_the_image",
  "change_log_checkpoint_abandoned",
  "imaged_changes_bounded_by_bytes",
  "changes_split_into_pieces",
  // change-store.ts
  "lent_changes_outlived_their_log",
  "changes_memory_used_again",
  "changes_data_beyond_one_arena",
  // checkpoint.ts
  "image_forgotten",
  "replies_of_abandoned_checkpoint_written_again",
  "acknowledged_reply_left_the_image",
  "unacknowledged_reply_in_the_image",
  // data-tree.ts
  "replicated_clock_held_back",
  "replicated_clock_step_bounded",
  // dirty-list.ts
  "changed_while_checkpoint_under_way",
  "gone_before_any_checkpoint",
  "dirty_list_compacted",
  "checkpoint_wrote_state_of_its_revision",
  "checkpoint_took_item_out_of_image",
  "checkpoint_abandoned",
  "abandoned_item_had_changed_again",
  // image-error.ts
  "image_refused",
  // ops/acquire.ts
  "acquire_refused_too_many_parents",
  "acquire_refused_tree_full",
  "lock_acquired_twice_in_one_write",
  "acquire_below_ephemeral",
  "acquire_among_ordinary_children",
  "acquire_refused_lock_held",
  "lock_directory_created",
  "contender_lined_up_behind_others",
  // ops/check.ts
  "check_of_changed_znode_failed",
  // ops/create.ts
  "sequence_exhausted",
  "create_of_what_exists",
  "create_refused_tree_full",
  "child_of_ephemeral_refused",
  "ordinary_child_of_lock_directory_refused",
  "session_holds_too_many_ephemerals",
  // ops/delete.ts
  "delete_of_changed_znode_refused",
  "delete_of_parent_refused",
  // ops/guard.ts
  "write_fenced_off",
  // ops/release.ts
  "release_of_what_is_not_held",
  // ops/set.ts
  "set_of_changed_znode_refused",
  "set_refused_tree_full",
  // queries.ts
  "contender_asked_for_is_gone",
  // transaction.ts
  "contender_left_its_lock",
  "created_and_deleted_in_one_write",
  "set_undone",
  "create_undone",
  "delete_undone",
  "lock_left_to_nobody",
  "waiting_contender_left",
  "lock_released_and_acquired_in_one_write",
  "lock_passed_on",
  "large_write_let_go",
  // tree-loader.ts
  "znode_loaded_before_its_parent",
  "ephemeral_loaded_from_image",
  "replies_loaded_from_image",
  // watch-table.ts
  "watch_registered_twice",
] as const;

export type KvStorePoint = (typeof KV_STORE_POINTS)[number];

let observer: ((point: KvStorePoint) => void) | null = null;

/**
 * The code has come to this point. Costs one comparison where nobody watches, and stands off the paths of every day.
 * This is the one state of the package outside of its instances: nothing is ever computed from it, so what an instance does
 * depends on its inputs alone.
 */
export function reached(point: KvStorePoint): void {
  if (observer !== null) observer(point);
}

/** Has every point told from now on, of all instances in this process; null: no longer. */
export function observePoints(next: ((point: KvStorePoint) => void) | null): void {
  observer = next;
}
