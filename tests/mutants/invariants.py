"""The invariants I1–I24 (sync.md §3.10) and the tests of each; tests/architecture/test_citations.py holds that each is there and
says so. Which bugs break them stands in table.py."""

MACHINE = "tests/protocol/test_real_machine.py::test_whatever_happens_on_the_line_the_laws_hold_when_it_is_quiet"
LAWS = "tests/protocol/laws.py::"

# invariant → (what it says, the tests or the laws of the machine that name it)
INVARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "I1": ("an op that was reported is in the log, whatever happens", (f"{LAWS}nothing_is_lost",)),
    "I2": ("an op has one effect, however often it comes", (f"{LAWS}nothing_is_doubled",)),
    "I3": ("when nothing changes any more, device and server are equal", (f"{LAWS}same_view",)),
    "I4": ("an own op is seen exactly once, at every step", (MACHINE,)),
    "I5": ("one op at each place of a replica's log, which is a chain", (f"{LAWS}logs_are_chains",)),
    "I6": ("results leave the server after the commit", ("tests/faults/test_kill_points.py",)),
    "I7": ("whoever sees a clock sees every row up to it", (
        "tests/faults/test_feed_race.py::test_p1_a_follower_of_sixteen_writers_loses_no_row_and_sees_none_backwards",)),
    "I8": ("a complete view holds what is in scope and nothing else", (f"{LAWS}same_view", f"{LAWS}within_scope")),
    "I9": ("what leaves one bucket stays in another; what leaves all is gone", ("tests/pull/test_scope.py",)),
    "I10": ("no answer empties an outbox", ("tests/faults/test_transport.py",)),
    "I11": ("every op ends in one status or is listed for a person", (f"{LAWS}every_op_has_its_status",)),
    "I12": ("a stored body is what was sent, byte for byte", (f"{LAWS}logs_are_chains",)),
    "I13": ("a reset may be interrupted at every page", (
        "tests/pull/test_checks.py::test_i13_i23_a_reset_killed_at_any_page_heals_all_the_same",)),
    "I14": ("after a restore every acknowledged op is there again, once", (f"{LAWS}nothing_is_lost", "tests/journeys/test_back_in_time.py")),
    "I15": ("no device clock decides anything", (
        "tests/problems/test_commute.py::test_i15_whatever_the_clocks_say_outcomes_and_entity_are_the_same", "tests/doors/test_time.py")),
    "I16": ("a judgement depends on state, op and rights alone", (
        "tests/problems/test_life.py::test_i16_a_judgement_depends_on_state_op_and_rights_alone",
        "tests/problems/test_commute.py::test_i16_the_same_ops_on_the_same_state_come_to_the_same")),
    "I17": ("facts, and edits of different fields, commute", (
        "tests/problems/test_commute.py::test_i17_facts_and_edits_of_different_fields_come_to_the_same_in_either_order",)),
    "I18": ("a parked op that is tried again is as one that comes then", ("tests/api/test_push_laws.py",)),
    "I19": ("an offset never goes back; verified bytes hash to their name", ("tests/faults/test_cut_uploads.py", "tests/api/test_blobs.py")),
    "I20": ("the same request at any later time changes nothing", ("tests/api/test_push_laws.py",)),
    "I21": ("no page holds what its reader may not see", (f"{LAWS}within_scope", "tests/pull/test_scope.py")),
    "I22": ("what is over a limit is refused before it is inflated or parsed", ("tests/faults/test_transport.py",)),
    "I23": ("a difference that a check shows is gone after one reset", (
        "tests/pull/test_checks.py::test_i23_one_reset_heals_whatever_the_device_got_wrong",)),
    "I24": ("a client of any version hands over its whole outbox", ("tests/api/test_push_laws.py",)),
}  # fmt: skip
