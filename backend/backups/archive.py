"""A backup on disk: a folder, or one tar file. Written beside its place and put there whole; opened the same
either way.

A backup that was killed while it was made leaves a hidden folder without a manifest, which nothing takes for
a backup and the next one sweeps away.
"""

import fcntl
import hashlib
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from backend.backups.manifest import DATABASE, LISTING, MANIFEST, PHOTOS, Manifest, read
from backend.errors import Problem

PREFIX, PART = "huyuan-", ".huyuan-part-"
_PHOTO = re.compile(rf"{PHOTOS}/([0-9a-f]{{2}})/(\1[0-9a-f]{{62}})")


@contextmanager
def building(parent: Path) -> Iterator[Path]:
    """A scratch folder in `parent` (0700), held while it is filled and gone afterwards; leavings of killed
    ones go too."""
    parent.mkdir(parents=True, exist_ok=True)
    with _held(parent, fcntl.LOCK_EX):
        for left in parent.glob(f"{PART}*"):
            _sweep(left)
        part = Path(tempfile.mkdtemp(prefix=PART, dir=parent))
        mine = os.open(part, os.O_RDONLY)
        fcntl.flock(mine, fcntl.LOCK_EX)
    try:
        yield part
    finally:
        os.close(mine)
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _held(folder: Path, how: int) -> Iterator[None]:
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, how)
        yield
    finally:
        os.close(opened)


def _sweep(part: Path) -> None:
    try:
        with _held(part, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(part)
    except BlockingIOError:
        return  # somebody is at work in there


def place(folder: Path, target: Path) -> None:
    """Put a finished folder at `target`: as it is, or as one tar file where the name ends with .tar. All or
    nothing.

    Raises Problem refused where something is there already.
    """
    if target.exists():
        raise Problem("refused", f"{target.name} is there already")
    made = folder
    if target.suffix == ".tar":
        made = folder.with_name(target.name)
        with tarfile.open(made, "w", format=tarfile.PAX_FORMAT) as tar:
            for path in [
                folder / MANIFEST,
                *sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST),
            ]:
                tar.add(path, path.relative_to(folder).as_posix())
        made.chmod(0o600)
    _sync(made)
    os.rename(made, target)
    sync_folder(target.parent)


def _sync(made: Path) -> None:
    """Every byte and every name on disk before the backup gets its own name."""
    for path in [made] if made.is_file() else [p for p in made.rglob("*") if p.is_file()]:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    for folder in [] if made.is_file() else [made, *(p for p in made.rglob("*") if p.is_dir())]:
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """The names in a folder survive a loss of power."""
    with open_folder(folder) as opened:
        os.fsync(opened)


@contextmanager
def open_folder(folder: Path) -> Iterator[int]:
    """A folder's file descriptor."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        yield opened
    finally:
        os.close(opened)


class Backup:
    """An opened backup. `folder` holds manifest, database and listing; photos are read one after the
    other."""

    def __init__(self, folder: Path, tar: Path | None = None) -> None:
        self.folder, self._tar = folder, tar
        try:
            self.manifest: Manifest = read((folder / MANIFEST).read_text(encoding="utf-8"))
        except (FileNotFoundError, UnicodeDecodeError) as fault:
            raise Problem("invalid", f"no backup: {MANIFEST} is missing or unreadable") from fault

    @property
    def database(self) -> Path:
        """The record's SQLite file. Read only: it is hashed."""
        return self.folder / DATABASE

    def sha256(self) -> str:
        """SHA-256 of the manifest: the name of this very backup, since the manifest holds the hashes of all
        parts."""
        return hashlib.sha256((self.folder / MANIFEST).read_bytes()).hexdigest()

    def listed(self) -> Iterator[dict[str, Any]]:
        """{sha256, size, state} of every photo that the record calls present, in order of the hash."""
        with open(self.folder / LISTING, "rb") as file:
            for line in file:
                yield orjson.loads(line)

    def photos(self) -> Iterator[tuple[str, IO[bytes]]]:
        """(name, bytes) of the photos inside, in order of the hash; none where they were left out."""
        return self._tar_photos() if self._tar else self._folder_photos()

    def _folder_photos(self) -> Iterator[tuple[str, IO[bytes]]]:
        for path in sorted((self.folder / PHOTOS).glob("??/*")):
            with open(path, "rb") as file:
                yield path.name, file

    def _tar_photos(self) -> Iterator[tuple[str, IO[bytes]]]:
        assert self._tar is not None
        with tarfile.open(self._tar, "r|") as tar:
            for member in tar:
                name, file = (
                    _PHOTO.fullmatch(member.name),
                    tar.extractfile(member) if member.isfile() else None,
                )
                if name and file:
                    yield name.group(2), file


@contextmanager
def opened(path: Path) -> Iterator[Backup]:
    """Open a backup. Raises Problem not_found or invalid; what it says is not proven yet (proof.py does)."""
    if path.is_dir():
        yield Backup(path)
        return
    if not path.is_file():
        raise Problem("not_found", f"no backup at {path.name}")
    with tempfile.TemporaryDirectory(prefix="huyuan-") as scratch:
        _unpack(path, Path(scratch))
        yield Backup(Path(scratch), path)


def _unpack(path: Path, folder: Path) -> None:
    """Manifest, database and listing out of a tar; by name, so that nothing is ever written elsewhere."""
    try:
        with tarfile.open(path, "r|") as tar:
            for member in tar:
                if member.name in (MANIFEST, DATABASE, LISTING) and member.isfile():
                    source = tar.extractfile(member)
                    assert source is not None
                    with open(folder / member.name, "wb") as target:
                        shutil.copyfileobj(source, target)
    except (tarfile.TarError, EOFError, OSError) as fault:
        raise Problem("invalid", f"{path.name} is no whole archive: {fault}") from fault


def siblings(parent: Path) -> list[Path]:
    """Finished backup folders and tars in `parent`, oldest first by name."""
    found = [p for p in parent.glob(f"{PREFIX}*") if p.suffix == ".tar" or (p / MANIFEST).is_file()]
    return sorted(found, key=lambda p: p.name)
