"""Reads of an inbox; each begins with who asks. What its owner may no longer see is not there, and is not counted."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, and_, func, or_, true
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, condition, visible
from backend.notices.models import Notice
from backend.problems.models import Problem

MOST_UNREAD = 100  # nobody reads a larger number; so counting costs the same however much lies there


def _seen(actor: Actor) -> Select[Notice]:
    """SELECT of the actor's own notices whose subject they see now: a problem by the problem, anything else by its place.

    Who is told of their own ops (`author`) sees that in any case.
    """
    mine = visible(Problem, actor).with_only_columns(Problem.id).where(Problem.id == Notice.problem_id).exists()
    where = condition(Notice, actor)
    placed = and_(Notice.problem_id.is_(None), true() if where is None else where)
    own = and_(Notice.ent_type == "person", Notice.ent_id == actor.id)
    return visible(Notice, SYSTEM).where(Notice.user_id == actor.id, or_(mine, placed, own))


def page(
    session: Session, actor: Actor, is_unread: bool, after: tuple[datetime, str] | None, limit: int
) -> Sequence[Notice]:
    """The actor's inbox, the newest first, lines after a position (time, id)."""
    statement = _seen(actor).where(Notice.read_at.is_(None)) if is_unread else _seen(actor)
    if after:
        at, n = after[0], int(after[1])
        statement = statement.where((Notice.at < at) | ((Notice.at == at) & (Notice.id < n)))
    return session.scalars(statement.order_by(Notice.at.desc(), Notice.id.desc()).limit(limit)).all()


def unread(session: Session, actor: Actor) -> int:
    """How many unread lines the actor sees, counted as far as MOST_UNREAD."""
    few = _seen(actor).where(Notice.read_at.is_(None)).with_only_columns(Notice.id).limit(MOST_UNREAD).subquery()
    return session.execute(visible(Notice, SYSTEM).with_only_columns(func.count()).select_from(few)).scalar_one()


def about(session: Session, actor: Actor, kind: str, ent_type: str, ent_id: str) -> Sequence[Notice]:
    """The actor's unread line of a kind about a subject that they see: one, or none."""
    same = (Notice.kind == kind, Notice.ent_type == ent_type, Notice.ent_id == ent_id, Notice.read_at.is_(None))
    return session.scalars(_seen(actor).where(*same)).all()


def told_at(session: Session, actor: Actor, kind: str, ent_ids: Sequence[str]) -> dict[str, datetime]:
    """{subject: when anybody was last told of it in this kind}."""
    columns = (Notice.ent_id, func.max(Notice.at))
    told = visible(Notice, actor).with_only_columns(*columns).where(Notice.kind == kind, Notice.ent_id.in_(ent_ids))
    return {ent_id: at for ent_id, at in session.execute(told.group_by(Notice.ent_id))}  # noqa: C416 - a Result is no mapping
