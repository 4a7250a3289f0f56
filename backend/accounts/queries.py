"""Reads of people, devices, posts; each begins with who asks (the system, while that is being found out)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, func, or_
from sqlalchemy.orm import Session

from backend.access.roles import FORMER, may
from backend.access.scope import SYSTEM, Actor, under, visible
from backend.accounts.models import Absence, Device, EnrolCode, Grant, Holding, Post, User, WebSession
from backend.accounts.rules import HoldingDifference, compare_terms, vacant_from
from backend.accounts.tokens import digest
from backend.errors import Problem
from backend.plain import plain
from backend.territory.rules import Difference, compare


def actor_of(
    user: User | Row[Any], teams: Sequence[str] = (), device_id: str | None = None, areas: Sequence[str] = ()
) -> Actor:
    """A user as the one who asks. `areas` adds to the user's own (an inspector's come from the teams)."""
    return Actor(
        user.id,
        user.role if user.is_active else FORMER,
        tuple(dict.fromkeys([*user.areas, *areas])),
        user.name,
        user.department_id,
        tuple(teams),
        device_id,
        user.language,
    )


def user_by_login(session: Session, login: str) -> User | None:
    """An active user by login."""
    return session.scalars(visible(User, SYSTEM).where(User.login == login, User.is_active)).first()


def user_by_id(session: Session, user_id: str) -> User | None:
    """An active user by id."""
    return session.scalars(visible(User, SYSTEM).where(User.id == user_id, User.is_active)).first()


def user_of_id(session: Session, user_id: str) -> User | None:
    """A user by id, also one who has left."""
    return session.scalars(visible(User, SYSTEM).where(User.id == user_id)).first()


def names(session: Session, user_ids: Collection[str]) -> dict[str, str]:
    """{id: name} of these people, those who have left too."""
    columns = (User.id, User.name)
    found = visible(User, SYSTEM).with_only_columns(*columns).where(User.id.in_(sorted(user_ids)))
    return {row.id: row.name for row in session.execute(found)}


def device_by_token(session: Session, token: str) -> Device | None:
    """The device of a token, revoked or not; only what a revoked one may still do begins here (P89)."""
    return session.scalars(_device(), {"hash": digest(token)}).first()


def device_of_token(session: Session, token: str) -> Row[Any]:
    """The device of a token (device_id, former_hash, token_hash) and its user (what an actor is made of: id, role, areas, …); a user
    who has left is found too: what their device still holds is taken into custody.

    Raises Problem unauthenticated or device_revoked.
    """
    found = session.execute(_device_and_user(), {"hash": digest(token)}).first()
    if found is None:
        raise Problem("unauthenticated")
    if found.is_revoked or found.id is None:
        raise Problem("device_revoked")
    return found


@cache
def _device() -> Select[Device]:
    hashed: ColumnElement[str] = bindparam("hash")
    return visible(Device, SYSTEM).where((Device.token_hash == hashed) | (Device.former_hash == hashed))


@cache
def _device_and_user() -> Select[Any]:
    """Asked at every request, so made once, and as plain columns: objects would cost as much as the rest of it."""
    device = (Device.id.label("device_id"), Device.is_revoked, Device.former_hash, Device.token_hash)
    user = (User.id, User.role, User.areas, User.name, User.department_id, User.language, User.is_active)
    return plain(_device().with_only_columns(*device, *user).outerjoin(User, User.id == Device.user_id))


def user_of_cookie(session: Session, cookie: str, now: datetime) -> tuple[User, str] | None:
    """User and CSRF token of a web session, or None where it has ended."""
    where = (WebSession.id_hash == digest(cookie), WebSession.expires_at > now)
    found = session.scalars(visible(WebSession, SYSTEM).where(*where)).first()
    user = user_by_id(session, found.user_id) if found else None
    return (user, found.csrf) if user and found else None


def users(session: Session, actor: Actor) -> Sequence[User]:
    """All users, by login."""
    return session.scalars(visible(User, actor).order_by(User.login)).all()


def overseen(session: Session, actor: Actor, since: datetime) -> Sequence[Any]:
    """(id, name, role, is_active) of people who work in the actor's areas, or did at some time since `since`, by id.

    A department sees its own people there. Whoever may enrol devices also sees people who never had an area: nobody else does.
    """
    is_lately = or_(Grant.to_at.is_(None), Grant.to_at >= since)
    wanted: ColumnElement[bool] = User.id.in_(visible(Grant, actor).with_only_columns(Grant.user_id).where(is_lately))
    if may(actor.role, "device.enrol"):
        wanted = or_(wanted, User.id.not_in(visible(Grant, SYSTEM).with_only_columns(Grant.user_id)))
    if actor.role == "department":
        wanted = and_(wanted, User.department_id == actor.department_id)
    columns = (User.id, User.name, User.role, User.is_active)
    return session.execute(visible(User, actor).with_only_columns(*columns).where(wanted).order_by(User.id)).all()


def devices_of(session: Session, user_ids: Sequence[str]) -> Sequence[Device]:
    """The devices of these people, oldest first."""
    statement = visible(Device, SYSTEM).where(Device.user_id.in_(user_ids))
    return session.scalars(statement.order_by(Device.enrolled_at, Device.id)).all()


def open_codes(session: Session, user_ids: Sequence[str]) -> dict[str, datetime]:
    """{person: when it ends or ended} of the latest enrolment code that nobody has used."""
    where = (EnrolCode.user_id.in_(user_ids), EnrolCode.used_at.is_(None))
    columns = (EnrolCode.user_id, func.max(EnrolCode.expires_at))
    statement = visible(EnrolCode, SYSTEM).with_only_columns(*columns).where(*where).group_by(EnrolCode.user_id)
    return {user_id: ends_at for user_id, ends_at in session.execute(statement)}  # noqa: C416 - a Result is no mapping


def devices(session: Session, actor: Actor) -> Sequence[Device]:
    """All devices, by id."""
    return session.scalars(visible(Device, actor).order_by(Device.id)).all()


def post(session: Session, actor: Actor, post_id: str) -> Post | None:
    """One post."""
    return session.scalars(visible(Post, actor).where(Post.id == post_id)).first()


def posts(session: Session, actor: Actor, path: str | None = None) -> Sequence[Post]:
    """Posts of the actor's areas (at and below a path), a department's own alone, by id."""
    statement = visible(Post, actor)
    if path is not None:
        statement = statement.where(under(Post.area_path, path))
    if actor.role == "department":
        statement = statement.where(Post.department_id == actor.department_id)
    return session.scalars(statement.order_by(Post.id)).all()


def holds(on: date) -> tuple[ColumnElement[bool], ...]:
    """Conditions: terms that hold on a day."""
    return Holding.from_on <= on, or_(Holding.to_on.is_(None), Holding.to_on >= on)


def posts_of(session: Session, user_id: str, on: date) -> Sequence[Post]:
    """Posts that an account signs for on a day."""
    statement = visible(Post, SYSTEM).join(Holding, Holding.post_id == Post.id)
    statement = statement.where(Holding.user_id == user_id, *holds(on))
    return session.scalars(statement.order_by(Post.id)).all()


def terms(session: Session, post_ids: Collection[str]) -> dict[str, list[Holding]]:
    """{post: its terms, the first day first}; read in lots, since a city has thousands of posts."""
    found: dict[str, list[Holding]] = {}
    left = iter(sorted(post_ids))
    while lot := list(islice(left, 500)):
        rows = visible(Holding, SYSTEM).where(Holding.post_id.in_(lot)).order_by(Holding.from_on)
        for row in session.scalars(rows):
            found.setdefault(row.post_id, []).append(row)
    return found


def is_held(session: Session, post_id: str, first: date, last: date) -> bool:
    """Whether somebody holds a post on each day from `first` to `last`."""
    held = [(term.from_on, term.to_on) for term in terms(session, [post_id]).get(post_id, ())]
    return vacant_from(held, first, (last - first).days) is None


def absences(session: Session, post_ids: Collection[str], first: date, last: date) -> Sequence[Absence]:
    """Absences from these posts that have a day from `first` to `last`, in order."""
    where = (Absence.post_id.in_(post_ids), Absence.from_on <= last, Absence.to_on >= first)
    return session.scalars(visible(Absence, SYSTEM).where(*where).order_by(Absence.post_id, Absence.from_on)).all()


def deputies(session: Session, post_ids: Collection[str], on: date) -> dict[str, str]:
    """{post: who acts for its holder on a day (代)}."""
    return {row.post_id: row.deputy for row in absences(session, post_ids, on, on)}


def differing(
    session: Session, posts: Sequence[Mapping[str, Any]], holdings: Sequence[Mapping[str, Any]]
) -> tuple[Difference, HoldingDifference]:
    """What the posts and holdings of a city's files would change. Raises ValueError for misfit rows."""
    rows = session.execute(visible(Post, SYSTEM).with_only_columns(*Post.__table__.columns))
    kept = session.execute(visible(Holding, SYSTEM).with_only_columns(*Holding.__table__.columns))
    terms = compare_terms(holdings, [dict(row._mapping) for row in kept])
    recorded = {row.id: dict(row._mapping) for row in rows}
    return compare(posts, recorded, Post.__table__.columns.keys()), terms
