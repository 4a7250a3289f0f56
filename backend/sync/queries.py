"""Reads of replicas and of ops in custody; each begins with who asks."""

from collections.abc import Sequence
from functools import cache

from sqlalchemy import Select, bindparam, func, or_
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.ops.models import LoggedOp
from backend.sync.models import Replica, Rescue


def replica_of(session: Session, actor: Actor, replica_id: str, is_locked: bool = True) -> Replica | None:
    """A replica of this person's, locked against a concurrent push of the same one (PostgreSQL)."""
    return session.scalars(_replica(is_locked), {"replica": replica_id, "user": actor.id}).first()


@cache
def _replica(is_locked: bool) -> Select[Replica]:
    """Asked at every push, so made once."""
    statement = visible(Replica, SYSTEM).where(Replica.id == bindparam("replica"), Replica.user_id == bindparam("user"))
    return statement.with_for_update() if is_locked else statement


def replica_of_install(session: Session, actor: Actor, install_id: str, nonce: str) -> Replica | None:
    """The replica that this registration made already (it is idempotent)."""
    where = (Replica.user_id == actor.id, Replica.install_id == install_id, Replica.nonce == nonce)
    return session.scalars(visible(Replica, SYSTEM).where(*where)).first()


def rescues_of(session: Session, device_id: str) -> Sequence[Rescue]:
    """The dumps of one device, oldest first."""
    return session.scalars(
        visible(Rescue, SYSTEM).where(Rescue.device_id == device_id).order_by(Rescue.created_at)
    ).all()


def rescues(session: Session, actor: Actor) -> Sequence[Rescue]:
    """All dumps, oldest first."""
    return session.scalars(visible(Rescue, actor).order_by(Rescue.created_at, Rescue.id)).all()


def rescue(session: Session, rescue_id: str, is_locked: bool = False) -> Rescue | None:
    """One dump by its id, locked until the end of the transaction where it is to be changed."""
    statement = visible(Rescue, SYSTEM).where(Rescue.id == rescue_id)
    return session.scalars(statement.with_for_update() if is_locked else statement).first()


def statuses(session: Session, actor: Actor, op_ids: Sequence[str]) -> list[LoggedOp]:
    """Those of these ops that are in custody; only the actor's own, and those that their devices handed over."""
    if not op_ids:
        return []
    is_theirs = or_(LoggedOp.actor_id == actor.id, LoggedOp.custodian == actor.id)
    where = (LoggedOp.op_id.in_(op_ids), is_theirs)
    return list(session.scalars(visible(LoggedOp, SYSTEM).where(*where).order_by(LoggedOp.op_id)))


def clock_of(session: Session, op_id: str) -> int | None:
    """Clock of an op in custody, or None."""
    return session.scalar(visible(LoggedOp, SYSTEM).with_only_columns(LoggedOp.clock).where(LoggedOp.op_id == op_id))


def attention_count(session: Session, actor: Actor) -> int:
    """How many ops of the actor wait for a human or a deploy."""
    return session.scalars(_waiting(), {"actor": actor.id}).one()


@cache
def _waiting() -> Select[int]:
    """Asked at every pull, so made once."""
    where = (LoggedOp.actor_id == bindparam("actor"), LoggedOp.status.in_(("parked", "blocked")))
    return visible(LoggedOp, SYSTEM).with_only_columns(func.count()).where(*where)


def attention(session: Session, actor: Actor) -> list[LoggedOp]:
    """The actor's ops that wait for a human or a deploy."""
    where = (LoggedOp.actor_id == actor.id, LoggedOp.status.in_(("parked", "blocked")))
    return list(session.scalars(visible(LoggedOp, SYSTEM).where(*where).order_by(LoggedOp.clock).limit(500)))
