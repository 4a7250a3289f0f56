"""Reads of the op log for people: what is parked or blocked, and since when; each begins with who asks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, text
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.database import from_ms
from backend.ops.models import LoggedOp
from backend.photos.models import Photo, PhotoRef

HELD = ("parked", "blocked")


def with_txn(session: Session, actor: Actor, op_id: str) -> Sequence[LoggedOp]:
    """An op that `actor` may see, with the ops of its txn, in order, locked; empty where there is none."""
    seen = session.scalars(visible(LoggedOp, actor).where(LoggedOp.op_id == op_id)).first()
    if seen is None:
        return []
    same = LoggedOp.op_id == op_id
    if seen.txn:
        same = or_(same, (LoggedOp.replica == seen.replica) & (LoggedOp.txn == seen.txn))
    held = visible(LoggedOp, actor).where(same).order_by(LoggedOp.seq, LoggedOp.op_id)
    return session.scalars(held.with_for_update().execution_options(populate_existing=True)).all()


def held(
    session: Session, actor: Actor, reason: str | None, after: tuple[int, str] | None, limit: int
) -> Sequence[LoggedOp]:
    """Ops that somebody has to decide, oldest first, after (clock, op id)."""
    statement = visible(LoggedOp, actor).where(LoggedOp.status.in_(HELD))
    if reason:
        statement = statement.where(LoggedOp.reason == reason)
    if after:
        clock, name = after
        statement = statement.where((LoggedOp.clock > clock) | ((LoggedOp.clock == clock) & (LoggedOp.op_id > name)))
    return session.scalars(statement.order_by(LoggedOp.clock, LoggedOp.op_id).limit(limit)).all()


def held_counts(session: Session, actor: Actor) -> list[Mapping[str, Any]]:
    """{status, reason, count, oldest_at} of what waits for a decision."""
    columns = (LoggedOp.status, LoggedOp.reason, func.count(), func.min(LoggedOp.received_at))
    statement = visible(LoggedOp, actor).with_only_columns(*columns).where(LoggedOp.status.in_(HELD))
    rows = session.execute(
        statement.group_by(LoggedOp.status, LoggedOp.reason).order_by(LoggedOp.status, LoggedOp.reason)
    )
    return [{"status": s, "reason": r, "count": n, "oldest_at": at} for s, r, n, at in rows]


def held_by_replica(session: Session, actor_ids: Sequence[str]) -> dict[str, tuple[int, datetime]]:
    """{replica: (how many, oldest)} of what these people's devices brought and somebody still has to decide."""
    where = (LoggedOp.actor_id.in_(actor_ids), LoggedOp.status.in_(HELD), LoggedOp.replica.is_not(None))
    columns = (LoggedOp.replica, func.count(), func.min(LoggedOp.received_at))
    statement = visible(LoggedOp, SYSTEM).with_only_columns(*columns).where(*where).group_by(LoggedOp.replica)
    return {str(replica): (count, at) for replica, count, at in session.execute(statement)}


def awaited_by_replica(session: Session) -> dict[str, tuple[int, datetime]]:
    """{replica: (how many photos, since when)} that ops in custody speak of and whose bytes are not here."""
    columns = (LoggedOp.replica, func.count(Photo.sha256.distinct()), func.min(LoggedOp.received_at))
    statement = visible(Photo, SYSTEM).with_only_columns(*columns).join(PhotoRef, PhotoRef.sha256 == Photo.sha256)
    statement = statement.join(LoggedOp, LoggedOp.op_id == PhotoRef.op_id)
    where = (text("photos.state = 'awaiting'"), LoggedOp.replica.is_not(None))  # as the index has it, word for word
    found = session.execute(statement.where(*where).group_by(LoggedOp.replica))
    return {str(replica): (count, at) for replica, count, at in found}


def held_ids(session: Session, reasons: Sequence[str], actor_id: str | None = None) -> list[str]:
    """Ids of ops held for one of these reasons (of one author), in the order in which they came."""
    where: list[ColumnElement[bool]] = [LoggedOp.status.in_(HELD), LoggedOp.reason.in_(reasons)]
    if actor_id:
        where.append(LoggedOp.actor_id == actor_id)
    order = (LoggedOp.clock, LoggedOp.seq, LoggedOp.op_id)
    return list(
        session.scalars(visible(LoggedOp, SYSTEM).with_only_columns(LoggedOp.op_id).where(*where).order_by(*order))
    )


def held_about(session: Session, ent: tuple[str, str], reasons: Sequence[str]) -> list[str]:
    """The same, of one entity."""
    where = (
        LoggedOp.status.in_(HELD),
        LoggedOp.reason.in_(reasons),
        LoggedOp.ent_type == ent[0],
        LoggedOp.ent_id == ent[1],
    )
    order = (LoggedOp.clock, LoggedOp.seq, LoggedOp.op_id)
    return list(
        session.scalars(visible(LoggedOp, SYSTEM).with_only_columns(LoggedOp.op_id).where(*where).order_by(*order))
    )


def blocked_since(session: Session, before: datetime) -> list[str]:
    """Ids of ops that are blocked since before this time."""
    where = (LoggedOp.status == "blocked", LoggedOp.received_at < before)
    statement = visible(LoggedOp, SYSTEM).with_only_columns(LoggedOp.op_id).where(*where)
    return list(session.scalars(statement.order_by(LoggedOp.clock, LoggedOp.op_id)))


def bringers(session: Session, op_ids: Sequence[str]) -> dict[str, dict[str, str | None]]:
    """{op: replica and person that brought it} of those that are in custody."""
    columns = (LoggedOp.op_id, LoggedOp.replica, LoggedOp.actor_id)
    found: dict[str, dict[str, str | None]] = {}
    for at in range(0, len(op_ids), 500):
        named = visible(LoggedOp, SYSTEM).with_only_columns(*columns).where(LoggedOp.op_id.in_(op_ids[at : at + 500]))
        found |= {row.op_id: {"replica": row.replica, "person": row.actor_id} for row in session.execute(named)}
    return found


GUESSED = ("wall_only", "suspect")  # of when an op was recorded: a phone's own word (P82)


def recorded(session: Session, op_ids: Sequence[str]) -> dict[str, datetime]:
    """{op: when it was recorded} of those whose time rests on the server's clock and not on a phone's word."""
    found: dict[str, datetime] = {}
    for at in range(0, len(op_ids), 500):
        named = visible(LoggedOp, SYSTEM).with_only_columns(LoggedOp.op_id, LoggedOp.t_est_ms)
        named = named.where(
            LoggedOp.op_id.in_(op_ids[at : at + 500]),
            LoggedOp.t_est_ms.is_not(None),
            LoggedOp.t_quality.not_in(GUESSED),
        )
        found |= {op_id: from_ms(ms) for op_id, ms in session.execute(named) if ms is not None}
    return found
