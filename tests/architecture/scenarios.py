"""The scenarios of sync.md §4.3 and the faults of quality.md, and the tests of each (test_citations.py holds that they are there).

P1–P9 are scenarios here, not the rules of PROTOCOL.md that bear the same names. The storm (F13) and B1–B5 are elsewhere.
"""

FAULTS, PULL, LIFE = "tests/faults/test_", "tests/pull/test_", "tests/problems/test_"
RACE, PUSHES, SQLITE, LOCKS = f"{FAULTS}feed_race.py", f"{FAULTS}push_races.py", f"{FAULTS}sqlite.py", f"{FAULTS}locks.py"
LINE, DISK, UPLOADS, REPLAYS = f"{FAULTS}transport.py", f"{FAULTS}disk.py", f"{FAULTS}cut_uploads.py", f"{FAULTS}replays.py"
CLOCKS, CUSTODY = "tests/doors/test_time.py", "tests/api/test_custody.py"
BESIDE, STORES = "tests/backups/test_beside_the_door.py", "tests/doors/test_older_stores.py"

WANTED = [f"{letter}{n}" for letter, most in {"P": 9, "S": 4, "T": 6, "C": 4, "W": 3, "L": 7, "F": 12}.items() for n in range(1, most + 1)]
WANTED += ["F16"]

SCENARIOS: dict[str, tuple[str, ...]] = {
    "P1": (f"{RACE}::test_p1_a_follower_of_sixteen_writers_loses_no_row_and_sees_none_backwards",),
    "P2": (f"{RACE}::test_p2_with_a_plain_sequence_for_a_clock_the_same_follower_loses_rows",),
    "P3": (f"{RACE}::test_p3_an_idle_write_transaction_elsewhere_does_not_hold_the_feed_up",),
    "P4": ("tests/journeys/test_back_in_time.py::test_two_hours_are_lost_and_every_phone_gives_them_back",
           "tests/journeys/test_dump_put_back.py::"
           "test_a_dump_that_is_put_back_begins_an_epoch_and_every_phone_gives_back_what_came_after_it"),
    "P5": (f"{LOCKS}::test_p5_what_was_acknowledged_outlives_kill_9_of_postgresql_during_pushes",),
    "P6": (f"{PUSHES}::test_p6_the_same_body_from_eight_threads_is_applied_by_one_and_a_duplicate_to_seven",),
    "P7": (f"{PUSHES}::test_p7_of_two_clones_that_push_at_once_exactly_one_is_told_of_a_fork",
           f"{PUSHES}::test_p7_cloned_phones_that_sync_at_once_lose_nothing_and_double_nothing"),
    "P8": (f"{PUSHES}::test_p8_ops_in_reverse_overlapping_order_of_sites_with_photos_arriving_never_deadlock",),
    "P9": (f"{BESIDE}::test_p9_a_version_that_was_raised_by_raw_sql_is_named_for_every_type_of_the_feed",
           f"{BESIDE}::test_p9_a_row_that_was_deleted_by_raw_sql_is_named_for_every_type_of_the_feed",
           f"{BESIDE}::test_p9_a_row_that_was_put_in_by_raw_sql_is_named_for_every_type_of_the_feed",
           f"{BESIDE}::test_p9_whatever_the_door_writes_of_the_record_it_tells_the_feed_and_both_books",
           "tests/architecture/test_house.py::test_p9_nothing_but_the_door_writes_the_record"),
    "S1": (f"{SQLITE}::test_s1_a_read_is_of_one_moment_here_and_torn_with_the_drivers_defaults",),
    "S2": (f"{SQLITE}::test_s2_reading_and_then_writing_fails_at_once_without_our_begin_and_never_with_it",),
    "S3": (f"{SQLITE}::test_s3_every_connection_of_the_pool_writes_through_to_the_disk",
           f"{SQLITE}::test_s3_between_a_push_and_its_answer_the_log_is_synced"),
    "S4": (f"{SQLITE}::test_s4_sixteen_writers_are_served_in_the_order_of_their_coming",),
    "T1": (f"{LINE}::test_t1_an_answer_cut_at_any_byte_changes_nothing_and_a_whole_one_is_taken_whole",
           f"{LINE}::test_t1_answers_to_an_upload_cut_at_any_byte_never_make_a_photo_done"),
    "T2": (f"{FAULTS}cli_devices.py::test_three_devices_as_processes_converge_over_a_line_that_does_everything_wrong",
           "tests/protocol/test_real_machine.py"),
    "T3": (f"{LINE}::test_t3_a_portal_that_answers_everything_with_its_page_changes_nothing",),
    "T4": (f"{LINE}::test_t4_a_gzip_bomb_at_any_door_is_refused_and_takes_no_memory",
           f"{LINE}::test_t4_a_body_that_is_not_what_it_says_is_refused_and_never_a_500"),
    "T5": (f"{UPLOADS}::test_t5_a_kept_line_that_is_half_closed_in_a_patch_gets_its_answer_and_the_next_goes_on",),
    "T6": (f"{FAULTS}thin_line.py::test_t6_everything_an_inspector_needs_comes_over_a_thin_line_in_half_a_minute",),
    "C1": (f"{CLOCKS}::test_c1_whatever_the_clocks_say_outcomes_and_state_are_the_same",),
    "C2": (f"{CLOCKS}::test_c2_c3_wrong_clocks_and_reboots_stop_nothing_and_the_truth_is_within_the_interval",),
    "C3": (f"{CLOCKS}::test_c2_c3_wrong_clocks_and_reboots_stop_nothing_and_the_truth_is_within_the_interval",),
    "C4": ("tests/protocol/test_time.py::test_c4_the_interval_holds_the_true_time_whatever_the_line_and_the_drift",),
    "W1": (f"{LIFE}life.py::test_the_table_that_people_reviewed_is_what_the_rules_say",),
    "W2": (f"{LIFE}commute.py::test_i17_facts_and_edits_of_different_fields_come_to_the_same_in_either_order",),
    "W3": (f"{LIFE}life.py::test_nothing_ends_a_danger_that_somebody_has_spoken_of_since",),
    "L1": (f"{STORES}::test_a_store_of_an_older_layout_opens_loses_nothing_and_syncs",
           f"{STORES}::test_a_phone_that_dies_while_it_is_brought_up_to_date_has_its_old_store",
           f"{STORES}::test_a_store_of_a_newer_program_is_refused_and_not_a_byte_of_it_changes"),
    "L2": (f"{CUSTODY}::test_args_of_an_older_client_are_brought_to_the_newest_version",),
    "L3": (f"{CUSTODY}::test_a_release_that_knows_the_verb_carries_out_what_waited_for_it",),
    "L4": (f"{PULL}crowds.py::test_l4_a_thousand_sites_move_while_twenty_devices_page",),
    "L5": (f"{CUSTODY}::test_a_person_who_has_left_hands_over_what_their_phone_holds",),
    "L6": ("tests/api/test_replicas.py::test_two_people_at_one_phone_have_replicas_of_their_own",),
    "L7": (f"{PULL}horizons.py::test_l7_a_device_that_was_away_for_400_days_sees_what_is_and_hands_over_what_it_recorded",
           "tests/journeys/test_four_hundred_days.py::test_after_400_days_every_op_is_in_custody_and_the_view_is_the_servers"),
    "F1": (f"{FAULTS}restarts.py::test_f1_twenty_kills_at_random_moments_of_a_storm",),
    "F2": (f"{FAULTS}kill_points.py",),
    "F3": (f"{DISK}::test_f3_a_full_disk_under_sqlite_is_said_reading_goes_on_and_room_heals_it_without_a_restart",
           f"{DISK}::test_f3_a_full_disk_of_postgresql_is_said_and_room_heals_it_without_a_restart"),
    "F4": (f"{DISK}::test_f4_a_full_disk_of_photos_keeps_what_arrived_tells_the_true_offset_and_ops_go_on",),
    "F5": (f"{DISK}::test_f5_a_disk_that_fails_to_sync_acknowledges_nothing_that_is_not_stored",),
    "F6": (f"{LOCKS}::test_f6_a_stranger_who_holds_sqlite_is_waited_for_and_a_long_one_is_told_as_busy",
           f"{LOCKS}::test_f6_backends_that_are_killed_and_a_restart_of_postgresql_heal_by_themselves"),
    "F7": (f"{REPLAYS}::test_f7_a_server_whose_clock_jumps_keeps_the_order_of_its_feed_and_takes_no_code_that_is_over",),
    "F8": (f"{REPLAYS}::test_f8_clocks_of_devices_decide_nothing_whatever_they_say",),
    "F9": (f"{UPLOADS}::test_f9_cut_at_every_64_kb_and_somewhere_between_it_goes_on_where_it_was",),
    "F10": (f"{FAULTS}cli_devices.py::test_three_devices_as_processes_converge_over_a_line_that_does_everything_wrong",),
    "F11": (f"{REPLAYS}::test_f11_a_whole_day_twice_eight_at_once_changes_nothing_and_is_answered_alike",),
    "F12": (f"{FAULTS}cli_devices.py::test_eight_devices_as_processes_converge_over_a_bad_line",),
    "F16": (f"{RACE}::test_p1_a_follower_of_sixteen_writers_loses_no_row_and_sees_none_backwards",),
}  # fmt: skip

# Without a test, and why. A list that only shrinks.
UNTESTED: dict[str, str] = {}
