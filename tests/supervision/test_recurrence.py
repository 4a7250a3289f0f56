"""What is found again after it was closed is linked to it and counted; what was found before the closing is not."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from backend.database import snapshot
from backend.evaluation.cases import all_cases
from backend.periods.rules import window
from tests.problems.ground import Ground, new_id
from tests.supervision import acts


def closed(ground: Ground) -> dict[str, Any]:
    ent = acts.in_work(ground)
    assert ground.act(ent, "report_fixed", "school", ground.seen(ent)).status == "applied"
    assert ground.act(ent, "close", "inspector", ground.seen(ent)).status == "applied"
    return ground.row(ent)


def again(ground: Ground, row: dict[str, Any]) -> dict[str, Any]:
    return ground.row(ground.hazard(site_id=row["site_id"], item=row["item"]))


def later(ground: Ground, days: int) -> None:
    ground.now = acts.noon(acts.TODAY + timedelta(days=days))


def test_found_again_within_the_window_it_has_recurred_and_each_time_counts(both: Ground) -> None:
    first = closed(both)
    try:
        later(both, 3)
        second = again(both, first)
        assert (second["recurs_id"], second["recurrence"], second["id"] != first["id"]) == (first["id"], 1, True)
        assert both.row(first["id"])["state"] == "closed", "the closed one stays closed"
        both.do("problem.report", new_id(), "inspector", kind="finding", site_id=first["site_id"], item=first["item"],
                programme="campus-perimeter", template_version=1, remark="又见（示例）")  # fmt: skip
        assert both.row(second["id"])["report_count"] == 2, "one more report of the same"
        both.act(second["id"], "report_fixed", "school", both.seen(second["id"]))
        both.act(second["id"], "close", "inspector", both.seen(second["id"]))
        later(both, 9)
        third = again(both, first)
        assert (third["recurs_id"], third["recurrence"]) == (second["id"], 2)
    finally:
        later(both, 0)


def test_after_the_window_it_is_a_new_one(both: Ground) -> None:
    first = closed(both)
    both.put(first["id"], closed_at=acts.noon(date(2025, 4, 6)))
    assert again(both, first)["recurs_id"] is None, "366 days"
    second = closed(both)
    both.put(second["id"], closed_at=acts.noon(date(2025, 4, 7)))
    assert again(both, second)["recurs_id"] == second["id"], "365 days"


def test_what_was_found_before_the_closing_and_came_late_is_no_recurrence(both: Ground) -> None:
    first = closed(both)
    both.put(first["id"], closed_at=acts.noon(acts.TODAY + timedelta(days=2)))
    row = again(both, first)
    assert (row["recurs_id"], row["recurrence"]) == (None, 0)


def test_what_was_refuted_does_not_recur(both: Ground) -> None:
    row = both.row(both.hazard())
    both.put(row["id"], state="refuted", is_open=False, open_key=None, closed_at=acts.noon(acts.TODAY - timedelta(days=1)))
    assert again(both, row)["recurs_id"] is None


def lasted(ground: Ground, ent: str, until: int) -> bool:
    """What an evaluation of this week says of a closing, with the record as it is some days after today."""
    week = window(f"{acts.TODAY}/{acts.TODAY + timedelta(days=6)}", ZoneInfo("Asia/Shanghai"))
    with snapshot() as session:
        (found,) = [c for c in all_cases(session, week, 10**9, acts.noon(acts.TODAY + timedelta(days=until))) if (c.indicator, c.ref) == ("lasting", ent)]
    return found.is_good


@pytest.mark.parametrize(("ends", "is_good"), [(None, False), ("refute", True), ("delete", True)])
def test_what_is_found_again_under_another_number_did_not_last_unless_it_turns_out_to_be_nothing(both: Ground, ends: str | None, is_good: bool) -> None:
    first = closed(both)
    assert lasted(both, first["id"], 1)
    try:
        later(both, 3)
        second = again(both, first)
        assert second["recurs_id"] == first["id"] and not lasted(both, first["id"], 4)
        assert lasted(both, first["id"], 1), "as of then nobody had seen it"
        if ends:
            both.put(second["id"], state="found")
            assert both.act(second["id"], ends, "city", both.seen(second["id"])).status == "applied"
        assert lasted(both, first["id"], 4) == is_good
    finally:
        later(both, 0)


def test_what_was_seen_before_the_closing_and_came_later_says_nothing_of_how_it_lasted(both: Ground) -> None:
    first = closed(both)
    both.put(first["id"], closed_at=acts.noon(acts.TODAY + timedelta(days=2)))
    again(both, first)
    assert lasted(both, first["id"], 4)
