"""Writing the feed from effects, and reading its pages. Called by ops.apply (write) and sync (read); no payloads."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, and_, insert, or_, select, tuple_
from sqlalchemy.orm import Session

from backend.access.scope import Actor, visible
from backend.bulk import insert_many
from backend.effects import Changed
from backend.feed.models import Epoch, FeedHorizon, FeedRow, ServerMeta

_FEED: Table = FeedRow.__table__  # type: ignore[assignment]
_SET = ", ".join(f"{name} = excluded.{name}" for name in ("clock", "sub", "is_member", "ver"))
_LATEST = f"(bucket, type, id) DO UPDATE SET {_SET}"


def record(session: Session, clock: int, changes: Iterable[Changed]) -> None:
    """Upsert the rows of `changes` at `clock`; the last state per (bucket, entity) wins within the transaction."""
    final: dict[tuple[str, str, str], dict[str, Any]] = {}
    for change in changes:
        for buckets, is_member in ((change.left, False), (change.buckets, not change.gone)):
            for bucket in buckets:
                key = (bucket, change.type, change.id)
                final.pop(key, None)
                final[key] = {"is_member": is_member, "ver": change.ver}
    rows = [
        {"bucket": b, "type": t, "id": i, "clock": clock, "sub": sub, **state}
        for sub, ((b, t, i), state) in enumerate(final.items())
    ]
    insert_many(session.connection(), _FEED, rows, _LATEST)


def page(
    session: Session, since: Mapping[str, Sequence[int]], limit: int, types: Sequence[str]
) -> Sequence[Any]:
    """Rows of `types` after `since[bucket] = (clock, sub)` in feed order, at most `limit` (rule G1)."""
    groups: dict[tuple[int, int], list[str]] = {}
    for bucket, (at_clock, sub) in since.items():
        groups.setdefault((at_clock, sub), []).append(bucket)
    if not groups:
        return []
    table = FeedRow.__table__.c
    after = [
        and_(table.bucket.in_(buckets), tuple_(table.clock, table.sub) > tuple_(*position))
        for position, buckets in groups.items()
    ]
    order = (table.clock, table.sub, table.bucket)
    return session.execute(
        FeedRow.__table__.select().where(or_(*after), table.type.in_(types)).order_by(*order).limit(limit)
    ).all()


def holding(session: Session, buckets: Sequence[str], types: Sequence[str]) -> Sequence[str]:
    """Those of `buckets` that have rows of `types`."""
    where = (FeedRow.bucket.in_(buckets), FeedRow.type.in_(types))
    return session.scalars(select(FeedRow.bucket).where(*where).distinct()).all()


def horizons(session: Session, buckets: Iterable[str]) -> dict[str, int]:
    """Horizon clock of each bucket that has one."""
    statement = select(FeedHorizon.bucket, FeedHorizon.clock).where(FeedHorizon.bucket.in_(list(buckets)))
    return {row.bucket: row.clock for row in session.execute(statement)}


def meta(session: Session, actor: Actor) -> ServerMeta:
    """Epoch and durable clock of this server; the row is made by `begin_epoch` when the database is set up."""
    return session.scalars(visible(ServerMeta, actor)).one()


def epochs(session: Session, actor: Actor) -> Sequence[Epoch]:
    """The histories this database has lived in, the present one last."""
    return session.scalars(visible(Epoch, actor).order_by(Epoch.n)).all()


def begin_epoch(session: Session, now: datetime) -> None:
    """Give a new database its epoch; does nothing where there is one."""
    if session.execute(ServerMeta.__table__.select()).first() is None:
        epoch = str(uuid.uuid4())
        session.execute(insert(ServerMeta).values(id=1, epoch=epoch, durable_clock=0))
        first = {"n": 1, "began_at": now, "clock": 0, "reason": "new", "detail": {}}
        session.execute(insert(Epoch).values(epoch=epoch, **first))
