"""Photos after a restore: those of the backup into the store, and the record squared with what is on disk.
No bytes are lost.

What the record calls present and the disk lacks is `awaiting` again, so that the devices are asked for it
and no ledger says that evidence is there which nobody can see. What is on disk and the record does not know
(it came after the backup) is received as if it had just been sent, so that no phone sends it twice.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, visible
from backend.backups.archive import Backup
from backend.database import snapshot, transaction
from backend.errors import Problem
from backend.ops import jobs
from backend.ops.apply import submit
from backend.photos import pipeline
from backend.photos import queries as photos
from backend.photos.models import Photo
from backend.photos.store import PhotoStore

LOT = 500


def store() -> PhotoStore:
    """The photo store of the server under restore."""
    found: PhotoStore = current_app.extensions["photo_store"]
    return found


def take_in(backup: Backup) -> dict[str, int]:
    """Photos of the backup that are not in the store yet; each is hashed on its way in. Raises Problem
    invalid, OSError."""
    count = 0
    for sha256, file in backup.photos():
        if store().size_of(sha256):
            continue
        name = f"restore-{sha256}"
        at = 0
        while block := file.read(1 << 18):
            store().append(name, at, block)
            at += len(block)
        store().sync(name)
        if not store().finish(name, sha256):
            raise Problem("invalid", f"photo {sha256} of the backup does not hash to its name")
        count += 1
    return {"brought": count}


def square(now: datetime) -> dict[str, int]:
    """Make the record say what is on disk: {lost, found, to_derive}. Each change is an op."""
    lost, derive = [], []
    for lot in _lots():
        lost += [sha for sha, _ in lot if not store().size_of(sha) and not store().path(sha).exists()]
        derive += [sha for sha, state in lot if state == "verified" and not store().derived(sha).exists()]
    for n in range(0, len(lost), LOT):
        submit("photo.lose", {"photos": lost[n : n + LOT]}, SYSTEM, now, ent=("photos", "lost"))
    there = set(lost)
    _derive_again([sha for sha in derive if sha not in there], now)
    return {"lost": len(lost), "found": _receive_unknown(now), "to_derive": len(set(derive) - there)}


def _lots() -> Iterator[list[tuple[str, str]]]:
    """(hash, state) of all photos that the record calls present, a lot at a time."""
    last = ""
    while True:
        with snapshot() as session:
            lot = _after(session, last)
        if not lot:
            return
        yield lot
        last = lot[-1][0]


def _after(session: Session, last: str) -> list[tuple[str, str]]:
    rows = visible(Photo, SYSTEM).with_only_columns(Photo.sha256, Photo.state)
    rows = rows.where(Photo.state.in_(photos.HERE), Photo.sha256 > last).order_by(Photo.sha256).limit(LOT)
    return [(row.sha256, row.state) for row in session.execute(rows)]


def _derive_again(shas: Sequence[str], now: datetime) -> None:
    """Derivatives are in no backup: they are made again, in the background."""
    for n in range(0, len(shas), LOT):
        with transaction() as session:
            for sha in shas[n : n + LOT]:
                jobs.enqueue(session, "photo.derive", f"photo.derive:{sha}", {"sha256": sha, "fault": None}, now)


def _receive_unknown(now: datetime) -> int:
    count = 0
    for path in sorted(store().folder.glob("??/*")):
        if _is_photo(path) and not _is_known(path.name) and store().hash_of(path) == path.name:
            submit("photo.receive", pipeline.look(path), SYSTEM, now, ent=("photo", path.name))
            count += 1
    return count


def _is_photo(path: Path) -> bool:
    return len(path.name) == 64 and path.name.startswith(path.parent.name) and path.is_file()


def _is_known(sha256: str) -> bool:
    with snapshot() as session:
        known: Any = photos.get(session, sha256)
        return known is not None and known.state in photos.HERE
