"""Reads of geotags; each begins with who asks."""

from sqlalchemy.orm import Session

from backend.access.scope import Actor, visible
from backend.geotags.models import Geotag


def of_finding(session: Session, actor: Actor, finding_id: str) -> Geotag | None:
    """The geotag of one finding."""
    return session.scalars(visible(Geotag, actor).where(Geotag.finding_id == finding_id)).first()


def unplaced(session: Session, actor: Actor, finding_ids: list[str]) -> list[Geotag]:
    """Those of these findings that have no place yet."""
    statement = visible(Geotag, actor).where(Geotag.finding_id.in_(finding_ids), Geotag.unplaced_reason.is_not(None))
    return list(session.scalars(statement))
