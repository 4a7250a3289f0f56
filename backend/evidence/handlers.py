"""Photos that are added later: only to what the actor sees or did, and seen by whoever sees that. Never what they show."""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor
from backend.effects import Effect, Event, OpLike
from backend.errors import Refused
from backend.geotags import queries as geotags
from backend.inspections import queries as inspections
from backend.photos import queries as photos
from backend.photos.handlers import refer
from backend.problems import facts


def attach(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`photo.attach`: later photos for an inspection, finding or problem.

    Refuses target_missing where there is none that the actor sees or did themselves.
    """
    if op.ent_type == "problem":
        return facts.attach(session, op, actor, now)
    area_of = AREA_OF.get(op.ent_type)
    path = area_of(session, actor, op.ent_id) if area_of else None
    if path is None:
        raise Refused("target_missing", f"no such {op.ent_type[:40]} within your territory")
    about = {"ent_type": op.ent_type, "ent_id": op.ent_id, "item": op.args["item"], "op_id": op.id}
    refer(session, [{"sha256": sha, **about, "area_path": path} for sha in op.args["photos"]])
    missing = photos.missing(session, SYSTEM, op.ent_type, op.ent_id)
    changed = Event("evidence.changed", {"ent_type": op.ent_type, "ent_id": op.ent_id, "missing": missing})
    attached = Event("photo.attached", {**about, "photos": op.args["photos"], "base": op.base})
    return Effect(events=[changed, attached], summary={"photos": len(op.args["photos"]), "area_path": path})


def _of_inspection(session: Session, actor: Actor, name: str) -> str | None:
    found = inspections.get(session, SYSTEM, name)
    is_theirs = found is not None and (found.inspector_id == actor.id or inspections.get(session, actor, name))
    return found.area_path if found and is_theirs else None


def _of_finding(session: Session, actor: Actor, name: str) -> str | None:
    """One that has no place yet lies in nobody's territory: whoever knows its id may add what places it."""
    found = geotags.of_finding(session, actor, name)
    waiting = [] if found else geotags.unplaced(session, SYSTEM, [name])
    tag = found or (waiting[0] if waiting else None)
    return tag.area_path if tag else None


AREA_OF: Mapping[str, Callable[[Session, Actor, str], str | None]] = {
    "inspection": _of_inspection, "finding": _of_finding,
}  # fmt: skip
