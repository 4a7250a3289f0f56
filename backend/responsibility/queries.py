"""Reads of responsibility chains; each begins with who asks."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.accounts import queries as accounts
from backend.problems.models import Problem
from backend.responsibility.models import FormerLink, PostHandover, Responsibility

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


def acting(session: Session, links: Sequence[Any], on: date) -> dict[str, str]:
    """{post: who acts for its holder on a day (代)} of the posts in a chain."""
    return accounts.deputies(session, {link.post_id for link in links if link.post_id}, on)


def told_chain(session: Session, actor: Actor, problem_id: str, on: date) -> list[dict[str, Any]]:
    """The chain of one problem as it is told of, with who acts on a day."""
    links = chain_of(session, actor, problem_id)
    deputies = acting(session, links, on)
    names = [column.name for column in Responsibility.__table__.columns]
    return [{**{n: getattr(k, n) for n in names}, "acting": deputies.get(k.post_id or "")} for k in links]


def hold_open_of_post(session: Session, post_id: str) -> Sequence[tuple[Responsibility, Any]]:
    """(link, problem's card) of what is open and hangs on a post, locked, by problem."""
    cards = (Problem.number, Problem.state, Problem.due_on)
    held = visible(Responsibility, SYSTEM).add_columns(*cards).join(Problem, Problem.id == Responsibility.problem_id)
    held = held.where(Responsibility.post_id == post_id, Problem.is_open).order_by(Problem.id, Responsibility.layer)
    held = held.with_for_update(of=Responsibility).execution_options(populate_existing=True)
    return [(row[0], row) for row in session.execute(held)]


def posts_in_use(session: Session) -> list[tuple[str, str | None]]:
    """(post, holder) that stand in the chains of open problems, each pair once."""
    columns = (Responsibility.post_id, Responsibility.holder)
    found = (
        visible(Responsibility, SYSTEM)
        .with_only_columns(*columns)
        .join(Problem, Problem.id == Responsibility.problem_id)
    )
    found = found.where(Problem.is_open, Responsibility.post_id.is_not(None)).distinct().order_by(*columns)
    return [(str(row.post_id), row.holder) for row in session.execute(found)]


def hanging(session: Session, actor: Actor) -> dict[tuple[str | None, str, str | None, str], int]:
    """{(post, layer, area, department): open problems in whose chain it stands}; post None: there is no such post."""
    columns = (Responsibility.post_id, Responsibility.layer, Responsibility.area_id, Responsibility.department_id)
    found = visible(Responsibility, actor).with_only_columns(*columns, func.count())
    found = found.join(Problem, Problem.id == Responsibility.problem_id).where(Problem.is_open)
    if actor.role == "department":
        found = found.where(Responsibility.department_id == actor.department_id)
    return {(row[0], row[1], row[2], row[3]): row[4] for row in session.execute(found.group_by(*columns))}


def terms_of(session: Session, actor: Actor, problem_id: str) -> list[dict[str, Any]]:
    """Who answered for each layer of a problem, when: former links and those that hold, by layer and time."""
    names = ("layer", "department_id", "post_id", "title", "holder", "is_lead", "is_gap", "since_at")
    former = session.scalars(visible(FormerLink, actor).where(FormerLink.problem_id == problem_id))
    found = [{**{n: getattr(row, n) for n in names}, "to_at": row.to_at} for row in former]
    found += [{**{n: getattr(row, n) for n in names}, "to_at": None} for row in chain_of(session, actor, problem_id)]
    return sorted(
        found, key=lambda row: (_ORDER[row["layer"]], not row["is_lead"], row["department_id"], row["since_at"])
    )


def post_handovers(
    session: Session, actor: Actor, is_accepted: bool | None, after: tuple[datetime, str] | None, limit: int
) -> Sequence[PostHandover]:
    """Lists of what went over, oldest first, those after a position (time, id); a department's own alone."""
    statement = visible(PostHandover, actor)
    if actor.role == "department":
        statement = statement.where(PostHandover.department_id == actor.department_id)
    if is_accepted is not None:
        statement = statement.where(
            PostHandover.accepted_at.is_not(None) if is_accepted else PostHandover.accepted_at.is_(None)
        )
    if after is not None:
        at, name = after
        statement = statement.where((PostHandover.at > at) | ((PostHandover.at == at) & (PostHandover.id > name)))
    return session.scalars(statement.order_by(PostHandover.at, PostHandover.id).limit(limit)).all()


def is_taker(actor: Actor, found: PostHandover) -> bool:
    """Whether the actor accepts for the new holder: the account named with the post, else one of its office."""
    if actor.role == "system" or found.to_user:
        return actor.role == "system" or actor.id == found.to_user
    own = actor.department_id if actor.role == "department" else None
    return found.area_path in actor.areas and found.department_id == own


def post_handover(session: Session, actor: Actor, name: str) -> PostHandover | None:
    """One of them."""
    return session.scalars(visible(PostHandover, actor).where(PostHandover.id == name)).first()


def gaps(session: Session, actor: Actor) -> list[tuple[str, str | None, int]]:
    """(layer, area, count) of links that nobody holds (责任空白)."""
    columns = (Responsibility.layer, Responsibility.area_id, func.count())
    statement = visible(Responsibility, actor).with_only_columns(*columns).where(Responsibility.is_gap)
    rows = session.execute(statement.group_by(*columns[:2]).order_by(*columns[:2])).all()
    return [(row[0], row[1], row[2]) for row in rows]
