"""What hangs on a post follows its holder: links go over, what they were is kept, a list says what was handed on.

At each moment each layer of an open problem has exactly one holder or a named gap. Writes links; posts are accounts'.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor
from backend.accounts import queries as accounts
from backend.accounts.models import Holding
from backend.effects import Effect, Event, OpLike
from backend.errors import NotAllowed, Refused
from backend.responsibility import queries
from backend.responsibility.models import FormerLink, PostHandover, Responsibility
from backend.workdays import local_date
from sync_protocol.identity import fingerprint

KEPT = (
    "problem_id",
    "layer",
    "department_id",
    "area_path",
    "area_id",
    "post_id",
    "title",
    "holder",
    "is_lead",
    "is_gap",
    "since_at",
)


def retire(session: Session, problem_id: str, area_path: str, now: datetime) -> None:
    """The links of a problem end here: kept as former ones, at the place where the problem lies now."""
    session.execute(update(FormerLink).where(FormerLink.problem_id == problem_id).values(area_path=area_path))
    links = queries.chain_of(session, SYSTEM, problem_id)
    _keep(session, links, now)


def _keep(session: Session, links: Sequence[Responsibility], now: datetime) -> None:
    rows = [{**{name: getattr(link, name) for name in KEPT}, "to_at": now} for link in links if link.since_at < now]
    if rows:
        session.execute(insert(FormerLink), rows)


def settle(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`post.settle` (the server, when a term begins or ends): as `follow`; twice is once."""
    return follow(session, {"post_id": op.ent_id, "op_id": op.id}, actor, now)


def follow(session: Session, data: Any, actor: Actor, now: datetime) -> Effect:
    """Reaction to `post.changed`: what is open and hangs on the post goes to whoever holds it today, or becomes a gap."""
    post = accounts.post(session, SYSTEM, data["post_id"])
    if post is None:
        raise Refused("target_missing", "no such post")
    today = local_date(now)
    terms = accounts.terms(session, [post.id]).get(post.id, ())
    held = _held(terms, today)
    person = held.person if held else None
    moved = [(link, card) for link, card in queries.hold_open_of_post(session, post.id) if link.holder != person]
    if not moved:
        return Effect(status="noop", summary={"post": post.id, "area_path": post.area_path})
    listed = [_line(link, card, today) for link, card in moved]
    before = "、".join(sorted({link.holder for link, _ in moved if link.holder})) or None
    _keep(session, [link for link, _ in moved], now)
    for link, _ in moved:
        link.holder, link.is_gap, link.since_at = person, person is None, now
        link.reason = {**link.reason, "handed_on": data["op_id"]}
    text = orjson.dumps(listed, option=orjson.OPT_SORT_KEYS).decode()
    overdue = sum(row["is_overdue"] for row in listed)
    session.execute(insert(PostHandover).values(
        id=f"ph-{data['op_id']}"[:64], post_id=post.id, area_path=post.area_path, title=post.title_zh, from_person=before,
        to_person=person, to_user=held.user_id if held else None, department_id=post.department_id, at=now, count=len(listed),
        overdue=overdue, problems=text, digest=fingerprint(text),
    ))  # fmt: skip
    session.flush()
    summary = {"post": post.id, "area_path": post.area_path, "moved": len(listed), "digest": fingerprint(text)}
    told = {
        "post_id": post.id, "title": post.title_zh, "area_path": post.area_path, "department": post.department_id, "count": len(listed),
        "overdue": overdue, "to_user": held.user_id if held else None, "is_gap": person is None,
        "from_user": _account(terms, {link["from"] for link in listed}, today),
    }  # fmt: skip
    result = {"moved": len(listed), "is_gap": person is None}
    return Effect(events=[Event("post.handed_on", told)], summary=summary, result=result)


def _account(terms: Sequence[Holding], persons: Collection[str | None], today: date) -> str | None:
    """The account of whoever held a post last among these people, where one is known."""
    held = [term.user_id for term in terms if term.person in persons and term.from_on <= today]
    return held[-1] if held else None


def _line(link: Responsibility, card: Any, today: date) -> dict[str, Any]:
    return {
        "problem_id": link.problem_id, "number": card.number, "layer": link.layer, "state": card.state,
        "due_on": card.due_on.isoformat() if card.due_on else None, "is_overdue": bool(card.due_on and card.due_on < today),
        "from": link.holder,
    }  # fmt: skip


def accept(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`post.accept`: the new holder has read what was handed on: the account named with the post, else one of its office.

    Raises NotAllowed for another; Refused target_missing, guard_failed (nobody holds the post; accepted already).
    """
    found = queries.post_handover(session, actor, op.ent_id)
    if found is None:
        raise Refused("target_missing", "no such list within your territory")
    if found.to_person is None or found.accepted_at is not None:
        raise Refused(
            "guard_failed", "nobody was there to take it over" if found.to_person is None else "accepted already"
        )
    if not queries.is_taker(actor, found):
        raise NotAllowed("only who holds the post now accepts what was handed on")
    if op.args["digest"] != found.digest:
        raise Refused("conflict", "this is not the list that was handed on")
    found.accepted_at, found.accepted_by = now, actor.id
    session.flush()
    return Effect(summary={"post": found.post_id, "digest": found.digest, "area_path": found.area_path})


def due(session: Session, today: date) -> list[str]:
    """Posts whose links name somebody else than the roster does today: a term has begun or ended, or files were loaded."""
    used = queries.posts_in_use(session)
    terms = accounts.terms(session, {post for post, _ in used})
    holders = {post: held.person for post, found in terms.items() if (held := _held(found, today)) is not None}
    return sorted({post for post, holder in used if holder != holders.get(post)})


def _held(terms: Sequence[Holding], today: date) -> Holding | None:
    """The term that holds on a day."""
    return next((term for term in terms if term.from_on <= today <= (term.to_on or today)), None)
