"""The rows behind a cell of a ledger: the same filter as the count, one row a problem, now or as of a clock. Reads only.

What a row says is what its line says: as of an earlier moment that is how it stood then. Number and item never change.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, func
from sqlalchemy.orm import Session

from backend import incoming
from backend.access.scope import Actor, under, visible
from backend.ledgers import sums
from backend.ledgers.models import LedgerLine
from backend.ledgers.queries import path_of
from backend.problems.models import Problem

BY: Mapping[str, Any] = {
    "district": LedgerLine.district_id, "township": LedgerLine.township_id, "school": LedgerLine.site_id,
    "department": LedgerLine.department_id, "category": LedgerLine.category, "grade": LedgerLine.grade,
    "programme": LedgerLine.programme, "state": LedgerLine.state, "unplaced": LedgerLine.unplaced_reason,
}  # fmt: skip
MEASURES = ("found", "open", "overdue", "closed")
MOST = 1000
_COLUMNS = ("problem_id", "district_id", "township_id", "site_id", "department_id", "category", "grade", "programme", "state",
            "is_open", "due_on", "found_at", "unplaced_reason")  # fmt: skip


def rows(
    session: Session, actor: Actor, node_id: str, today: date, filters: Mapping[str, str], measure: str = "found",
    clock: int | None = None, after: str = "", limit: int = MOST,
) -> dict[str, Any]:  # fmt: skip
    """{count, rows, next} of the cell that `filters` (BY; "-": those that have none) and `measure` name, by problem id.

    Without the filter `unplaced` what has no place is left out, as in a roll-up. Raises NotFound, Invalid.
    """
    incoming.one_of("measure", measure, MEASURES)
    statement = _cell(actor, path_of(session, actor, node_id), today, filters, measure, clock)
    count = session.execute(statement.with_only_columns(func.count())).scalar_one()
    shown = (*(getattr(LedgerLine, name) for name in _COLUMNS), Problem.number, Problem.item)
    page = statement.join(Problem, Problem.id == LedgerLine.problem_id).with_only_columns(*shown)
    found = session.execute(
        page.where(LedgerLine.problem_id > after).order_by(LedgerLine.problem_id).limit(limit)
    ).all()
    listed = [_row(dict(row._mapping)) for row in found]
    return {"node": node_id, "as_of": today.isoformat(), "clock": clock, "count": count, "rows": listed,
            "next": listed[-1]["id"] if len(listed) == limit else None}  # fmt: skip


def _cell(
    actor: Actor, path: str, today: date, filters: Mapping[str, str], measure: str, clock: int | None
) -> Select[Any]:
    where: list[ColumnElement[bool]] = [*sums.stood(clock)]
    if "unplaced" in filters:
        where.append(LedgerLine.district_id.is_(None))
    else:
        where.append(LedgerLine.district_id.is_not(None))
    for name, value in filters.items():
        where.append(BY[name].is_(None) if value == "-" else BY[name] == value)
    if measure != "found":
        where.append(LedgerLine.is_open.is_(measure != "closed"))
    if measure == "overdue":
        where.append(LedgerLine.due_on < today)
    statement: Select[Any] = visible(LedgerLine, actor).where(*where)
    return statement.where(under(LedgerLine.area_path, path)) if "/" in path else statement


def _row(found: Mapping[str, Any]) -> dict[str, Any]:
    told = {k: v for k, v in found.items() if k not in ("problem_id", "found_at", "due_on", "is_open")}
    return {
        "id": found["problem_id"], **told, "is_open": bool(found["is_open"]), "found_at": found["found_at"].isoformat(),
        "due_on": found["due_on"].isoformat() if found["due_on"] else None,
    }  # fmt: skip
