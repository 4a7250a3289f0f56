"""P70: facts are taken whenever the problem is there, stand in its history and on its row with their op, and change nothing
about anybody's intent."""

import pytest

from backend.problems import record
from tests.problems.ground import Ground, new_id

FIX = {"lon": 118.05, "lat": 36.81, "accuracy_m": 6.0, "crs": "gcj02"}


def test_a_note_stands_in_the_history_and_on_the_row_with_its_op(both: Ground) -> None:
    ent, op = both.hazard(), new_id()
    done = both.do("problem.note", ent, "school", op=op, text="已联系施工方", photos=[])
    assert (done.status, done.flags, done.ver) == ("applied", (), 3)
    line, row = both.lines(ent)[-1], both.row(ent)
    assert (line.action, line.op_id, line.note, line.ver, line.actor_id) == ("note", op, "已联系施工方", 3, "u-school")
    assert [(n["op"], n["kind"], n["text"]) for n in row["notes"]] == [(op, "note", "已联系施工方")]
    assert row["state"] == "assigned", "a fact moves nothing"


def test_the_row_carries_the_newest_notes_only_and_cuts_long_ones(both: Ground) -> None:
    ent = both.hazard()
    ops = [both.do("problem.note", ent, "inspector", text=f"第{n}次查看" * 200).op_id for n in range(record.MAX_NOTES + 2)]
    notes = both.row(ent)["notes"]
    assert [n["op"] for n in notes] == ops[2:]
    assert {len(n["text"]) for n in notes} == {record.MAX_NOTE_TEXT} and all(n["is_cut"] for n in notes)
    assert both.lines(ent)[-1].note == f"第{record.MAX_NOTES + 1}次查看" * 200, "the history has it whole"


def test_a_sighting_keeps_where_the_observer_stood(both: Ground) -> None:
    ent = both.hazard()
    for seen in ("work_stopped", "work_going_on", "danger"):
        assert both.do("problem.observe", ent, "inspector", seen=seen, note="", fix=FIX).status == "applied"
    assert [(e.action, e.data["fix"]) for e in both.lines(ent)[2:]] == [(s, FIX) for s in ("work_stopped", "work_going_on", "danger")]
    assert both.row(ent)["state"] == "assigned"


def test_a_danger_seen_again_reopens_what_was_closed(both: Ground) -> None:
    ent = both.hazard()
    both.put(ent, state="closed", is_open=False, open_key=None)
    done = both.do("problem.observe", ent, "school", base={"ver": 2}, seen="danger", note="又积水了", fix=None)
    row = both.row(ent)
    assert (done.status, row["state"], row["is_open"], row["next_actor"]) == ("applied", "assigned", True, "department")
    assert row["open_key"], "and owns its hazard's key again"


def test_a_problem_that_is_reopened_leaves_the_key_to_the_one_that_has_it(both: Ground) -> None:
    first = both.hazard()
    key = both.row(first)["open_key"]
    both.put(first, state="closed", is_open=False, open_key=None)
    site, _, item = key.partition(":")
    second = both.hazard(site_id=site, item=item)
    assert second != first and both.row(second)["open_key"] == key
    assert both.do("problem.observe", first, "inspector", seen="danger", fix=None).status == "applied"
    assert (both.row(first)["is_open"], both.row(first)["open_key"], both.row(second)["open_key"]) == (True, None, key)


def test_later_photos_are_evidence_that_is_waited_for(both: Ground) -> None:
    ent, sha = both.hazard(), both.photo(is_here=False)
    op = both.do("photo.attach", ent, "inspector", item="A101", photos=[sha])
    row, line = both.row(ent), both.lines(ent)[-1]
    assert (op.status, row["missing_photos"]) == ("applied", 1)
    assert (line.action, line.photos, line.op_id, line.data) == ("photo", [sha], op.op_id, {"item": "A101"})
    both.arrive(sha)
    assert both.row(ent)["missing_photos"] == 0


def test_a_photo_for_a_finding_is_one_of_the_problem_that_it_raised_or_joined(both: Ground) -> None:
    ent = both.hazard()
    site, _, item = both.row(ent)["open_key"].partition(":")
    other = new_id()
    report = {"site_id": site, "item": item, "programme": "campus-perimeter", "template_version": 1, "remark": "再次发现"}
    assert both.do("problem.report", other, "inspector", kind="finding", **report).status == "applied"
    sha = both.photo()
    done = both.do("photo.attach", f"{other}:{item}", "inspector", kind="finding", photos=[sha])
    assert done.status == "applied", "the finding is there, whichever problem it belongs to"
    assert [(e.action, e.op_id) for e in both.lines(ent)][-1] == ("photo", done.op_id)
    assert [e.action for e in both.lines(ent)][-2:] == ["report", "photo"]


@pytest.mark.parametrize("kind", ["problem", "finding", "inspection", "sweep", ""])
def test_photos_of_what_is_not_there_are_kept_for_a_person(both: Ground, kind: str) -> None:
    done = both.do("photo.attach", "p-nowhere", "inspector", kind=kind, photos=[both.photo()])
    assert (done.status, done.reason) == ("parked", "target_missing")


@pytest.mark.parametrize("verb", ["problem.note", "problem.observe"])
def test_a_fact_about_a_deleted_problem_is_kept_for_a_person(both: Ground, verb: str) -> None:
    ent = both.hazard()
    assert both.act(ent, "delete", "city", both.seen(ent)).status == "applied"
    args = {"text": "还在"} if verb == "problem.note" else {"seen": "danger", "fix": None}
    done = both.do(verb, ent, "inspector", **args)
    assert (done.status, done.reason) == ("parked", "target_deleted")


def test_a_fact_does_not_make_a_base_stale(both: Ground) -> None:
    ent = both.hazard()
    both.put(ent, state="fix_reported")
    base = both.seen(ent)
    for _ in range(3):
        both.do("problem.note", ent, "school", text="已清理")
    both.do("problem.observe", ent, "inspector", seen="work_stopped", fix=None)
    done = both.act(ent, "close", "inspector", base)
    assert (done.status, done.flags, both.row(ent)["state"]) == ("applied", (), "closed")


def test_a_note_says_or_shows_something(both: Ground) -> None:
    ent = both.hazard()
    done = both.do("problem.note", ent, "inspector", text="  ", photos=[])
    assert (done.status, done.reason) == ("parked", "invalid")
    assert both.do("problem.note", ent, "inspector", photos=[both.photo()]).status == "applied"
