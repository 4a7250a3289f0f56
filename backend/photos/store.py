"""Photo bytes on disk: uploads under way, finished files named by their SHA-256. Never a database here."""

import hashlib
import os
import shutil
from pathlib import Path

from backend.faults import passing

BLOCK = 1 << 16  # a line that breaks costs its phone at most this much again


class PhotoStore:
    """One folder: `incoming/<upload id>`, `ab/abcdef…` (finished, written once), `ab/abcdef….d/1280.jpg`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.incoming = folder / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where a finished photo is, or will be."""
        return self.folder / sha256[:2] / sha256

    def derived(self, sha256: str) -> Path:
        """Folder of a photo's derivatives."""
        return self.folder / sha256[:2] / f"{sha256}.d"

    def append(self, upload_id: str, offset: int, block: bytes) -> None:
        """Write `block` at `offset`. Nothing is ever cut off: a writer that is late must not shorten the file
        under a newer one, and what lies behind is written over. Raises OSError (disk full)."""
        with open(self.incoming / upload_id, "r+b", opener=_or_new) as file:
            file.seek(offset)
            file.write(block)

    def sync(self, upload_id: str) -> None:
        """Bytes reach the disk before the offset moves (never the reverse)."""
        path = self.incoming / upload_id
        if path.exists():
            with open(path, "r+b") as file:
                os.fsync(file.fileno())

    def drop(self, upload_id: str) -> None:
        """Forget what arrived of an upload."""
        (self.incoming / upload_id).unlink(missing_ok=True)

    def under_way(self, before_s: float) -> list[str]:
        """Uploads whose file was last written before that (seconds since 1970), oldest name first."""
        with os.scandir(self.incoming) as files:
            return sorted(file.name for file in files if file.stat().st_mtime < before_s)

    def size(self, upload_id: str) -> int:
        """Bytes of an upload on disk."""
        path = self.incoming / upload_id
        return path.stat().st_size if path.exists() else 0

    def size_of(self, sha256: str) -> int:
        """Bytes of a finished photo on disk; 0 where it is not here."""
        path = self.path(sha256)
        return path.stat().st_size if path.exists() else 0

    def hash_of(self, path: Path) -> str:
        """SHA-256 of a file, read in blocks."""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def finish(self, upload_id: str, sha256: str) -> bool:
        """Move a whole upload to its name if it hashes to it; else start it again from nothing.

        Idempotent, and at once from several requests: whoever comes second finds it done.
        """
        source, target = self.incoming / upload_id, self.path(sha256)
        try:
            if self.hash_of(source) != sha256:
                source.unlink()
                return False
            passing("photo.hashed")
            target.parent.mkdir(exist_ok=True)
            os.replace(source, target)
            passing("photo.renamed")
        except FileNotFoundError:
            if not target.exists():
                return False
        for folder in (target.parent, self.folder):  # the name, and the folder that holds it
            _sync_folder(folder)
        return True

    def free_bytes(self) -> int:
        """Free space where photos are kept."""
        return shutil.disk_usage(self.folder).free


def _or_new(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o640)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
