"""Reads of inspections; each begins with who asks."""

from collections.abc import Sequence

from sqlalchemy import func
from sqlalchemy.orm import Session

from backend.access.scope import Actor, visible
from backend.inspections.models import Inspection


def get(session: Session, actor: Actor, inspection_id: str) -> Inspection | None:
    """One inspection within the actor's rows."""
    return session.scalars(visible(Inspection, actor).where(Inspection.id == inspection_id)).first()


def by_ids(session: Session, actor: Actor, ids: Sequence[str]) -> dict[str, Inspection]:
    """Inspections with these ids that `actor` may see."""
    return {row.id: row for row in session.scalars(visible(Inspection, actor).where(Inspection.id.in_(ids)))}


def count(session: Session, actor: Actor) -> tuple[int, int]:
    """(inspections, distinct sites inspected) within the actor's territory."""
    statement = visible(Inspection, actor).with_only_columns(func.count(), func.count(Inspection.site_id.distinct()))
    inspections, sites = session.execute(statement).one()
    return inspections, sites
