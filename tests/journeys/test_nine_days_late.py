"""A field day that syncs nine days late: no department is less punctual for it, no deadline counts from a day when nobody here
knew, and the published week tells it as a restatement with its reason. A real server whose clock a test moves, real phones,
both databases."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from backend.database import clock as clock_now
from backend.database import snapshot
from backend.evaluation.cases import all_cases
from backend.evaluation.rules import Case, figures
from backend.periods.rules import window
from backend.problems.models import Problem
from backend.workdays import local_date
from tests.faults.rig import Place
from tests.journeys.backstage import Stage, inspect, stage

DAY_H = 24


def problems(place: Place) -> list[Any]:
    with place.app(), snapshot() as session:
        return list(session.execute(select(Problem.id, Problem.due_on, Problem.found_at, Problem.received_at, Problem.assigned_at, Problem.department_id)))


def overdue(scene: Stage) -> dict[str, int]:
    """How many each department is late with, as the ledger of now has it."""
    made = scene.run("ledger", "show", "--by", "department")
    return {row["id"]: row["overdue"] for row in made["rows"] if row["overdue"]}


def judged(scene: Stage, first_day: date, days: int) -> list[Case]:
    """What counts in an evaluation of these days, as the record is now."""
    asked = window(f"{first_day}/{first_day + timedelta(days=days)}", ZoneInfo("Asia/Shanghai"))
    with scene.place.app(), snapshot() as session:
        return list(all_cases(session, asked, clock_now(session), scene.now()))


def covered(cases: list[Case]) -> dict[str, int]:
    return {case.ref: case.days_late for case in cases if case.indicator == "coverage" and case.is_good}


@pytest.mark.slow
def test_nine_days_late_changes_no_punctuality_and_is_a_restatement_with_its_reason(place: Place, tmp_path: Path) -> None:
    with stage(place, tmp_path / "stage") as scene:
        late, punctual = scene.phone(1, "late"), scene.phone(2, "punctual")
        first_day = local_date(scene.now())
        inspect(punctual, 2, ["A101", "A202"])
        inspect(late, 1, ["A101", "A202"])  # and then it lies in a car
        assert punctual.sync(tries=5), punctual.last_trouble
        scene.later(DAY_H)
        told = scene.run("ledger", "publish", f"{first_day}/{first_day}", "--note", "日报（示例）")
        before = scene.run("ledger", "restated", told["number"], "--by", "department")
        assert before["total"]["then"]["found"] == 2 and before["total"]["why"] == {} and before["changes"] == []
        scene.later(8 * DAY_H)
        day_before, month_before = (judged(scene, first_day, days) for days in (0, 30))
        known, was_late = {row.id for row in problems(place)}, overdue(scene)
        assert late.sync(tries=8), late.last_trouble
        assert overdue(scene) == was_late, "nobody is late with what nobody could know of"
        came = [row for row in problems(place) if row.id not in known]
        assert len(came) == 2
        for row in came:
            assert local_date(row.found_at) == first_day and (local_date(row.received_at) - first_day).days == 9
            assert local_date(row.assigned_at) == local_date(row.received_at) <= row.due_on, "the limit counts from receipt"
        day_after, month_after = (judged(scene, first_day, days) for days in (0, 30))
        assert len(covered(day_before)) == 1 and set(covered(day_before).values()) == {0}
        assert covered(day_after).items() > covered(day_before).items() and sorted(covered(day_after).values()) == [0, 9], "inspected when it was"
        assert not covered(judged(scene, local_date(scene.now()), 0)), "nobody went there on the day of receipt"
        for kind in ("department", "district", "school"):
            was, now = (
                {subject: {k: v for k, v in told.items() if k != "coverage"} for subject, told in figures(cases, kind).items()}
                for cases in (month_before, month_after)
            )
            assert all(now[subject] == had for subject, had in was.items()), "nobody is judged otherwise for a phone"
            assert not any(told for subject, told in now.items() if subject not in was)
        after = scene.run("ledger", "restated", told["number"], "--by", "department")
        assert set(after["total"]["why"]) == {"late"} and after["total"]["difference"]["found"] == 2
        assert after["total"]["difference"]["overdue"] == after["total"]["difference"]["standing_overdue"] == 0
        assert [row["then"] for row in after["rows"] if any(row["then"].values())] == [row["then"] for row in before["rows"]]
        replica = late.store.state("replica")["replica"]
        rows = {row["problem_id"]: row["told"] for row in after["changes"]}
        assert set(rows) == {row.id for row in came}
        assert {(told["days_late"], told["replica"], told["person"]) for told in rows.values()} == {(9, replica, "u-f1")}
        made = scene.run("ledger", "restate", told["number"], "--note", "终端迟到同步")
        assert made["number"] == f"{told['number']}-R1"
        assert scene.run("ledger", "check", told["number"]) == {"is_intact": True, "is_reproduced": True}
        assert scene.run("ledger", "check", made["number"]) == {"is_intact": True, "is_reproduced": True}
