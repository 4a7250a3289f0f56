"""Writing the ledgers' history and counts, in the transaction of the change and behind the commit clock. No reads for people.

Called from the books alone (ops/custody.py), with the problems that an op said it changed. Whoever is here holds the commit
clock, so nobody else is: two transactions never wait for each other's counts, and none can overtake the other. A fixed
number of statements, however many problems there are.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Table, and_, bindparam, delete, func, text
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, visible
from backend.bulk import insert_many, update_many
from backend.database import to_ms, transaction
from backend.ledgers.models import STILL, LedgerCell, LedgerLine, LedgerMark
from backend.plain import plain
from backend.problems.models import Problem
from backend.problems.rules import AWAY

MARK_EVERY = 50_000  # lines between two marks: so many a roll-up of a past day has to walk at most
_LOT = 500
_LINES: Table = LedgerLine.__table__  # type: ignore[assignment]
_CELLS: Table = LedgerCell.__table__  # type: ignore[assignment]
SAME = ("area_path", "district_id", "township_id", "site_id", "school_id", "department_id", "category", "grade", "programme",
        "state", "is_open", "due_on", "found_at", "unplaced_reason")  # fmt: skip
AXES = ("district_id", "township_id", "department_id", "category", "grade", "programme", "state", "is_open", "due_on",
        "unplaced_reason")  # fmt: skip
_NOW = tuple(getattr(Problem, name).label(f"now_{name}") for name in SAME)
_WAS = tuple(getattr(LedgerLine, name).label(f"was_{name}") for name in SAME)
_HELD = and_(LedgerLine.problem_id == Problem.id, LedgerLine.to_clock == STILL)
_STANDING = plain(
    visible(Problem, SYSTEM).with_only_columns(Problem.id, LedgerLine.from_clock, *_NOW, *_WAS)
    .outerjoin(LedgerLine, _HELD).where(Problem.id.in_(bindparam("ids", expanding=True)))
)  # fmt: skip
_ADDED = "(key) DO UPDATE SET n = ledger_cells.n + excluded.n"
_CELL = ", ".join(column.name for column in _CELLS.columns)
_NOTED = plain(text(
    "INSERT INTO ledger_moments (clock, at) VALUES (:clock, (SELECT CASE WHEN last > :at THEN last ELSE :at END FROM"
    " (SELECT coalesce(max(at), 0) AS last FROM ledger_moments) AS so_far))"
))  # fmt: skip
_COPIED = text(
    f"INSERT INTO ledger_marks (clock, {_CELL}) SELECT (SELECT v FROM commit_clock), {_CELL} FROM ledger_cells"
)


def record(session: Session, clock: int, problem_ids: Iterable[str], now: datetime) -> None:
    """End the lines of those problems that count otherwise now, begin their new ones, and move the counts along."""
    ended: list[dict[str, Any]] = []
    begun: list[dict[str, Any]] = []
    for lot in _lots(sorted(set(problem_ids))):
        for found in _standing(session, lot):
            size = len(SAME)
            key, since, is_now, was = found[0], found[1], found[2 : 2 + size], found[2 + size :]
            if since is not None and is_now == was:
                continue
            if since is not None:
                ended.append({"problem_id": key, "from_clock": since, "to_clock": clock, "was": was})
            begun.append(line(key, clock, dict(zip(SAME, is_now, strict=True))))
    if not begun:
        return
    session.execute(_NOTED, {"clock": clock, "at": to_ms(now)})
    _count(session, begun, [dict(zip(SAME, row.pop("was"), strict=True)) for row in ended])
    update_many(session.connection(), _LINES, ended)
    insert_many(session.connection(), _LINES, begun)


def _lots(names: Iterable[str]) -> Iterator[list[str]]:
    left = iter(names)
    while lot := list(islice(left, _LOT)):
        yield lot


def _standing(session: Session, ids: Sequence[str]) -> Iterable[Any]:
    """(id, since which clock, columns now, columns of the line that holds) of problems; no clock where there is no line."""
    return map(tuple, session.execute(_STANDING, {"ids": list(ids)}))


def line(problem_id: str, clock: int, columns: Mapping[str, Any]) -> dict[str, Any]:
    """A new line of a problem with these columns (SAME)."""
    counted = columns["state"] not in AWAY
    return {"problem_id": problem_id, "from_clock": clock, "to_clock": STILL, "is_counted": counted, **columns}


def _count(session: Session, begun: Iterable[Mapping[str, Any]], ended: Iterable[Mapping[str, Any]]) -> None:
    moved: Counter[tuple[Any, ...]] = Counter(cell_of(row) for row in begun if row["is_counted"])
    moved.subtract(Counter(cell_of(row) for row in ended if row["state"] not in AWAY))
    rows = [cell_row(cell, n) for cell, n in moved.items() if n]
    insert_many(session.connection(), _CELLS, rows, _ADDED)
    fewer = [row["key"] for row in rows if row["n"] < 0]
    for lot in _lots(fewer):
        session.execute(delete(_CELLS).where(_CELLS.c.key.in_(lot), _CELLS.c.n == 0))


def cell_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """(area path as far as the township, *AXES) that a line counts in. A closed problem has no day to be late by."""
    parts = 3 if row["township_id"] else 2
    path = "/".join(row["area_path"].split("/")[:parts])
    return (path, *(None if name == "due_on" and not row["is_open"] else row[name] for name in AXES))


def cell_row(cell: Sequence[Any], n: int) -> dict[str, Any]:
    """A cell as its table keeps it."""
    key = "|".join(_word(value) for value in cell)
    return {"key": key, "area_path": cell[0], **dict(zip(AXES, cell[1:], strict=True)), "n": n}


def _word(value: Any) -> str:
    """A member of a cell's key; no name of the record holds a bar or is a tilde."""
    if value is None:
        return "~"
    return value.isoformat() if isinstance(value, date) else str(value)


def mark(now: datetime) -> bool:
    """Copy the cells at the clock of now, where much has changed since the last copy; whether that was so.

    Job of the worker; twice is once.
    """
    with transaction() as session:
        last = session.scalar(
            visible(LedgerMark, SYSTEM).with_only_columns(func.coalesce(func.max(LedgerMark.clock), 0))
        )
        since = visible(LedgerLine, SYSTEM).with_only_columns(func.count()).where(LedgerLine.from_clock > last)
        if session.execute(since).scalar_one() < MARK_EVERY:
            return False
        session.execute(_COPIED)  # one statement: the clock and the cells are of one moment
        return True
