"""Counts by place and axis, of now or as of a clock. Each begins with who asks; nothing is changed, nothing named.

Where the counts come from: the cells, as long as what is asked needs nothing finer than a township; else the problems
themselves (now) or their lines (then). The same problem counts the same whichever way is taken; proof.py holds that.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, under, visible
from backend.database import clock as clock_now
from backend.errors import Invalid
from backend.ledgers.models import STILL, Cell, LedgerCell, LedgerLine, LedgerMark, LedgerMoment
from backend.problems.models import Problem
from backend.problems.queries import counted

Group = tuple[Any, str, int, int, int]  # key of the axis, grade, found, open, overdue
FINER = frozenset({"site_id", "school_id"})  # what the cells do not tell apart
TOWNSHIP = 2  # slashes in the path of one


def clock_at(session: Session, at: datetime) -> int:
    """The commit clock as of an instant. Raises Invalid for one before the history begins.

    Final once every request that had begun by then has ended: their changes have a clock, and the time at which they began.
    """
    known = visible(LedgerMoment, SYSTEM).with_only_columns(LedgerMoment.clock)
    found = session.scalar(
        known.where(LedgerMoment.at <= at).order_by(LedgerMoment.at.desc(), LedgerMoment.clock.desc()).limit(1)
    )
    if found is None:
        detail = "the ledgers' history begins later than that"
        raise Invalid(errors=[{"pointer": "?as_of", "code": "invalid", "detail": detail}])
    return int(found)


def groups(
    session: Session, actor: Actor, path: str, axis: str, today: date, clock: int | None = None, is_placed: bool = True
) -> Iterator[Group]:
    """Counts under an area path by a column and by grade; a key may come several times, with counts to be added.

    `clock` None: now. `is_placed` False: what has no place yet.
    """
    asked = _Asked(actor, path, axis, today, is_placed)
    if axis not in FINER and _is_coarse(actor, path):
        yield from _of_cells(session, asked, clock)
    elif clock is None:
        yield from asked.rows(session, Problem, 1, counted())
    else:
        yield from asked.rows(session, LedgerLine, 1, *stood(clock))


def held_at(clock: int, line: Any = LedgerLine) -> tuple[ColumnElement[bool], ...]:
    """Conditions: lines that held at a clock."""
    return line.from_clock <= clock, line.to_clock > clock


def stood(clock: int | None) -> tuple[ColumnElement[bool], ...]:
    """Conditions: lines that held at a clock (None: hold now) and counted."""
    if clock is None:
        return LedgerLine.to_clock == STILL, LedgerLine.is_counted.is_(True)
    return *held_at(clock), LedgerLine.is_counted.is_(True)


def _is_coarse(actor: Actor, path: str) -> bool:
    return path.count("/") <= TOWNSHIP and all(area.count("/") <= TOWNSHIP for area in actor.areas)


class _Asked:
    """One question, put to whichever table knows."""

    def __init__(self, actor: Actor, path: str, axis: str, today: date, is_placed: bool) -> None:
        self.actor, self.path, self.axis, self.today, self.is_placed = actor, path, axis, today, is_placed

    def rows(self, session: Session, model: Any, sign: int, *where: ColumnElement[bool]) -> Iterator[Group]:
        """Groups of one table, its counts multiplied by `sign`."""
        is_kept = issubclass(model, Cell)
        n = model.n if is_kept else 1
        late = case((model.is_open & (model.due_on < self.today), n), else_=0)
        sums = (func.sum(n) if is_kept else func.count(),
                func.sum(case((model.is_open, n), else_=0)), func.sum(late))  # fmt: skip
        statement = self._where(model, where).with_only_columns(getattr(model, self.axis), model.grade, *sums)
        for key, grade, *numbers in session.execute(statement.group_by(getattr(model, self.axis), model.grade)):
            found, is_open, overdue = (sign * int(number or 0) for number in numbers)
            yield key, grade, found, is_open, overdue

    def _where(self, model: Any, where: tuple[ColumnElement[bool], ...]) -> Select[Any]:
        place = model.district_id.is_not(None) if self.is_placed else model.district_id.is_(None)
        statement: Select[Any] = visible(model, self.actor).where(place, *where)
        return statement.where(under(model.area_path, self.path)) if "/" in self.path else statement


def _of_cells(session: Session, asked: _Asked, clock: int | None) -> Iterator[Group]:
    """The cells nearest to a clock, and what began and ended between them and it."""
    if clock is None:
        yield from asked.rows(session, LedgerCell, 1)
        return
    near = _nearest(session, clock)
    if near is None:
        near = clock_now(session)
        yield from asked.rows(session, LedgerCell, 1)
    else:
        yield from asked.rows(session, LedgerMark, 1, LedgerMark.clock == near)
    low, high, sign = (near, clock, 1) if near <= clock else (clock, near, -1)
    for column, way in ((LedgerLine.from_clock, sign), (LedgerLine.to_clock, -sign)):
        yield from asked.rows(session, LedgerLine, way, column > low, column <= high, LedgerLine.is_counted.is_(True))


def _nearest(session: Session, clock: int) -> int | None:
    """The mark nearest to a clock; None where the cells of now are nearer than any."""
    marks = visible(LedgerMark, SYSTEM).with_only_columns(LedgerMark.clock).limit(1)
    below = session.scalar(marks.where(LedgerMark.clock <= clock).order_by(LedgerMark.clock.desc()))
    above = session.scalar(marks.where(LedgerMark.clock > clock).order_by(LedgerMark.clock))
    known = [(abs(found - clock), found) for found in (below, above) if found is not None]
    away, found = min(known, default=(None, None))
    return None if away is None or clock_now(session) - clock <= away else found
