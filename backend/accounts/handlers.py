"""Adding people, filling posts. Secrets are made in tokens.py, not here."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, or_, update
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.accounts import grants, queries
from backend.accounts.models import Absence, Holding, Post, RosterVersion, User
from backend.effects import Effect, Event, OpLike
from backend.errors import Invalid, Refused

_POSTS: Any = Post.__table__
_HOLDINGS: Any = Holding.__table__  # bulk statements go past the ORM


def add_user(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`user.add`. Refuses a login that is taken."""
    if queries.user_by_login(session, op.args["login"]):
        raise Refused("conflict", f"login {op.args['login']} is taken")
    session.execute(insert(User).values(id=op.ent_id, is_active=True, **op.args))
    grants.note(session, "user", op.ent_id, op.args["areas"], now)
    return Effect(summary={"user": op.ent_id, "role": op.args["role"]}, result={"id": op.ent_id})


def change_user(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`user.change`: another area, another role, or gone. Ops recorded before it are judged with grace (P34)."""
    user = queries.user_of_id(session, op.ent_id)
    if user is None:
        raise Refused("target_missing", "no such person")
    for name, value in op.args.items():
        setattr(user, name, value)
    grants.note(session, "user", user.id, user.areas if user.is_active else (), now)
    session.flush()
    told = Event("grants.changed", {"cause": op.id, "user_ids": [user.id]})
    return Effect(events=[told], summary={"user": user.id, "changed": sorted(op.args)})


def hold_post(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`post.hold`: from a day on this person holds the post; who held it until then ends the day before."""
    post = _post(session, op, actor)
    start = op.args["from_on"]
    open_terms = (
        Holding.post_id == post.id,
        Holding.from_on < start,
        or_(Holding.to_on.is_(None), Holding.to_on >= start),
    )
    session.execute(update(Holding).where(*open_terms).values(to_on=start - timedelta(days=1)))
    later = session.scalars(
        visible(Holding, SYSTEM).where(Holding.post_id == post.id, Holding.from_on >= start)
    ).first()
    if later is not None:
        raise Refused("conflict", f"the post has a holder from {later.from_on}")
    if op.args["user_id"] is not None and queries.user_by_id(session, op.args["user_id"]) is None:
        raise Invalid(errors=[{"pointer": "/user_id", "code": "unknown", "detail": "no such person"}])
    row = {"post_id": post.id, "person": op.args["person"], "from_on": start, "user_id": op.args["user_id"]}
    session.execute(insert(Holding).values(**row))
    return _changed(session, op, post, now)


def _changed(session: Session, op: OpLike, post: Post, now: datetime) -> Effect:
    """What hangs on a post goes over to who holds it now (or is left without anybody)."""
    _new_version(session)
    told = Event("post.changed", {"post_id": post.id, "op_id": op.id})
    return Effect(events=[told], summary={"post": post.id, "area_path": post.area_path})


def leave_post(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`post.leave`: the term that holds on that day ends with it. Refuses a post that nobody holds then."""
    post, last = _post(session, op, actor), op.args["to_on"]
    term = session.scalars(visible(Holding, SYSTEM).where(Holding.post_id == post.id, *queries.holds(last))).first()
    if term is None:
        raise Refused("guard_failed", f"nobody holds {post.id} on {last}")
    term.to_on = last
    session.flush()
    return _changed(session, op, post, now)


def go_away(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`post.away`: who acts while the holder is away (代). Refuses days that another absence has, and a post without holder."""
    post, first, last = _post(session, op, actor), op.args["from_on"], op.args["to_on"]
    if last < first:
        raise Invalid(errors=[{"pointer": "/to_on", "code": "invalid", "detail": "not before from_on"}])
    if queries.absences(session, [post.id], first, last):
        raise Refused("conflict", f"another absence from {post.id} lies within these days")
    if not queries.is_held(session, post.id, first, last):
        raise Refused("guard_failed", f"nobody holds {post.id} on all of these days: a deputy acts for somebody")
    session.execute(insert(Absence).values(post_id=post.id, **op.args))
    told = _deputed(session, post, first, last)
    return Effect(
        events=[told], summary={"post": post.id, "area_path": post.area_path, "deputy_until": last.isoformat()}
    )


def _deputed(session: Session, post: Post, first: date, last: date) -> Event:
    """That somebody acts for the holder of a post on these days; with the account of that holder, where one is known."""
    terms = queries.terms(session, [post.id]).get(post.id, ())
    held = next((term.user_id for term in terms if term.from_on <= first <= (term.to_on or first)), None)
    told = {"post_id": post.id, "title": post.title_zh, "area_path": post.area_path, "department": post.department_id}
    return Event("post.deputed", {**told, "from_on": first, "to_on": last, "to_user": held})


def come_back(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`post.back`: the absence of that day ends the day before; one that has not begun is taken away."""
    post, day = _post(session, op, actor), op.args["on"]
    found = queries.absences(session, [post.id], day, day)
    if not found:
        raise Refused("guard_failed", f"nobody is away from {post.id} on {day}")
    (away,) = found
    if away.from_on == day:
        session.delete(away)
    else:
        away.to_on = day - timedelta(days=1)
    session.flush()
    return Effect(summary={"post": post.id, "area_path": post.area_path})


def _post(session: Session, op: OpLike, actor: Actor) -> Post:
    post = queries.post(session, actor, op.ent_id)
    if post is None:
        raise Refused("target_missing", "no such post within your territory")
    return post


def take_posts(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `city.loaded`: posts that are new or differ; terms that are new, or have ended.

    Refuses terms that would give a post two holders on one day.
    """
    try:
        posts, terms = queries.differing(session, data["posts"], data["holdings"])
    except ValueError as fault:
        raise Invalid(str(fault)) from fault
    if terms.clashes:
        raise Refused("conflict", f"two holders at once: {', '.join(terms.clashes[:5])}")
    if posts.new:
        session.execute(insert(_POSTS), [dict(row) for row in posts.new])
    if posts.changed:
        _rewrite(session, _POSTS, "id", [row for row, _ in posts.changed])
    if terms.changed:
        _rewrite(session, _HOLDINGS, "n", terms.changed)
    if terms.new:
        session.execute(insert(_HOLDINGS), terms.new)
    if len(posts) or len(terms):
        _new_version(session)
    return Effect(summary={"posts": len(posts), "holdings": len(terms)})


def renew_roster(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `duty.published`: what every server keeps in memory about duties and posts is read anew."""
    _new_version(session)
    return Effect()


def _new_version(session: Session) -> None:
    moved = update(RosterVersion).values(v=RosterVersion.v + 1).returning(RosterVersion.v)
    if session.execute(moved).scalar() is None:
        session.execute(insert(RosterVersion).values(id=1, v=1))
    session.info.pop("roster", None)


def _rewrite(session: Session, table: Any, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
    values: dict[str, Any] = {name: bindparam(f"b_{name}") for name in rows[0] if name != key}
    statement = update(table).where(table.c[key] == bindparam(f"b_{key}")).values(values)
    session.connection().execute(statement, [{f"b_{name}": v for name, v in row.items()} for row in rows])
