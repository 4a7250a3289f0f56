"""Every clock that runs beside a problem's own, as one table: what for, until when, whose turn it is, who is told when it runs out.

A row and a reader make another clock. How far apart the levels are told is pack data (programmes/limits.py); when it is looked at
is ops/overdue.py's. Nothing is decided here about what a clock is for: it runs until the record says that it does not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM
from backend.handovers import queries as handovers
from backend.problems import queries as problems
from backend.problems.clocks import is_told_by
from backend.problems.models import Problem
from backend.problems.table import LEVELS
from backend.programmes import limits
from backend.rings import orders
from backend.supervision import queries as supervision
from backend.workdays import local_date

OWN = "own"  # the first who is told: whose turn it is
_DEPTHS = ("city", "district", "township")  # of an area path, from above; a site lies below them


@dataclass(frozen=True, slots=True)
class Running:
    """One clock that runs: about what, its last day, the place and department of whose turn it is; `n` tells those about one
    thing apart. `said`: what a line may say of it."""

    ent: tuple[str, str]
    last_on: date | None
    area_path: str
    department_id: str | None
    said: Mapping[str, Any]
    n: int = 0


Read = Callable[[Session, str | None, str, int], Sequence[Running]]


@dataclass(frozen=True, slots=True)
class Clock:
    """A row. `kind`: what whose turn it is is told (rules.py); `running`: the clocks of this row, by id after one, or of one."""

    kind: str
    running: Read


def levels(of: Running) -> tuple[str, ...]:
    """Who is told, in order: whose turn it is, then the offices above them. The office of an area stands above its departments."""
    depth = of.area_path.count("/")
    above = depth if of.department_id is None else depth + 1
    return (OWN, *(level for level in LEVELS if level in _DEPTHS[:above]))


def is_time(level: str, last_on: date, today: date) -> bool:
    """Whether a level is told of a clock by now: whose turn it is on the day after the last one, the others as the limits say."""
    return last_on < today if level == OWN else is_told_by(level, last_on, today)


def _receipt(since: datetime) -> date | None:
    return limits.due("receipt", local_date(since))[0]


def _transfers(statuses: Sequence[str], last_on: Callable[[Any], date | None]) -> Read:
    def running(session: Session, only: str | None, after: str, limit: int) -> Sequence[Running]:
        found = supervision.unended(session, statuses, only, after, limit)
        return [
            Running(("transfer", each.id), last_on(each), side.area_path, side.department_id, {"document": number})
            for each, side, number in found
        ]

    return running


def _handovers(states: Sequence[str], last_on: Callable[[Any], date | None]) -> Read:
    def running(session: Session, only: str | None, after: str, limit: int) -> Sequence[Running]:
        found = handovers.waiting(session, states, only, after, limit)
        return [
            Running(("handover", each.id), last_on(each), each.area_path, each.department_id, {"document": each.number})
            for each in found
        ]

    return running


def _problems(column: Any) -> Read:
    def running(session: Session, only: str | None, after: str, limit: int) -> Sequence[Running]:
        return [
            Running(("problem", each.id), getattr(each, column.key), each.area_path, each.department_id, {})
            for each in problems.dated(session, SYSTEM, column, only, after, limit)
        ]

    return running


def _orders(session: Session, only: str | None, after: str, limit: int) -> Sequence[Running]:
    return [
        Running(("order", order.id), order.due_on, to.area_path, to.department_id, {"document": order.number}, to.n)
        for order, to in orders.unreplied(session, only, after, limit)
    ]


CLOCKS: Mapping[str, Clock] = {
    "transfer.receipt": Clock("transfer.overdue", _transfers(("sent",), lambda each: _receipt(each.opened_at))),
    "transfer.reply": Clock("transfer.overdue", _transfers(("sent", "received"), lambda each: each.due_on)),
    "handover.receipt": Clock("handover.overdue", _handovers(("issued",), lambda each: _receipt(each.issued_at))),
    "handover.reply": Clock("handover.overdue", _handovers(("issued", "signed"), lambda each: each.due_on)),
    "order.reply": Clock("order.overdue", _orders),
    "major.decision": Clock("problem.undecided", _problems(Problem.decide_by_on)),
    "listing.report": Clock("problem.unreported", _problems(Problem.report_by_on)),
}
