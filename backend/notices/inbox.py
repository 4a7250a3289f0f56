"""Marking lines of an inbox as read. The only change that its owner makes to it; no op, for it says nothing about the field."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.notices.models import Notice


def mark_read(session: Session, actor: Actor, ids: Sequence[int] | None, until: datetime, now: datetime) -> int:
    """Unread lines of the actor's own (all, or these) become read; returns how many.

    `until` is the time of the newest line that was on their screen: what has happened since stays unread.
    """
    statement = update(Notice).where(Notice.user_id == actor.id, Notice.read_at.is_(None), Notice.at <= until)
    if ids is not None:
        statement = statement.where(Notice.id.in_(ids))
    return session.execute(statement.values(read_at=now)).rowcount  # type: ignore[attr-defined, no-any-return]
