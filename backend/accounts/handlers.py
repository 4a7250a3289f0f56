"""Adding people, filling posts. Secrets are made in tokens.py, not here."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import insert, or_, update
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.accounts import queries
from backend.accounts.models import Holding, Post, User
from backend.effects import Effect, OpLike
from backend.errors import Refused


def add_user(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`user.add`. Refuses a login that is taken."""
    if queries.user_by_login(session, op.args["login"]):
        raise Refused("conflict", f"login {op.args['login']} is taken")
    session.execute(insert(User).values(id=op.ent_id, is_active=True, **op.args))
    return Effect(summary={"user": op.ent_id, "role": op.args["role"]}, result={"id": op.ent_id})


def hold_post(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`post.hold`: from a day on this person holds the post; whoever held it until then ends the day before."""
    post = queries.post(session, actor, op.ent_id)
    if post is None:
        raise Refused("target_missing", "no such post within your territory")
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
    session.execute(insert(Holding).values(post_id=post.id, person=op.args["person"], from_on=start))
    return Effect(summary={"post": post.id, "area_path": post.area_path})


def take_posts(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `city.loaded`: posts and holdings that are new or differ."""
    there = {row.id: row for row in session.scalars(visible(Post, SYSTEM))}
    new = [row for row in data["posts"] if row["id"] not in there]
    old = [
        row
        for row in data["posts"]
        if row["id"] in there and any(getattr(there[row["id"]], k) != v for k, v in row.items())
    ]
    terms = {(h.post_id, h.from_on) for h in session.scalars(visible(Holding, SYSTEM))}
    held = [row for row in map(_term, data["holdings"]) if (row["post_id"], row["from_on"]) not in terms]
    session.expunge_all()
    if new:
        session.execute(insert(Post), new)
    for row in old:
        session.execute(update(Post).where(Post.id == row["id"]).values(**row))
    if held:
        session.execute(insert(Holding), held)
    return Effect(summary={"posts": len(new) + len(old), "holdings": len(held)})


def _term(row: Mapping[str, Any]) -> dict[str, Any]:
    to_on = date.fromisoformat(row["to_on"]) if row["to_on"] else None
    return {
        "post_id": row["post_id"],
        "person": row["person"],
        "from_on": date.fromisoformat(row["from_on"]),
        "to_on": to_on,
    }
