"""Reads of responsibility chains; each begins with who asks."""

from collections.abc import Sequence

from sqlalchemy import func
from sqlalchemy.orm import Session

from backend.access.scope import Actor, visible
from backend.responsibility.models import Responsibility

_ORDER = {"city": 0, "department": 1, "district": 2, "township": 3, "unit": 4}


def chain_of(session: Session, actor: Actor, problem_id: str) -> list[Responsibility]:
    """The chain of one problem from city to unit, lead department first."""
    rows = session.scalars(visible(Responsibility, actor).where(Responsibility.problem_id == problem_id)).all()
    return sorted(rows, key=lambda r: (_ORDER[r.layer], not r.is_lead, r.department_id))


def chains_of(session: Session, actor: Actor, problem_ids: Sequence[str]) -> dict[str, list[Responsibility]]:
    """Chains of many problems in one read."""
    found: dict[str, list[Responsibility]] = {}
    for row in session.scalars(visible(Responsibility, actor).where(Responsibility.problem_id.in_(problem_ids))):
        found.setdefault(row.problem_id, []).append(row)
    return found


def gaps(session: Session, actor: Actor) -> list[tuple[str, str | None, int]]:
    """(layer, area, count) of links that nobody holds (责任空白)."""
    columns = (Responsibility.layer, Responsibility.area_id, func.count())
    statement = visible(Responsibility, actor).with_only_columns(*columns).where(Responsibility.is_gap)
    rows = session.execute(statement.group_by(*columns[:2]).order_by(*columns[:2])).all()
    return [(row[0], row[1], row[2]) for row in rows]
