"""Proving a backup: it is opened, hashed, put up as a server's database in a scratch folder and examined
there."""

import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.backups import archive, ground, schema, snapshots, verify
from backend.backups.archive import Backup
from backend.backups.manifest import part_of
from backend.backups.pictures import digest
from backend.backups.tally import Finding, Tally, told
from backend.errors import Problem
from backend.ledgers.views import today


def prove(path: Path) -> dict[str, Any]:
    """{ok, broken, checks, backup, sha256, seconds} of the backup at `path`; nothing is changed, not even
    beside it.

    Raises Problem not_found or invalid where there is none, or one of a newer program.
    """
    started = time.monotonic()
    with archive.opened(path) as backup:
        refuse_newer(backup)
        checks = {"parts": told(lambda tally: _parts(backup, tally))}
        if checks["parts"]["ok"]:
            checks["photos"] = told(lambda tally: _photos(backup, tally))
            with tempfile.TemporaryDirectory(prefix="huyuan-") as folder:
                checks |= _record(backup, Path(folder))
        broken = [name for name, check in checks.items() if not check["ok"]]
        what = {"backup": backup.manifest.told(), "sha256": backup.sha256(), "checks": checks}
        return {"ok": not broken, "broken": broken, **what, "seconds": round(time.monotonic() - started, 1)}


def refuse_newer(backup: Backup) -> None:
    """Raises Problem invalid where the backup's schema is of a newer program than this."""
    step, program = backup.manifest.schema, backup.manifest.program
    if not schema.is_known(step):
        raise Problem("invalid", f"the backup's schema ({step}) is newer than this program; it was made by {program}")


def _parts(backup: Backup, tally: Tally) -> Iterator[Finding]:
    """The files are those of the manifest, and the manifest speaks of this database."""
    for part in backup.manifest.parts:
        path = backup.folder / part["name"]
        tally.rows += 1
        if not path.is_file():
            yield part["name"], "is missing"
        elif (found := part_of(path)) != part:
            yield part["name"], f"has {found['bytes']} bytes of {part['bytes']}, or its hash does not match"
    if tally.rows < 2:
        yield "manifest.json", "names no database"


def _photos(backup: Backup, tally: Tally) -> Iterator[Finding]:
    """Photos in the backup: each hashes to its name, and none that is listed is missing (but those that were
    lacking)."""
    try:
        yield from _each_photo(backup, tally)
    except (tarfile.TarError, EOFError, OSError) as fault:
        yield "archive", f"cannot be read to its end: {fault}"


def _each_photo(backup: Backup, tally: Tally) -> Iterator[Finding]:
    wanted = backup.listed() if backup.manifest.photos["included"] else iter(())
    lacking, left = 0, next(wanted, None)
    for name, file in backup.photos():
        while left is not None and left["sha256"] < name:
            lacking, left = lacking + 1, next(wanted, None)
        if left is not None and left["sha256"] == name:
            left = next(wanted, None)
        tally.rows += 1
        if digest(file) != name:
            yield f"photo {name}", "does not hash to its name"
    lacking += sum(1 for _ in wanted) + (left is not None)
    known = backup.manifest.photos["lacking"]
    if lacking > known:
        yield (
            "photos",
            f"{lacking} of those listed are not in the backup, {known} were lacking when it was made",
        )


def _record(backup: Backup, folder: Path) -> dict[str, Any]:
    """What the database holds, on a copy that is brought up to this program's schema."""
    copied = folder / "huyuan.db"
    shutil.copyfile(backup.database, copied)
    moment = told(lambda _: _moment(backup))
    if not moment["ok"]:
        return {"moment": moment}
    schema.upgrade(snapshots.sqlite_url(copied))
    with ground.over(ground.scratch(folder, copied)):
        return {"moment": moment, **verify.record_of(today(), None)["checks"]}


def _moment(backup: Backup) -> Iterator[Finding]:
    with snapshots.reading(backup.database) as connection:
        step, found = schema.revision_of(connection), snapshots.moment_of(connection)
    if (step, found) != (backup.manifest.schema, backup.manifest.moment):
        yield "manifest.json", "speaks of another moment than the database stands at"
