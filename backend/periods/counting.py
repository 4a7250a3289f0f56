"""A period's question put to the ledgers' lines: its cells as of a clock, and what changed from one clock to another. Reads only."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, under, visible
from backend.ledgers.models import LedgerLine
from backend.ledgers.sums import held_at, stood
from backend.periods import field, rules
from backend.periods.rules import KEY, LINE, MEASURES, Window
from backend.problems.models import Problem, ProblemReport

Row = dict[str, Any]
_LOT = 500


def measured(asked: Window) -> tuple[ColumnElement[int], ...]:
    """The five sums over lines (rules.figures says the same of one)."""
    is_new = LedgerLine.found_at >= asked.begins_at
    late = and_(LedgerLine.is_open, LedgerLine.due_on < asked.to_on)
    conditions = (is_new, and_(is_new, LedgerLine.is_open), and_(is_new, late), LedgerLine.is_open, late)
    return tuple(func.sum(case((condition, 1), else_=0)) for condition in conditions)


def _asked(actor: Actor, asked: Window, clock: int) -> Select[Any]:
    relevant = or_(LedgerLine.found_at >= asked.begins_at, LedgerLine.is_open)
    return visible(LedgerLine, actor).where(*stood(clock), LedgerLine.found_at < asked.ends_at, relevant)


def cells(session: Session, asked: Window, clock: int) -> list[Row]:
    """All cells of the whole record as of a clock, in canonical order."""
    columns = [getattr(LedgerLine, name) for name in KEY]
    found = session.execute(
        _asked(SYSTEM, asked, clock).with_only_columns(*columns, *measured(asked)).group_by(*columns)
    )
    rows = [dict(zip((*KEY, *MEASURES), row, strict=True)) for row in found]
    return sorted(rows, key=order)


def order(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The canonical order of cells: by their key, what is missing first."""
    return tuple("" if row[name] is None else str(row[name]) for name in KEY)


def groups(
    session: Session, actor: Actor, path: str, column: str, asked: Window, clock: int
) -> Iterator[tuple[Any, ...]]:
    """(key of the axis, *MEASURES) under an area path as of a clock, what is placed; as far as the actor sees."""
    statement = _asked(actor, asked, clock).where(
        LedgerLine.district_id.is_not(None), under(LedgerLine.area_path, path)
    )
    by = getattr(LedgerLine, column)
    yield from map(tuple, session.execute(statement.with_only_columns(by, *measured(asked)).group_by(by)))


def changes(session: Session, asked: Window, then: int, now: int) -> list[Row]:
    """What counts otherwise as of the clock `now` than as of `then`: rows of KEY, MEASURES (signed), problem_id, reason, told."""
    moved = visible(LedgerLine, SYSTEM).with_only_columns(LedgerLine.problem_id)
    moved = moved.where(LedgerLine.from_clock > then, LedgerLine.from_clock <= now).distinct()
    was, is_now = (_lines(session, moved, clock) for clock in (then, now))
    rows = []
    for name in sorted(is_now):
        for reason, key, counts in rules.changes(was.get(name), is_now[name], asked):
            rows.append(
                {**key, **dict(zip(MEASURES, counts, strict=True)), "problem_id": name, "reason": reason, "told": {}}
            )
    _tell_late(session, [row for row in rows if row["reason"] == "late"], asked)
    return rows


def _lines(session: Session, named: Select[Any], clock: int) -> dict[str, Row]:
    """{problem: its line as of a clock}."""
    columns = [getattr(LedgerLine, name) for name in LINE]
    statement = visible(LedgerLine, SYSTEM).with_only_columns(LedgerLine.problem_id, *columns)
    held = statement.where(LedgerLine.problem_id.in_(named), *held_at(clock))
    return {row[0]: dict(zip(LINE, row[1:], strict=True)) for row in session.execute(held)}


def _tell_late(session: Session, rows: list[Row], asked: Window) -> None:
    """When each was found and received, how many days lay between, and the op that brought it."""
    known: dict[str, Row] = {}
    for at in range(0, len(rows), _LOT):
        ids = [row["problem_id"] for row in rows[at : at + _LOT]]
        columns = (Problem.id, Problem.found_at, Problem.received_at, ProblemReport.op_id)
        first = and_(ProblemReport.problem_id == Problem.id, Problem.id == "p-" + ProblemReport.finding_id)
        statement = visible(Problem, SYSTEM).with_only_columns(*columns).outerjoin(ProblemReport, first)
        for name, found_at, received_at, op_id in session.execute(statement.where(Problem.id.in_(ids))):
            found_on, received_on = (at.astimezone(asked.zone).date() for at in (found_at, received_at))
            known[name] = {"found_on": found_on.isoformat(), "received_on": received_on.isoformat(),
                           "days_late": days_late(found_on, received_on), "op_id": op_id}  # fmt: skip
    brought = field.bringers(session, sorted({told["op_id"] for told in known.values() if told["op_id"]}))
    for row in rows:
        told = known[row["problem_id"]]
        row["told"] = {**told, **brought.get(told["op_id"], {})}


def days_late(found_on: date, received_on: date) -> int:
    """Days of the city between the finding and its arrival."""
    return (received_on - found_on).days


def summed(rows: Iterable[tuple[Any, ...]]) -> dict[Any, list[int]]:
    """{key: figures} of (key, *figures), keys that come several times added up, those of nothing left out."""
    made: dict[Any, list[int]] = {}
    for key, *numbers in rows:
        at = made.setdefault(key, [0] * len(numbers))
        for n, number in enumerate(numbers):
            at[n] += int(number or 0)
    return {key: numbers for key, numbers in made.items() if any(numbers)}
