"""Facts about a problem: notes, sightings, later photos. They commute and are taken whenever the problem is there (P70).

Nothing is judged here; only a danger that is seen again re-opens what was closed. Edits and steps are elsewhere.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor
from backend.effects import Effect, OpLike
from backend.errors import Refused
from backend.problems import queries, record, rules
from backend.problems.models import Problem


def note(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`problem.note`: words, photos, or both."""
    entry = record.by(op, "note", note=op.args["text"], photos=op.args["photos"])
    return _take(session, op, entry, actor, now)


def observe(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`problem.observe`: what was seen on the spot, with the position of whoever saw it."""
    args = op.args
    entry = record.by(op, args["seen"], note=args["note"], photos=args["photos"], data={"fix": args["fix"]})
    return _take(session, op, entry, actor, now)


def attach(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`photo.attach` to a problem: later photos, evidence like those that came with a step."""
    entry = record.by(op, "photo", photos=op.args["photos"], data={"item": op.args["item"]})
    return _take(session, op, entry, actor, now)


def hear_of_photos(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `photo.attached`: later photos of a finding stand in the history of the problem that it raised or joined."""
    found = queries.of_finding(session, SYSTEM, data["ent_id"]) if data["ent_type"] == "finding" else None
    problem = record.survivor(session, found) if found else None
    if problem is None or problem.state == "deleted":
        return Effect()
    entry = record.Entry("photo", photos=data["photos"], data={"finding": data["ent_id"], "item": data["item"]},
                         op_id=data["op_id"], base=data["base"])  # fmt: skip
    record.write(session, problem, entry, actor, now)
    session.flush()
    return Effect(changes=[record.told(problem)])


def _take(session: Session, op: OpLike, entry: record.Entry, actor: Actor, now: datetime) -> Effect:
    named, is_itself = record.reach(session, actor, op.ent_id)
    problem = record.survivor(session, named)
    if problem.state == "deleted":
        raise Refused("target_deleted", f"{problem.number} has been deleted")
    before = problem.state
    step = rules.STEPS[before].get(entry.action)
    if step is not None:
        record.enter(session, problem, step, now)
    record.attach(session, problem, entry, op.blobs)
    record.write(session, problem, entry, actor, now, before)
    session.flush()
    effect = effect_of(problem, "applied" if is_itself and problem is named else "redirected")
    effect.events.append(record.stepped(problem, entry))
    return effect


def effect_of(problem: Problem, status: str, flags: tuple[str, ...] = (), **summary: Any) -> Effect:
    """The effect of an op on a problem; one that was redirected says where it went."""
    said = {"problem": problem.number, "area_path": problem.area_path, **summary}
    result = {"to": problem.id} if status == "redirected" else {}
    return Effect(status, flags, problem.ver, [record.told(problem)], summary=said, result=result)
