"""Every clock beside a problem's own tells whose turn it is, then the offices above, each once, until somebody acts; and nobody
who may not see what it is about. A problem's own clock is test_overdue.py's."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from backend.access.scope import SYSTEM
from backend.database import snapshot, transaction
from backend.handovers.models import HandoverItem
from backend.notices import clocks, fanout
from backend.notices.models import NoticeFact
from backend.sweeps import queries as sweeps
from backend.workdays import add_workdays
from tests.problems.ground import DISTRICT, PEOPLE, Ground, new_id
from tests.supervision import acts

# Today is Tuesday 7 April 2026. A receipt: one working day (8). A reply, order or report: its own day.
# Nothing here differs between the databases but what they are asked; on PostgreSQL in `make test-full`.
pytestmark = pytest.mark.parametrize("both", ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)], indirect=True)
MARKET = acts.MARKET
DISTRICT_A = replace(PEOPLE["district"], id="u-district-a")


def transfer(ground: Ground) -> str:
    ent = acts.in_work(ground)
    return str(acts.send(ground, ent).result["proceeding"])


def handover(ground: Ground) -> str:
    name = f"h-{new_id()}"
    args = {"to": {"area": "370303", "department": "education"}, "due_on": acts.later(6), "problems": [acts.in_work(ground)], "demand": "（示例）"}
    assert ground.op("handover.issue", ("handover", name), "city", None, args).status == "applied"
    return name


def order(ground: Ground) -> str:
    name = f"o-{new_id()}"
    args = {"year": 2026, "kind": "special", "title": "专批（示例）", "content": "（示例）", "due_on": acts.later(6), "sweeps": [],
            "to": [{"area": "370303"}, {"area": "370302"}]}  # fmt: skip
    done = ground.op("order.issue", ("order", name), "city", None, args)
    assert done.status == "applied", done
    return name


def candidate(ground: Ground) -> str:
    ent = acts.in_work(ground)
    ground.put(ent, is_candidate_major=True, decide_by_on=date(2026, 4, 13))
    return ent


def report(ground: Ground) -> str:
    ent, _ = acts.listed(ground)
    ground.put(ent, report_by_on=date(2026, 4, 13))
    return ent



def signed(ground: Ground, name: str) -> Any:
    return ground.op("handover.sign", ("handover", name), PEOPLE["department"], None, {})


def replied(ground: Ground, name: str) -> Any:
    assert signed(ground, name).status == "applied"
    with snapshot() as session:
        (row,) = session.execute(select(HandoverItem.problem_id).where(HandoverItem.handover_id == name))
    args = {"results": [{"problem": row.problem_id, "result": "fixing", "note": ""}]}
    return ground.op("handover.reply", ("handover", name), PEOPLE["department"], None, args)


def reported(ground: Ground, ent: str) -> Any:
    (listing,) = [each.id for each in acts.of(ground, ent) if each.kind == "listing"]
    return ground.op("listing.report", ("listing", listing), "school", None, {"text": "进展（示例）"})


ROWS: dict[str, tuple[Callable[[Ground], str], date, tuple[str, ...], Callable[[Ground, str], Any]]] = {
    "transfer.receipt": (transfer, date(2026, 4, 8), ("own", "township", "district", "city"),
                         lambda g, name: g.op("transfer.receive", ("transfer", name), MARKET, None, {})),
    "transfer.reply": (transfer, date(2026, 4, 21), ("own", "township", "district", "city"),
                       lambda g, name: g.op("transfer.answer", ("transfer", name), MARKET, None, {"result": "已处理（示例）"})),
    "handover.receipt": (handover, date(2026, 4, 8), ("own", "district", "city"), signed),
    "handover.reply": (handover, date(2026, 4, 13), ("own", "district", "city"), replied),
    "order.reply": (order, date(2026, 4, 13), ("own", "city"),
                    lambda g, name: g.op("order.reply", ("order", name), DISTRICT_A, None, {"text": "已落实（示例）"})),
    "major.decision": (candidate, date(2026, 4, 13), ("own", "township", "district", "city"), lambda g, ent: acts.major(g, ent, "general")),
    "listing.report": (report, date(2026, 4, 13), ("own", "township", "district", "city"), reported),
}  # fmt: skip
LEVEL_DAYS = {"own": 0, "township": 0, "district": 3, "city": 7}  # working days after the last one, as the limits say


def told(name: str, clock: str) -> list[str]:
    """The levels that were told of a clock of this kind, in order, as the facts say that wait to be handed out."""
    with snapshot() as session:
        found = session.scalars(select(NoticeFact).where(NoticeFact.ent_id == name).order_by(NoticeFact.id)).all()
        kinds = {clocks.CLOCKS[clock].kind, "clock.escalated"}
        return [fact.data.get("level", "own") for fact in found if fact.kind in kinds and fact.data.get("due_on") == str(ROWS[clock][1])]


@pytest.fixture(autouse=True)
def _nothing_waits(both: Ground) -> None:
    with transaction() as session:
        session.execute(delete(NoticeFact))


def test_the_table_of_these_tests_is_the_servers(both: Ground) -> None:
    assert set(ROWS) == set(clocks.CLOCKS)


@pytest.mark.parametrize("clock", sorted(ROWS))
def test_each_level_is_told_on_its_day_and_once_however_often_it_is_looked_at(both: Ground, clock: str) -> None:
    begin, last_on, levels, _ = ROWS[clock]
    name = begin(both)
    acts.look(both, last_on)
    assert told(name, clock) == [], "its last day is not over"
    for level in levels:
        day = add_workdays(last_on, LEVEL_DAYS[level]) + timedelta(days=1)
        for _ in range(2):
            acts.look(both, day)
        here = told(name, clock)
        copies = 2 if clock == "order.reply" else 1  # it is addressed to two districts
        assert here.count(level) == copies and set(here) == {one for one in levels if LEVEL_DAYS[one] <= LEVEL_DAYS[level]}, (level, here)
    acts.look(both, date(2026, 9, 1))
    assert len(told(name, clock)) == len(levels) * copies


@pytest.mark.parametrize("clock", sorted(ROWS))
def test_who_acts_in_time_ends_it_and_a_server_that_says_otherwise_is_not_heard(both: Ground, clock: str) -> None:
    begin, last_on, _, act = ROWS[clock]
    name = begin(both)
    done = act(both, name)
    assert done.status == "applied", done
    acts.look(both, add_workdays(last_on, 7) + timedelta(days=1))
    kinds = told(name, clock)
    assert sorted(kinds) == (["city", "own"] if clock == "order.reply" else []), "the other district has not replied"
    args = {"clock": clock, "level": "own", "last_on": last_on.isoformat(), "n": 1 if clock == "order.reply" else 0}
    ent = {"major": "problem", "listing": "problem"}.get(clock.split(".")[0], clock.split(".")[0])
    assert both.op("clock.escalate", (ent, name), SYSTEM, None, args).status == "noop"
    assert both.op("clock.escalate", (ent, name), "city", None, args).reason == "forbidden"


def test_a_transfer_is_told_to_the_department_that_it_went_to_and_to_nobody_who_does_not_see_it(both: Ground) -> None:
    name = transfer(both)
    with snapshot() as session:
        (fact,) = session.scalars(select(NoticeFact).where(NoticeFact.kind == "transfer.sent", NoticeFact.ent_id == name))
        people = sweeps.field_actors(session)
        (lot,) = fanout._told(session, [fact])
        meant = [person for person in people if fanout.is_meant(lot, person)]
        assert all(person.role == "department" and person.department_id == "market" for person in meant)
        assert fact.data["department"] == "market" and fact.area_path.startswith(DISTRICT)
