"""P74, P75 on the real handlers: late intents, claims and those who confirm them, merged, separated and deleted problems."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.problems import triples
from tests.problems.enact import enact
from tests.problems.ground import PEOPLE, Ground, new_id
from tests.problems.triples import Triple

ASKED = [t for t in triples.triples() if triples.could_be_asked(t)]


def held_to_the_rules(ground: Ground, triple: Triple) -> None:
    done, row = enact(ground, triple)
    found = triple.judged()
    assert (done.status, done.reason, done.flags) == (found.verdict.status, found.verdict.reason, found.verdict.flags), triple
    to = triple.then.state if found.step is None else found.step.to or triple.then.state
    assert row["state"] == to, triple
    stops = found.step.stops_work if found.step else None
    assert row["is_work_stopped"] == (triple.then.is_work_stopped if stops is None else stops), triple
    assert row["is_open"] == (to not in ("closed", "refuted", "merged", "deleted"))
    assert (row["closed_at"] is not None) == (to in ("closed", "refuted")) or found.step is None


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(triple=st.sampled_from(ASKED))
def test_the_handlers_do_what_the_table_says(both: Ground, triple: Triple) -> None:
    held_to_the_rules(both, triple)


@pytest.mark.slow
@pytest.mark.parametrize("action", triples.ASKED)
def test_the_handlers_do_what_the_table_says_each_time(ground: Ground, action: str) -> None:
    for triple in ASKED:
        if triple.action == action:
            held_to_the_rules(ground, triple)


def reported(ground: Ground) -> str:
    """A problem whose fix is reported."""
    ent = ground.hazard()
    assert ground.act(ent, "report_fixed", "school", ground.seen(ent)).status == "applied"
    return ent


def test_closed_after_it_was_reassigned_is_a_claim_that_a_supervisor_confirms(both: Ground) -> None:
    ent = reported(both)
    base, sha = both.seen(ent), both.photo()
    assert both.do("problem.assign", ent, "district", base, department_id="market").status == "applied"
    done = both.act(ent, "close", "inspector", base, photos=[sha])
    row = both.row(ent)
    assert (done.status, row["state"], row["next_actor"]) == ("proposed", "to_verify", "supervisor")
    assert row["department_id"] == "market" and both.lines(ent)[-1].photos == [sha]
    fixer = replace(PEOPLE["department"], department_id="market")
    assert both.act(ent, "confirm_fix", fixer, both.seen(ent)).reason == "forbidden", "not by who fixed it"
    stale = both.act(ent, "confirm_fix", "district", base)
    assert (stale.status, stale.reason) == ("parked", "conflict")
    assert both.act(ent, "confirm_fix", "district", both.seen(ent)).status == "applied"
    assert both.row(ent)["state"] == "closed" and both.row(ent)["closed_at"]


def test_a_claim_that_a_supervisor_does_not_believe_goes_back_to_be_fixed(both: Ground) -> None:
    ent = both.hazard()
    assert both.act(ent, "close", "inspector", both.seen(ent)).status == "proposed", "nobody had reported it fixed"
    assert both.act(ent, "refuse_fix", "district", both.seen(ent)).status == "applied"
    assert both.row(ent)["state"] == "fixing"


def test_nobody_closes_what_somebody_else_has_seen_again_however_new_the_base_looks(both: Ground) -> None:
    """The author's own later op has a newer number than the danger; the danger is unseen all the same (P73)."""
    ent = reported(both)
    base, own = both.seen(ent), new_id()
    both.do("problem.observe", ent, "expert", seen="danger", fix=None)
    both.do("problem.note", ent, "inspector", base, own, text="我已到现场")
    late = both.act(ent, "close", "inspector", {"after": own})
    assert (late.status, late.reason) == ("parked", "conflict")
    assert both.act(ent, "close", "inspector", both.seen(ent)).status == "applied"


@pytest.mark.parametrize("base", [None, {"ver": 99}, {"ver": "3"}, {}])
def test_who_does_not_say_what_they_saw_closes_nothing(both: Ground, base: Any) -> None:
    ent = reported(both)
    done = both.act(ent, "close", "inspector", base)
    assert (done.status, done.reason, both.row(ent)["state"]) == ("parked", "conflict", "fix_reported")


def test_closing_waits_for_every_photo_that_was_spoken_of(both: Ground) -> None:
    ent, sha = both.hazard(), both.photo(is_here=False)
    both.act(ent, "report_fixed", "school", both.seen(ent), photos=[sha])
    early = both.act(ent, "close", "inspector", both.seen(ent))
    assert (early.reason, early.detail) == ("guard_failed", "photos of this problem are not here yet: 1")
    both.arrive(sha)
    assert both.act(ent, "close", "inspector", both.seen(ent)).status == "applied"


def test_a_close_whose_own_photos_are_on_their_way_waits_for_them_and_for_a_supervisor(both: Ground) -> None:
    ent, sha = reported(both), both.photo(is_here=False)
    assert both.act(ent, "close", "inspector", both.seen(ent), photos=[sha]).status == "proposed"
    assert both.act(ent, "confirm_fix", "district", both.seen(ent)).reason == "guard_failed"
    both.arrive(sha)
    assert both.act(ent, "confirm_fix", "district", both.seen(ent)).status == "applied"


def test_of_two_assignments_the_servers_stands_and_both_are_in_the_history(both: Ground) -> None:
    ent = both.hazard()
    base = both.seen(ent)
    assert both.do("problem.assign", ent, "district", base, department_id="market", note="甲").status == "applied"
    late = both.do("problem.assign", ent, "city", base, department_id="urban", note="乙")
    assert (late.status, both.row(ent)["department_id"]) == ("superseded", "market")
    assert [(e.status, e.data["department"], e.note) for e in both.lines(ent)[-2:]] == [("applied", "market", "甲"), ("superseded", "urban", "乙")]
    seen = both.do("problem.assign", ent, "city", both.seen(ent), department_id="urban", note="")
    assert seen.status == "applied", "who has seen the other's may decide otherwise"
    assert both.do("problem.assign", ent, "district", both.seen(ent), department_id="urban").status == "noop"


def test_a_returned_problem_may_be_given_to_the_same_department_again(both: Ground) -> None:
    ent = both.hazard()
    both.act(ent, "return", "school", both.seen(ent))
    done = both.do("problem.assign", ent, "township", both.seen(ent), department_id=both.row(ent)["department_id"])
    assert (done.status, both.row(ent)["state"]) == ("applied", "assigned")


def test_a_merged_problem_hands_over_what_makes_the_other_one_graver(both: Ground) -> None:
    ent, other = both.hazard(), both.hazard()
    both.act(ent, "stop_work", "inspector", both.seen(ent))
    both.put(ent, grade="major", due_on=None)
    done = both.do("problem.merge", ent, "district", both.seen(ent), into=both.row(other)["number"], note="同一处")
    row, survivor = both.row(ent), both.row(other)
    assert (done.status, row["state"], row["merged_into"], row["open_key"], row["closed_at"]) == ("applied", "merged", other, None, None)
    assert (survivor["is_work_stopped"], survivor["grade"], survivor["report_count"]) == (True, "major", 2)
    assert both.lines(other)[-1].action == "joined"


def test_a_claim_about_a_merged_problem_is_one_about_the_survivor(both: Ground) -> None:
    ent, other, sha = both.hazard(), both.hazard(), both.photo(is_here=False)
    base = both.seen(ent)
    both.do("problem.merge", ent, "district", base, into=other, note="同一处")
    done = both.act(ent, "close", "inspector", base, photos=[sha])
    survivor = both.row(other)
    assert (done.status, done.result, survivor["state"], survivor["missing_photos"]) == ("redirected", {"to": other}, "to_verify", 1)
    assert both.row(ent)["state"] == "merged"
    assert both.act(ent, "stop_work", "inspector", base).status == "redirected" and both.row(other)["is_work_stopped"]
    assert both.act(ent, "accept", "school", base).status == "redirected" and both.row(other)["state"] == "to_verify"


def test_a_chain_of_merges_ends_at_one_survivor_and_never_in_a_ring(both: Ground) -> None:
    a, b, c = both.hazard(), both.hazard(), both.hazard()
    both.do("problem.merge", a, "district", both.seen(a), into=b, note="同一处")
    both.do("problem.merge", b, "district", both.seen(b), into=c, note="同一处")
    assert both.do("problem.note", a, "inspector", text="看过").result == {"to": c}
    for one, into, reason in ((c, a, "invalid"), (c, c, "invalid"), (c, "p-nowhere", "target_missing")):
        done = both.do("problem.merge", one, "district", both.seen(c), into=into, note="同一处")
        assert (done.status, done.reason) == ("parked", reason)
    assert both.do("problem.merge", a, "district", both.seen(a), into=c, note="再说一次").status == "noop"
    assert both.row(c)["report_count"] == 3
    assert both.act(a, "separate", "district", both.seen(a)).status == "applied"
    assert [both.row(p)["report_count"] for p in (a, b, c)] == [1, 1, 2]
    assert (both.row(a)["state"], both.row(a)["is_open"], both.row(a)["merged_into"]) == ("found", True, None)


def test_an_open_problem_is_not_merged_into_one_that_is_closed(both: Ground) -> None:
    ent, other = both.hazard(), reported(both)
    both.act(other, "close", "inspector", both.seen(other))
    done = both.do("problem.merge", ent, "district", both.seen(ent), into=other, note="同一处")
    assert (done.status, done.reason, both.row(ent)["is_open"]) == ("parked", "guard_failed", True)


def test_a_report_in_the_wrong_name_reaches_the_problem_that_it_joined(both: Ground) -> None:
    """A phone raises a hazard offline and goes on working with it under the name that it gave it; it joined another."""
    ent, mine = both.hazard(), new_id()
    row = both.row(ent)
    args = {"site_id": row["site_id"], "item": row["item"], "programme": row["programme"], "template_version": 1, "remark": "积水"}
    op = both.do("problem.report", mine, "inspector", kind="finding", **args)
    done = both.act(f"p-{mine}:{row['item']}", "stop_work", "inspector", {"after": op.op_id})
    assert (done.status, done.result, both.row(ent)["is_work_stopped"]) == ("redirected", {"to": ent}, True)


def test_a_deleted_problem_keeps_everything_and_may_come_back(both: Ground) -> None:
    ent = both.hazard()
    assert both.act(ent, "delete", "district", both.seen(ent)).reason == "forbidden"
    assert both.act(ent, "delete", "city", both.seen(ent)).status == "applied"
    assert both.act(ent, "report_fixed", "school", {"ver": 2}).reason == "target_deleted"
    assert both.act(ent, "restore", "city", both.seen(ent)).status == "applied"
    assert (both.row(ent)["state"], both.row(ent)["is_open"], len(both.lines(ent))) == ("found", True, 4)


@pytest.mark.parametrize(("action", "lacks"), [("return", "note"), ("report_fixed", "photos"), ("stop_work", "note")])
def test_a_step_without_what_it_needs_is_kept_and_not_taken(both: Ground, action: str, lacks: str) -> None:
    ent = both.hazard()
    done = both.act(ent, action, "inspector", both.seen(ent), **{lacks: "" if lacks == "note" else []})
    assert (done.status, done.reason, both.row(ent)["state"]) == ("parked", "invalid", "assigned")


def test_a_fix_on_the_spot_waits_for_an_inspector_although_a_rule_finds_the_department(both: Ground) -> None:
    site, item = both.place()
    args = {"site_id": site, "programme": "campus-perimeter", "template_version": 1, "answers": {item: "fail"}, "on_the_spot": [item]}
    inspection = new_id()
    assert both.do("inspection.submit", inspection, "inspector", kind="inspection", **args).status == "applied"
    row = both.row(f"p-{inspection}:{item}")
    assert (row["state"], row["next_actor"]) == ("fix_reported", "inspector") and row["department_id"]
