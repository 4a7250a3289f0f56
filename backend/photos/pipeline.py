"""What is made of a photo once it is here: what it is, and (as a job) its derivatives.

Never what it proves, never its bytes on the way.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from flask import current_app
from sqlalchemy import update

from backend import imaging
from backend.database import transaction
from backend.faults import passing
from backend.photos.models import Photo
from backend.photos.store import PhotoStore

# Decoding takes up to 300 MB (100 megapixels): only so many at once, however many phones finish together.
_looking = BoundedSemaphore(2)


SCRATCH = "making-"
SCRATCH_AGE_S = 3600


def sweep_scratch(now_s: float) -> int:
    """Remove half-made derivatives that a killed worker left, older than an hour; how many. They are made anew."""
    left = [p for p in store().folder.glob(f"*/{SCRATCH}*") if now_s - p.stat().st_mtime > SCRATCH_AGE_S]
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    return len(left)


def store() -> PhotoStore:
    """The photo store of the current app."""
    found: PhotoStore = current_app.extensions["photo_store"]
    return found


def look(path: Path) -> dict[str, Any]:
    """What `photo.receive` says of a file: size, type, EXIF, or the fault that makes it no usable picture."""
    facts: dict[str, Any] = {
        "size": path.stat().st_size,
        "mime": None,
        "width": None,
        "height": None,
        "exif": None,
        "fault": None,
    }
    try:
        with _looking:
            seen = imaging.probe(path)
    except imaging.BadImage as bad:
        return {**facts, "fault": bad.code}
    mime = {"MPO": "image/jpeg", "HEIF": "image/heic"}.get(seen.format, f"image/{seen.format.lower()}")
    return {
        **facts,
        "mime": mime,
        "width": seen.width,
        "height": seen.height,
        "exif": imaging.read_exif(path).as_dict(),
    }


def _put_in_place(folder: Path, target: Path) -> None:
    """One rename. Where another worker was faster (a lease ran out), its derivatives are as good."""
    try:
        os.replace(folder, target)
    except OSError:
        if not target.exists():
            raise


def derive(payload: Mapping[str, Any], now: datetime) -> None:
    """Job `photo.derive`: 1280 and 320 px beside the original, put in place by one rename."""
    sha256 = payload["sha256"]
    if payload.get("fault"):
        return
    target = store().derived(sha256)
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=SCRATCH) as scratch:
            folder = Path(scratch) / "d"
            folder.mkdir()
            imaging.derivatives(store().path(sha256), folder)
            passing("derive.made")
            _put_in_place(folder, target)
            passing("derive.renamed")
    with transaction() as session:
        session.execute(update(Photo).where(Photo.sha256 == sha256).values(derived_at=now))
