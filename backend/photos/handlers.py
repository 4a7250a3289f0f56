"""References to photos, and their arrival. Bytes are store.py's; what a picture proves is nobody's here."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import SYSTEM, Actor
from backend.effects import Effect, Event, OpLike
from backend.photos import queries
from backend.photos.models import Photo, PhotoRef


def refer(session: Session, refs: Sequence[Mapping[str, Any]]) -> int:
    """Note that entities refer to photos; returns how many of those photos are not here yet."""
    shas = {ref["sha256"]: ref for ref in refs}
    for sha, ref in shas.items():
        new = {"sha256": sha, "size": ref.get("size"), "mime": ref.get("mime"), "state": "awaiting"}
        rows.add(session, Photo, new, "DO NOTHING")
    for ref in refs:
        row = {k: ref[k] for k in ("sha256", "ent_type", "ent_id", "item", "op_id", "area_path")}
        rows.add(session, PhotoRef, row, "DO NOTHING")
    return len(missing_of(session, list(shas)))


def missing_of(session: Session, shas: Sequence[str]) -> set[str]:
    """Those of these photos whose bytes are not here yet."""
    read = {sha: partial(queries.state_of, session, SYSTEM, sha) for sha in shas}
    found = {sha: rows.kept(session, Photo, sha, read[sha]) for sha in shas}
    return {sha for sha, photo in found.items() if photo is None or photo["state"] not in queries.HERE}


def prepare(session: Session, ops: Sequence[OpLike]) -> None:
    """What is known of the photos that these ops name, read in one go (the push has locked their names)."""
    shas = {str(blob["sha256"]) for op in ops for blob in op.blobs}
    if shas:
        rows.keep(session, Photo, dict.fromkeys(shas) | queries.states_of(session, SYSTEM, sorted(shas)))


def settle(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `finding.located` and `finding.relocated`: who may see a loose finding's photos follows where it lies.

    (Those of a checklist lie at its site from the start.)
    """
    if data.get("photos", True) and not data["tag"]["site_id"]:
        lie(session, "finding", data["finding_id"], data["tag"]["area_path"])
    return Effect()


def lie(session: Session, ent_type: str, ent_id: str, area_path: str) -> None:
    """An entity lies elsewhere now: its photos are seen by whoever sees that place."""
    of_it = (PhotoRef.ent_type == ent_type, PhotoRef.ent_id == ent_id)
    session.execute(update(PhotoRef).where(*of_it).values(area_path=area_path))


def receive(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`photo.receive`: the bytes are whole and hash to their name. A broken picture is kept too, named so."""
    known = queries.state_of(session, SYSTEM, op.ent_id)
    if known is not None and known["state"] in queries.HERE:
        return Effect(status="noop")
    facts = {**op.args, "state": "corrupt" if op.args["fault"] else "verified", "received_at": now}
    if known is None:
        rows.add(session, Photo, {"sha256": op.ent_id, **facts})
    else:
        rows.change(session, Photo, {"sha256": op.ent_id}, facts)
    event = Event("photo.verified", {"sha256": op.ent_id, "exif": op.args["exif"], "fault": op.args["fault"]})
    return Effect(events=[event], summary={"photo": op.ent_id, "fault": op.args["fault"]})


def lose(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`photo.lose`: the bytes of these photos are not on disk (a restore without them): they are awaited again."""
    lost = sorted(queries.verified(session, SYSTEM, op.args["photos"]))
    if not lost:
        return Effect(status="noop")
    values = {"state": "awaiting", "received_at": None, "derived_at": None}
    session.execute(update(Photo).where(Photo.sha256.in_(lost)).values(**values))
    session.expire_all()
    events = {(e.data["ent_type"], e.data["ent_id"]): e for sha in lost for e in _tell_owners(session, sha)}
    return Effect(events=[events[owner] for owner in sorted(events)], summary={"lost": len(lost)})


def tell(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `photo.verified`: whatever waited for this photo hears how many it still waits for."""
    return Effect(events=_tell_owners(session, data["sha256"]))


def _tell_owners(session: Session, sha256: str) -> list[Event]:
    owners = sorted({(kind, ent) for kind, ent, _ in queries.refs_of(session, SYSTEM, sha256)})
    return [
        Event(
            "evidence.changed",
            {"ent_type": kind, "ent_id": ent, "missing": queries.missing(session, SYSTEM, kind, ent)},
        )
        for kind, ent in owners
    ]
