"""Which areas a person may work in, and might until lately: an op recorded before a change is judged with grace (P34).

Rows are added and ended by those who give areas (accounts, sweeps); never removed.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.accounts.models import Grant

GRACE_DAYS = 30


def note(session: Session, source: str, user_id: str, paths: Iterable[str], now: datetime) -> None:
    """From now on `source` ("user" or "team:…") gives this person exactly these area paths."""
    wanted = set(paths)
    of_source = (Grant.user_id == user_id, Grant.source == source, Grant.to_at.is_(None))
    held = {g.area_path for g in session.scalars(visible(Grant, SYSTEM).where(*of_source))}
    ended = held - wanted
    if ended:
        where = (*of_source, Grant.area_path.in_(ended))
        session.execute(update(Grant).where(*where).values(to_at=now))
    new = [{"user_id": user_id, "source": source, "area_path": p, "from_at": now} for p in sorted(wanted - held)]
    if new:
        session.execute(insert(Grant), new)


def wider(session: Session, actor: Actor, now: datetime) -> Actor | None:
    """`actor` with the areas that were theirs within the last GRACE_DAYS as well; None where there are no others."""
    since = now - timedelta(days=GRACE_DAYS)
    lately = visible(Grant, SYSTEM).where(Grant.user_id == actor.id, Grant.to_at >= since)
    more = sorted({g.area_path for g in session.scalars(lately)} - set(actor.areas))
    return replace(actor, areas=(*actor.areas, *more)) if more else None
