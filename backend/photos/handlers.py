"""References to photos, and their arrival. Bytes are store.py's; what a picture proves is nobody's here."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor
from backend.effects import Effect, Event, OpLike
from backend.photos import queries
from backend.photos.models import Photo, PhotoRef


def refer(session: Session, refs: Sequence[Mapping[str, Any]]) -> int:
    """Note that entities refer to photos; returns how many of those photos are not here yet."""
    if not refs:
        return 0
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    photos = {
        r["sha256"]: {
            "sha256": r["sha256"],
            "size": r.get("size"),
            "mime": r.get("mime"),
            "state": "awaiting",
        }
        for r in refs
    }
    session.execute(dialect.insert(Photo).on_conflict_do_nothing(), list(photos.values()))
    rows = [{k: r[k] for k in ("sha256", "ent_type", "ent_id", "item", "op_id", "area_path")} for r in refs]
    session.execute(dialect.insert(PhotoRef).on_conflict_do_nothing(), rows)
    return len(set(photos) - queries.verified(session, SYSTEM, list(photos)))


def attach(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`photo.attach`: later photos for an inspection, finding or problem."""
    about = {"ent_type": op.ent_type, "ent_id": op.ent_id, "item": op.args["item"], "op_id": op.id}
    area = next(iter(actor.areas), "")
    refs = [{"sha256": sha, **about, "area_path": area} for sha in op.args["photos"]]
    refer(session, refs)
    event = Event(
        "evidence.changed",
        {
            "ent_type": op.ent_type,
            "ent_id": op.ent_id,
            "missing": queries.missing(session, SYSTEM, op.ent_type, op.ent_id),
        },
    )
    return Effect(events=[event], summary={"photos": len(refs)})


def receive(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`photo.receive`: the bytes are whole and hash to their name. A broken picture is kept too, named so."""
    known = queries.get(session, op.ent_id)
    if known is not None and known.state in queries.HERE:
        return Effect(status="noop")
    facts = {**op.args, "state": "corrupt" if op.args["fault"] else "verified", "received_at": now}
    if known is None:
        session.execute(insert(Photo).values(sha256=op.ent_id, **facts))
    else:
        session.execute(update(Photo).where(Photo.sha256 == op.ent_id).values(**facts))
    session.expire_all()
    event = Event("photo.verified", {"sha256": op.ent_id, "exif": op.args["exif"], "fault": op.args["fault"]})
    return Effect(events=[event], summary={"photo": op.ent_id, "fault": op.args["fault"]})


def tell(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `photo.verified`: whatever waited for this photo hears how many it still waits for."""
    owners = sorted({(kind, ent) for kind, ent, _ in queries.refs_of(session, SYSTEM, data["sha256"])})
    events = [
        Event(
            "evidence.changed",
            {"ent_type": kind, "ent_id": ent, "missing": queries.missing(session, SYSTEM, kind, ent)},
        )
        for kind, ent in owners
    ]
    return Effect(events=events)
