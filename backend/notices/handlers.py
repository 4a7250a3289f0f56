"""What an event leaves to be told (reactions), and who subscribes or is written to (ops). Nobody is told here: fanout.py."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import Actor
from backend.database import to_ms
from backend.effects import Effect
from backend.notices import rules
from backend.notices.models import NoticeFact
from sync_protocol.identity import uuid7


def _note(
    session: Session, kind: str, ent: tuple[str, str], actor: Actor, now: datetime, area_path: str = "", **data: Any
) -> Effect:
    """One row beside the change, in its transaction: many of them are written as one statement."""
    rows.add(session, NoticeFact, {
        "id": uuid7(to_ms(now), os.urandom(10)), "kind": kind, "ent_type": ent[0], "ent_id": ent[1], "area_path": area_path,
        "by_id": actor.id, "at": now, "data": data,
    })  # fmt: skip
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


def of_parked(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `op.parked`: its author, and who may repair it; all ops of one author are one line of an inbox."""
    return _note(
        session, "op.parked", ("person", data["author_id"]), actor, now, data["area_path"], reason=data["reason"]
    )
