"""Photo bytes on disk: uploads under way, and finished files named by their SHA-256, written once. No database."""

import hashlib
import os
import shutil
from pathlib import Path

BLOCK = 1 << 18


class PhotoStore:
    """Files below one folder: `incoming/<upload id>`, `ab/abcdef…` (finished), `ab/abcdef….d/1280.jpg` (derivatives)."""

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
        """Write `block` at `offset`; what lay behind is cut off, for an unacknowledged tail does not count."""
        path = self.incoming / upload_id
        with open(path, "r+b" if path.exists() else "w+b") as file:
            file.truncate(offset)
            file.seek(offset)
            file.write(block)

    def sync(self, upload_id: str) -> None:
        """Bytes reach the disk before the offset moves (never the reverse)."""
        path = self.incoming / upload_id
        if path.exists():
            with open(path, "r+b") as file:
                os.fsync(file.fileno())

    def size(self, upload_id: str) -> int:
        """Bytes of an upload on disk."""
        path = self.incoming / upload_id
        return path.stat().st_size if path.exists() else 0

    def hash_of(self, path: Path) -> str:
        """SHA-256 of a file, read in blocks."""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def finish(self, upload_id: str, sha256: str) -> bool:
        """Move a whole upload to its name if it hashes to it; else start it again from nothing. Idempotent."""
        source, target = self.incoming / upload_id, self.path(sha256)
        if not source.exists():
            return target.exists()
        if self.hash_of(source) != sha256:
            source.unlink()
            return False
        target.parent.mkdir(exist_ok=True)
        os.replace(source, target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return True

    def free_bytes(self) -> int:
        """Free space where photos are kept."""
        return shutil.disk_usage(self.folder).free
