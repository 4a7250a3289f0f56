"""Proof about photos: what the record calls present is on disk, whole, and hashes to its name. Reads only."""

import hashlib
from collections.abc import Iterator
from typing import IO

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, visible
from backend.backups.tally import Finding, Tally
from backend.photos.models import Photo
from backend.photos.queries import HERE
from backend.photos.store import BLOCK, PhotoStore


def digest(file: IO[bytes]) -> str:
    """SHA-256 of an open file or a member of an archive, read in blocks."""
    found = hashlib.sha256()
    while block := file.read(BLOCK):
        found.update(block)
    return found.hexdigest()


def files(session: Session, tally: Tally, store: PhotoStore) -> Iterator[Finding]:
    """Every photo, read in blocks. A photo whose bytes are gone is asked of the devices again (P30)."""
    rows = visible(Photo, SYSTEM).with_only_columns(Photo.sha256, Photo.size).where(Photo.state.in_(HERE))
    tally.more["bytes"] = 0
    for row in session.execute(rows.order_by(Photo.sha256).execution_options(yield_per=1000)):
        tally.rows += 1
        path = store.path(row.sha256)
        try:
            size, found = path.stat().st_size, store.hash_of(path)
        except OSError as fault:
            yield f"photo {row.sha256}", f"cannot be read: {fault.strerror or type(fault).__name__}"
            continue
        tally.more["bytes"] += size
        if found != row.sha256:
            yield f"photo {row.sha256}", f"its {size} bytes hash to {found}"
        elif size != row.size:
            yield f"photo {row.sha256}", f"has {size} bytes, the record says {row.size}"
