"""Edits of a problem's fields, three-way by what their author saw, and the settling of what they put aside (P71, P72).

Which fields, by whom and with which policy stands in fields.py. State, chain and place are never edited here.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import ValidationError
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import SYSTEM, Actor
from backend.effects import Effect, OpLike
from backend.errors import Invalid, Refused
from backend.problems import fields, queries, record, rules, schemas
from backend.problems.facts import effect_of
from backend.problems.models import Conflict, Problem
from sync_protocol import lineage
from sync_protocol import merge as protocol


def edit(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`problem.edit`: set fields whose former values the author names; whatever cannot stand is kept beside it.

    Refuses target_missing, target_deleted, forbidden (a field that this role may not edit).
    """
    changes = op.args["set"]
    named, is_itself = record.reach(session, actor, op.ent_id)
    problem = record.survivor(session, named)
    if problem.state == "deleted":
        raise Refused("target_deleted", f"{problem.number} has been deleted")
    refused = fields.forbidden(changes, actor.role)
    if refused:
        raise Refused("forbidden", f"{actor.role} may not edit {', '.join(refused)}")
    if not is_itself or problem is not named:
        return _beside(session, op, problem, actor, now)
    known = record.had(session, problem, op.base)
    foreign = _foreign(session, problem, known)
    merged = protocol.merge(json_of(problem), changes, fields.POLICIES)
    flags = fields.flags(merged.conflicts, bool(foreign), lineage.is_interrupted(foreign, known), bool(merged.apply))
    status = "applied" if merged.apply or merged.conflicts else "noop"
    _set(session, problem, op, merged.apply, actor, now, status)
    for conflict in merged.conflicts:
        _keep(session, problem, conflict, op, actor, now)
    session.flush()
    return effect_of(problem, status, flags, fields=sorted(merged.apply))


def resolve(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`conflict.resolve`: a supervisor says what stands, having seen what stands now (`was`).

    Settled already → noop where the same, else superseded. Refuses conflict where the field has changed meanwhile.
    """
    found = queries.conflict(session, actor, op.ent_id)
    problem = queries.hold(session, actor, found.ent_id) if found else None
    if found is None or problem is None:
        raise Refused("target_missing", "no such conflict within your territory")
    if actor.role not in fields.EDITABLE[found.field].who:
        raise Refused("forbidden", f"{actor.role} may not edit {found.field}")
    found = queries.hold_conflict(session, found.id)
    now_there, wanted = json_of(problem)[found.field], _wanted(found.field, op.args["now"])
    if found.resolved_at is not None:
        status = "noop" if protocol.same(now_there, wanted) else "superseded"
        return Effect(status, ver=problem.ver, summary={"conflict": found.id, "area_path": problem.area_path})
    if not protocol.same(now_there, schemas.ordered(found.field, op.args["was"])):
        raise Refused("conflict", f"{found.field} has changed since: {_text(now_there)}")
    apply = {} if protocol.same(now_there, wanted) else {found.field: wanted}
    _set(session, problem, op, apply, actor, now, "applied", {"conflict": found.id})
    found.resolved_by, found.resolved_at = actor.id, now
    session.flush()
    return effect_of(problem, "applied", conflict=found.id, fields=sorted(apply))


def _wanted(field: str, given: Any) -> Any:
    try:
        return schemas.value(field, given)
    except ValidationError as fault:
        raise Invalid(errors=[{"pointer": "/now", "code": "invalid", "detail": str(fault.messages)}]) from fault


def json_of(problem: Problem) -> dict[str, Any]:
    """The editable fields as JSON has them."""
    plain = {name: getattr(problem, name) for name in fields.EDITABLE}
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in plain.items()}


def _foreign(session: Session, problem: Problem, known: lineage.Seen) -> list[lineage.Version]:
    """Steps and edits of others that the author of an edit is known not to have seen; facts do not count (P70)."""
    lines = queries.lines(session, SYSTEM, problem.id)
    made = [v for v, action, status in lines if action not in rules.FACTS and status in ("applied", "proposed")]
    return lineage.foreign(made, known)


def _set(session: Session, problem: Problem, op: OpLike, apply: Mapping[str, Any], actor: Actor, now: datetime,
         status: str, more: Mapping[str, Any] | None = None) -> None:  # fmt: skip
    """Write the fields, and the line of history that says from what to what."""
    before = json_of(problem)
    for name, value in apply.items():
        setattr(problem, name, schemas.loaded(name, value))
    if "due_on" in apply:
        problem.deadline_reason = {"set_by": actor.id, "op": op.id, "before": problem.deadline_reason}
        if problem.clock == "fix":
            record.run(problem, now)
    data = {
        "set": {name: {"from": before[name], "to": value} for name, value in apply.items()},
        **(more or {}),
    }
    action = "resolve" if more else "edit"
    record.write(session, problem, record.by(op, action, note=op.args["note"], status=status, data=data), actor, now)


def _keep(
    session: Session, problem: Problem, conflict: protocol.Conflict, op: OpLike, actor: Actor, now: datetime
) -> None:
    """A conflict for people to settle; a text that was put aside is a note as well, so that nobody can miss it."""
    key = f"{op.id}:{conflict.field}"
    rows.add(session, Conflict, {
        "id": key, "op_id": op.id, "actor_id": actor.id, "ent_type": "problem", "ent_id": problem.id,
        "area_path": problem.area_path, "field": conflict.field, "base": conflict.was, "theirs": conflict.theirs,
        "mine": conflict.mine, "kept": conflict.kept, "policy": conflict.policy, "is_joined": conflict.is_joined,
        "at": now, "resolved_by": None, "resolved_at": None,
    })  # fmt: skip
    lost = fields.overridden(conflict)
    if fields.EDITABLE[conflict.field].kind == "text" and lost:
        entry = record.by(op, "unmerged_edit", note=_text(lost), data={"field": conflict.field, "conflict": key})
        record.write(session, problem, entry, actor, now)


def _beside(session: Session, op: OpLike, problem: Problem, actor: Actor, now: datetime) -> Effect:
    """An edit of a problem that has become another one: its author never saw that one's fields, so all is kept beside."""
    for name, change in sorted(op.args["set"].items()):
        data = {"field": name, "named": op.ent_id, "was": change["was"]}
        entry = record.by(op, "unmerged_edit", note=_text(change["now"]), status="redirected", data=data)
        record.write(session, problem, entry, actor, now)
    session.flush()
    return effect_of(problem, "redirected")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
