"""Making a backup: one moment of the record, the list of its photos, the photos themselves where wanted. No
proof here."""

import os
import secrets
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from backend import __version__
from backend.backups import archive, schema, snapshots, tables
from backend.backups.manifest import DATABASE, LISTING, MANIFEST, PHOTOS, Manifest, part_of
from backend.config import Config
from backend.errors import Problem
from backend.photos.store import PhotoStore

LACKING_NAMED = 20


def make(config: Config, out: Path, with_photos: bool, now: datetime) -> Path:
    """A new backup in the folder `out`, or as the tar file `out` (a name that ends with .tar); returns where
    it is.

    The server goes on working. The database is read first and the photos after it: photos are never changed
    and never removed, so all that the record names are there. Raises Problem, OSError (disk full); then
    nothing is left behind.
    """
    name = f"{archive.PREFIX}{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    target = out if out.suffix == ".tar" else out / name
    with archive.building(target.parent) as scratch:
        folder = scratch / name
        folder.mkdir(mode=0o700)
        snapshots.take(config, folder / DATABASE)
        photos = _photos(config, folder, target.parent, with_photos)
        manifest = _describe(config, folder, name, photos, now)
        (folder / MANIFEST).write_text(manifest.text(), encoding="utf-8")
        for path in folder.rglob("*"):
            if not path.is_dir() and PHOTOS not in path.relative_to(folder).parts:
                path.chmod(0o600)
        archive.place(folder, target)
    return target


def _describe(config: Config, folder: Path, name: str, photos: dict[str, Any], now: datetime) -> Manifest:
    with snapshots.reading(folder / DATABASE) as connection:
        step = schema.revision_of(connection)
        if step is None:
            raise Problem("invalid", "the database has no schema yet; run `python -m backend migrate`")
        moment, sums = snapshots.moment_of(connection), tables.sums(connection)
    parts = tuple(part_of(folder / part) for part in (DATABASE, LISTING))
    made_on = "sqlite" if config.is_sqlite else "postgresql"
    return Manifest(name, now, __version__, made_on, step, moment, sums, tables.state_hash(sums), parts, photos)


def _photos(config: Config, folder: Path, parent: Path, is_wanted: bool) -> dict[str, Any]:
    """Write the listing and, where wanted, the photos; what the record names but the disk lacks is said."""
    store, earlier = PhotoStore(config.photos), _earlier(parent)
    facts: dict[str, Any] = {
        "listed": 0,
        "bytes": 0,
        "included": is_wanted,
        "lacking": 0,
        "lacking_first": [],
    }
    with open(folder / LISTING, "wb") as listing, closing(sqlite3.connect(folder / DATABASE)) as raw:
        rows = raw.execute(
            "SELECT sha256, size, state FROM photos WHERE state IN ('verified', 'corrupt') ORDER BY sha256"
        )
        for sha256, size, state in rows:
            listing.write(orjson.dumps({"sha256": sha256, "size": size, "state": state}) + b"\n")
            facts["listed"] += 1
            if not store.path(sha256).is_file():
                facts["lacking"] += 1
                facts["lacking_first"] += [sha256] if facts["lacking"] <= LACKING_NAMED else []
                continue
            facts["bytes"] += store.size_of(sha256)
            if is_wanted:
                _bring(store.path(sha256), folder / PHOTOS / sha256[:2] / sha256, earlier)
    return facts


def _earlier(parent: Path) -> Path | None:
    """The newest backup beside this one that holds photos."""
    found = [path / PHOTOS for path in archive.siblings(parent) if (path / PHOTOS).is_dir()]
    return found[-1] if found else None


def _bring(source: Path, target: Path, earlier: Path | None) -> None:
    """A photo into the backup: a second name of the same bytes on this disk or of an earlier backup's, else
    a copy."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for known in (source, *([earlier / source.parent.name / source.name] if earlier else [])):
        try:
            os.link(known, target)
        except OSError:
            continue  # another disk, a file system without links, or not there: the bytes are copied instead
        return
    shutil.copyfile(source, target)
