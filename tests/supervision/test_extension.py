"""Extension (延期): asked before the limit, decided by a supervisor who did not ask; the supervisor is next meanwhile."""

from datetime import timedelta

import pytest

from tests.problems.ground import PEOPLE, Ground
from tests.supervision import acts


def test_while_a_decision_is_open_the_supervisor_is_next_and_a_granted_one_moves_the_day_with_its_reason(both: Ground) -> None:
    ent = acts.in_work(both)
    before = both.row(ent)
    done = acts.ask_extension(both, ent)
    waits = both.row(ent)
    assert (done.status, waits["next_actor"], waits["clock"], waits["waits_for"]) == ("applied", "supervisor", "decide_extension", "extension")
    assert waits["due_on"] == before["due_on"], "asking moves nothing"
    name = done.result["proceeding"]
    assert acts.decide_extension(both, name).result == {"proceeding": name, "status": "granted"}
    row, (kept,) = both.row(ent), acts.of(both, ent)
    assert row["due_on"].isoformat() == acts.later(40) == row["clock_on"].isoformat()
    assert (row["next_actor"], row["clock"], row["waits_for"]) == ("department", "fix", None)
    assert (row["deadline_reason"]["extension"], row["deadline_reason"]["why"]) == (name, "材料未到货（示例）")
    assert (kept.status, kept.said["before"], kept.answer["until"]) == ("granted", before["due_on"].isoformat(), acts.later(40))
    assert [line.action for line in both.lines(ent)[-2:]] == ["ask_extension", "grant_extension"]


def test_a_refused_one_needs_a_reason_and_leaves_the_day(both: Ground) -> None:
    ent = acts.in_work(both)
    name = acts.ask_extension(both, ent).result["proceeding"]
    assert acts.decide_extension(both, name, "refused", opinion="  ").reason == "invalid"
    assert acts.decide_extension(both, name, "refused", opinion="理由不足（示例）").status == "applied"
    row = both.row(ent)
    assert (row["due_on"].isoformat(), row["clock_on"].isoformat(), row["clock"]) == (acts.later(20), acts.later(20), "fix")
    assert acts.decide_extension(both, name, "refused").status == "noop"
    assert acts.decide_extension(both, name, "granted").status == "superseded"
    assert acts.ask_extension(both, ent).status == "applied", "asked again, with a better reason"


@pytest.mark.parametrize(("who", "reason"), [("inspector", "forbidden"), ("city", "forbidden"), ("auditor", "forbidden"), ("expert", "forbidden")])
def test_only_the_unit_or_who_speaks_for_it_asks(both: Ground, who: str, reason: str) -> None:
    ent = acts.in_work(both)
    assert (acts.ask_extension(both, ent, who).status, acts.ask_extension(both, ent, who).reason) == ("parked", reason)


@pytest.mark.parametrize("who", ["school", "township", "department", "inspector"])
def test_only_a_supervisor_decides(both: Ground, who: str) -> None:
    ent = acts.in_work(both)
    name = acts.ask_extension(both, ent, "township").result["proceeding"]
    assert acts.decide_extension(both, name, who=who).reason in ("forbidden", "target_missing"), who
    assert both.row(ent)["waits_for"] == "extension"


def test_nobody_decides_about_their_own(both: Ground) -> None:
    ent = acts.in_work(both)
    name = acts.ask_extension(both, ent).result["proceeding"]
    same = PEOPLE["district"].__class__("u-school", "district", PEOPLE["district"].areas)
    assert acts.decide_extension(both, name, who=same).reason == "forbidden"


def test_after_the_day_it_is_too_late_and_a_listed_hazard_asks_fifteen_working_days_before(both: Ground) -> None:
    ent = acts.in_work(both)
    both.put(ent, due_on=acts.TODAY - timedelta(days=1))
    late = acts.ask_extension(both, ent)
    assert (late.reason, "延期" in late.detail) == ("guard_failed", True)
    both.put(ent, due_on=acts.TODAY)
    assert acts.ask_extension(both, ent).status == "applied", "on the last day itself"
    short, _ = acts.listed(both, days=20)
    assert acts.ask_extension(both, short).reason == "guard_failed", "fewer than 15 working days are left"
    early, _ = acts.listed(both, days=21)
    done = acts.ask_extension(both, early, days=60)
    assert done.status == "applied", done
    name = done.result["proceeding"]
    assert acts.decide_extension(both, name, who="district").reason == "forbidden", "listed by the city"
    assert acts.decide_extension(both, name, who="city").status == "applied"


def test_a_day_that_is_no_later_or_none_at_all_is_no_extension(both: Ground) -> None:
    ent = acts.in_work(both)
    assert acts.ask_extension(both, ent, days=20).reason == "invalid"
    name = acts.ask_extension(both, ent).result["proceeding"]
    assert acts.ask_extension(both, ent).reason == "guard_failed", "one is open already"
    assert acts.decide_extension(both, name, until=acts.later(3)).reason == "invalid"
    assert acts.decide_extension(both, name, until=acts.later(30)).status == "applied"
    assert both.row(ent)["due_on"].isoformat() == acts.later(30), "the supervisor's day, not the one that was asked for"
    both.put(ent, due_on=None)
    assert acts.ask_extension(both, ent).reason == "guard_failed"


def test_an_application_that_a_step_has_overtaken_decides_nothing_any_more(both: Ground) -> None:
    ent = acts.in_work(both)
    name = acts.ask_extension(both, ent).result["proceeding"]
    assert both.act(ent, "report_fixed", "school", both.seen(ent)).status == "applied"
    row = both.row(ent)
    assert (row["next_actor"], row["waits_for"], row["waits_id"]) == ("inspector", None, None)
    assert acts.decide_extension(both, name).reason == "guard_failed" and both.row(ent)["due_on"].isoformat() == acts.later(20)


def test_a_day_that_was_granted_outlives_a_correction_of_the_place(both: Ground) -> None:
    """A late photo may move a problem; its deadline is reckoned anew only where no person has set it."""
    ent = acts.in_work(both)
    acts.decide_extension(both, acts.ask_extension(both, ent).result["proceeding"])
    done = both.do("problem.place", ent, "city", both.seen(ent), finding_id=ent.removeprefix("p-"), lon=118.06, lat=36.81)
    assert done.status in ("applied", "noop"), done
    assert both.row(ent)["due_on"].isoformat() == acts.later(40)
