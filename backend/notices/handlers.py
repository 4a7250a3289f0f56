"""What an event leaves to be told (reactions), and who subscribes or is written to (ops).

Nobody is told here: fanout.py."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.accounts import queries as accounts
from backend.effects import Effect, OpLike
from backend.errors import Invalid, Refused
from backend.notices import clocks, rules
from backend.notices.calling import NotCalled, place_of
from backend.notices.facts import leave
from backend.notices.models import MailAddress, Outgoing, Webhook
from backend.workdays import local_date

MOST_WEBHOOKS = 20  # of one owner: each is sent to


def _note(
    session: Session, kind: str, ent: tuple[str, str], actor: Actor, now: datetime, area_path: str = "", **data: Any
) -> Effect:
    leave(session, kind, ent, actor.id, now, area_path, **data)
    return Effect()


def of_raised(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `problem.raised`: one that may be a major hazard is told at once."""
    if not data.get("is_candidate_major"):
        return Effect()
    return _note(session, "problem.major", ("problem", data["problem_id"]), actor, now)


def of_assigned(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `responsibility.assigned`: whose it is now."""
    return _note(session, "problem.assigned", ("problem", data["problem_id"]), actor, now)


def of_step(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `problem.stepped`: the steps of the table."""
    kind = rules.of_step(data["action"], data["status"], data["to"])
    return _note(session, kind, ("problem", data["problem_id"]), actor, now) if kind else Effect()


def of_document(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `document.issued`: one about a problem; a list about a place is its issuer's own."""
    if data["ent"][0] != "problem":
        return Effect()
    told = {"problem_id": data["ent"][1], "document": data["number"]}
    return _note(session, "document.issued", ("document", data["number"]), actor, now, data["area_path"], **told)


def of_sweep(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `sweep.opened`: everybody who works in an area of it."""
    effect = Effect()
    for path in data["area_paths"]:
        _note(session, "sweep.opened", ("sweep", data["sweep_id"]), actor, now, path, title=data["title"])
    return effect


def of_paper(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `handover.stepped`, `order.stepped` and `transfer.stepped`: the office on the other side, of the steps of the table."""
    kind = rules.PAPERS.get(data["step"])
    if kind is None:
        return Effect()
    ent = (data["step"].partition(".")[0], data["id"])
    for path, department in data["to"]:
        leave(session, kind, ent, actor.id, now, path, department=department, document=data["number"])
    return Effect()


def of_post(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `post.handed_on`: who has the post now, who had it, or the office above, where nobody answers any more."""
    said = {"title": f"{data['title']} {data['count']}/{data['overdue']}"}
    ent, path, department = ("post", data["post_id"]), data["area_path"], data["department"]
    if data["from_user"]:
        leave(session, "post.left", ent, actor.id, now, path, user=data["from_user"], **said)
    if data["is_gap"]:
        leave(session, "post.vacant", ent, actor.id, now, rules.above(path, department), **said)
    else:
        leave(session, "post.taken", ent, actor.id, now, path, department=department, user=data["to_user"], **said)
    return Effect()


def of_deputy(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `post.deputed`: the office whose post it is, or its holder's account, where one is known."""
    said = {"title": f"{data['title']} {data['from_on']} – {data['to_on']}"}
    about = {"department": data["department"], "user": data["to_user"]}
    return _note(session, "post.deputed", ("post", data["post_id"]), actor, now, data["area_path"], **about, **said)


def of_parked(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `op.parked`: its author, and who may repair it; all ops of one author are one line of an inbox."""
    return _note(
        session, "op.parked", ("person", data["author_id"]), actor, now, data["area_path"], reason=data["reason"]
    )


def ran_out(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`clock.escalate` (the server): a clock beside a problem's own has run out, and one level is told of it.

    One that has stopped, or runs until another day, is a noop. Refuses guard_failed where the level is not told of it, or not yet.
    """
    args, clock = op.args, clocks.CLOCKS[op.args["clock"]]
    there = [each for each in clock.running(session, op.ent_id, "", 1) if each.n == args["n"]]
    if not there or there[0].last_on != args["last_on"]:
        return Effect("noop")
    found, level = there[0], args["level"]
    if level not in clocks.levels(found) or not clocks.is_time(level, args["last_on"], local_date(now)):
        raise Refused("guard_failed", f"{level} is not told of it, or not yet")
    kind, more = (clock.kind, {}) if level == clocks.OWN else ("clock.escalated", {"level": level})
    told = {"department": found.department_id, "due_on": args["last_on"].isoformat(), **found.said, **more}
    leave(session, kind, found.ent, actor.id, now, found.area_path, **told)
    summary = {"clock": args["clock"], "level": level, "area_path": found.area_path, **found.said}
    return Effect(summary=summary)


def subscribe(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`webhook.subscribe`: where its owner wants to be told of which kinds. Its secret is another matter (views.py).

    Raises Invalid for an address that is never called; Refused conflict, guard_failed.
    """
    if session.scalars(visible(Webhook, SYSTEM).where(Webhook.id == op.ent_id)).first() is not None:
        raise Refused("conflict", "there is such a subscription already")
    try:
        place_of(op.args["url"], current_app.extensions["config"].webhooks.inside)
    except NotCalled as fault:
        raise Invalid(errors=[{"pointer": "/url", "code": "invalid", "detail": str(fault)}]) from fault
    if len(_open(session, actor)) >= MOST_WEBHOOKS:
        raise Refused("guard_failed", f"nobody has more than {MOST_WEBHOOKS} of them")
    session.execute(insert(Webhook).values(
        id=op.ent_id, owner_id=actor.id, url=op.args["url"], events=sorted(set(op.args["events"])), generation=0, created_at=now
    ))  # fmt: skip
    return Effect(summary={"webhook": op.ent_id, "host": urlsplit(op.args["url"]).hostname}, result={"id": op.ent_id})


def end_webhook(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`webhook.end`: by its owner, by who keeps people and devices, or by the server after days of failure; what waits is given up."""
    found = session.scalars(visible(Webhook, SYSTEM).where(Webhook.id == op.ent_id).with_for_update()).first()
    if found is None or (actor.id != found.owner_id and actor.role not in ("admin", "system")):
        raise Refused("target_missing", "no such subscription of yours")
    if found.ended_at is not None:
        return Effect("noop")
    found.ended_at, found.ended_why = now, "failing" if actor.role == "system" else "by_person"
    waiting = update(Outgoing).where(Outgoing.target == found.id, Outgoing.state == "waiting")
    session.execute(waiting.values(state="dead", ended_at=now))
    session.flush()
    if actor.role == "system":
        _note(session, "webhook.ended", ("person", found.owner_id), actor, now, webhook=found.id)
    return Effect(summary={"webhook": found.id, "why": found.ended_why})


def set_address(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`notice.address`: where a person is written to; none: not at all."""
    if accounts.user_of_id(session, op.ent_id) is None:
        raise Refused("target_missing", "no such person")
    session.execute(delete(MailAddress).where(MailAddress.user_id == op.ent_id))
    if op.args["address"]:
        session.execute(insert(MailAddress).values(user_id=op.ent_id, address=op.args["address"]))
    return Effect(summary={"user": op.ent_id, "has_address": bool(op.args["address"])})


def _open(session: Session, actor: Actor) -> Sequence[Webhook]:
    return session.scalars(
        visible(Webhook, SYSTEM).where(Webhook.owner_id == actor.id, Webhook.ended_at.is_(None))
    ).all()
