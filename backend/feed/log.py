"""Writing the feed from effects (ops.apply alone), and the server's epochs. No payloads; pages are read in pages.py."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.orm import Session

from backend.access.scope import Actor, visible
from backend.bulk import insert_many
from backend.effects import Changed
from backend.feed.models import Epoch, FeedHorizon, FeedRow, ServerMeta
from sync_protocol.checks import weight

_FEED: Table = FeedRow.__table__  # type: ignore[assignment]
_HORIZONS: Table = FeedHorizon.__table__  # type: ignore[assignment]
FORGET_AT_ONCE = 5_000  # nobody waits at the write gate for longer than that takes
_SET = ", ".join(f"{name} = excluded.{name}" for name in ("clock", "sub", "is_member", "ver", "h"))
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
        {
            "bucket": b,
            "type": t,
            "id": i,
            "clock": clock,
            "sub": sub,
            "h": signed(weight(t, i, state["ver"])),
            **state,
        }
        for sub, ((b, t, i), state) in enumerate(final.items())
    ]
    insert_many(session.connection(), _FEED, rows, _LATEST)


def forget(session: Session, bucket: str, upto: int) -> int:
    """Delete the oldest removals of a bucket that are not newer than the clock `upto`, and move its horizon, in one
    transaction (P17): at most FORGET_AT_ONCE or those of one clock; returns how many. Call inside `transaction()`."""
    where = (_FEED.c.bucket == bucket, _FEED.c.is_member.is_(False), _FEED.c.clock <= upto)
    oldest = select(_FEED.c.clock).where(*where).order_by(_FEED.c.clock)
    end = session.scalar(oldest.offset(FORGET_AT_ONCE - 1).limit(1))
    gone = delete(_FEED).where(*where, _FEED.c.clock <= (upto if end is None else end)).returning(_FEED.c.clock)
    clocks = session.scalars(gone).all()
    if clocks:
        row = {"bucket": bucket, "clock": max(clocks) + 1}
        later = "(bucket) DO UPDATE SET clock = excluded.clock WHERE excluded.clock > feed_horizons.clock"
        insert_many(session.connection(), _HORIZONS, [row], later)
    return len(clocks)


def signed(word: int) -> int:
    """An unsigned 64-bit number as a database keeps it: the same bits with a sign."""
    return word - (1 << 64) if word >> 63 else word


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
