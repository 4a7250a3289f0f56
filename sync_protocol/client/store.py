"""The reference client's database: one SQLite file, durable before `record` returns. State and photos,
no decisions."""

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from sync_protocol.client import layouts

WAITING, THERE, DAMAGED = 0, 1, 2  # photos.done
MIMES = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
    ".heic": "image/heic",
}  # fmt: skip


class ClientStore:
    """The replica's state, one row a member (recording rewrites the outbox, not the map), and the
    photos that wait.

    `synchronous` FULL is what a field device needs; OFF only for crowds of simulated devices. A store of an older layout
    is brought up to date when it is opened. Raises NewerStore (a ValueError) for one of a newer program, untouched.
    """

    def __init__(self, home: Path, synchronous: str = "FULL") -> None:
        self.home = home
        layouts.refuse_newer(home / "device.db")
        (home / "photos").mkdir(parents=True, exist_ok=True)
        self._is_durable = synchronous != "OFF"
        self._db = sqlite3.connect(home / "device.db", isolation_level=None, check_same_thread=False, timeout=30)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(f"PRAGMA synchronous={synchronous}")
        try:
            layouts.bring_up_to_date(self._db, home / "device.db")
        except BaseException:
            self._db.close()
            raise

    @contextmanager
    def change(self, *members: str) -> Iterator[dict[str, Any]]:
        """The state (or only its `members`), to be altered; what changed is written in one transaction,
        or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            before = self._load(members)
            state = {k: orjson.loads(v) for k, v in before.items()}
            yield state
            after = {k: orjson.dumps(v) for k, v in state.items()}
            changed = [(k, v) for k, v in after.items() if before.get(k) != v]
            self._db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", changed)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def state(self, *members: str) -> dict[str, Any]:
        """The state (or only its `members`) as it is on disk; empty before enrolment."""
        return {k: orjson.loads(v) for k, v in self._load(members).items()}

    def _load(self, members: tuple[str, ...]) -> dict[str, bytes]:
        query = "SELECT k, v FROM state"
        if members:
            query += f" WHERE k IN ({','.join('?' * len(members))})"
        return dict(self._db.execute(query, members).fetchall())

    def keep_photo(self, source: Path) -> dict[str, Any]:
        """Copy a photo beside the database, on disk before this returns → {sha256, size, mime} of the copy.

        It stays here even after the server has it: after a restore it is asked for again (P30). It waits
        to be sent once `note_photos` has named it. Raises OSError.
        """
        data = source.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        target = self.path(sha256)
        if not self.is_sound(sha256):
            part = target.with_suffix(".part")
            with open(part, "wb") as file:
                file.write(data)
                file.flush()
                if self._is_durable:
                    os.fsync(file.fileno())
            part.replace(target)
            self._sync_folder()
        mime = MIMES.get(source.suffix.lower(), "application/octet-stream")
        return {"sha256": sha256, "size": len(data), "mime": mime}

    def _sync_folder(self) -> None:
        """The new name itself must survive a loss of power, not only the bytes."""
        if self._is_durable:
            folder = os.open(self.home / "photos", os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def part(self, name: str) -> tuple[str, int]:
        """What is here of a download: (its tag, bytes); ("", 0) of none."""
        for path in (self.home / "bundles").glob(f"{_file(name)}.*.part"):
            return path.name.split(".")[1], path.stat().st_size
        return "", 0

    def open_part(self, name: str, tag: str, at: int) -> BinaryIO:
        """The file of a download, to be written from byte `at` on. One of another tag is forgotten."""
        path = self.home / "bundles" / f"{_file(name)}.{tag}.part"
        if at == 0 or not path.exists():
            self.drop_part(name)
            path.parent.mkdir(exist_ok=True)
            path.touch()
        file = open(path, "r+b")  # noqa: SIM115 - whoever downloads closes it
        file.seek(at)
        file.truncate()
        return file

    def read_part(self, name: str) -> bytes:
        """What is here of a download; b"" of none."""
        for path in (self.home / "bundles").glob(f"{_file(name)}.*.part"):
            return path.read_bytes()
        return b""

    def drop_part(self, name: str) -> None:
        """A download is over, or begins anew."""
        for path in (self.home / "bundles").glob(f"{_file(name)}.*.part"):
            path.unlink()

    def note_photos(self, blobs: Iterable[Mapping[str, Any]]) -> None:
        """Photos of an op wait from now on; call inside `change`: op and photos are one transaction."""
        self._db.executemany(
            "INSERT INTO photos (sha256, size, mime) VALUES (:sha256, :size, :mime)"
            f" ON CONFLICT (sha256) DO UPDATE SET done = {WAITING} WHERE done = {DAMAGED}",
            list(blobs),
        )

    def is_sound(self, sha256: str) -> bool:
        """Whether the kept file is there and still hashes to its name."""
        try:
            return hashlib.sha256(self.path(sha256).read_bytes()).hexdigest() == sha256
        except FileNotFoundError:
            return False

    def path(self, sha256: str) -> Path:
        """File of a kept photo."""
        return self.home / "photos" / sha256

    def waiting(self) -> list[tuple[str, int, str, str | None]]:
        """(sha256, size, mime, upload url) of photos that the server has not acknowledged, smallest
        first."""
        return self._db.execute(
            f"SELECT sha256, size, mime, url FROM photos WHERE done = {WAITING} ORDER BY size, sha256"
        ).fetchall()

    def note_url(self, sha256: str, url: str | None) -> None:
        """Where the upload of a photo goes on; None where it has to be created anew."""
        self._db.execute("UPDATE photos SET url = ? WHERE sha256 = ?", (url, sha256))

    def note_done(self, sha256: str) -> None:
        """The server has the photo and its hash agrees."""
        self._db.execute("UPDATE photos SET done = ? WHERE sha256 = ?", (THERE, sha256))

    def note_damaged(self, sha256: str) -> None:
        """The file here no longer hashes to its name: set aside until it is recorded again or asked for."""
        self._db.execute("UPDATE photos SET done = ? WHERE sha256 = ?", (DAMAGED, sha256))

    def damaged(self) -> list[str]:
        """Hashes of photos that are set aside, for a person."""
        query = "SELECT sha256 FROM photos WHERE done = ? ORDER BY sha256"
        return [sha256 for (sha256,) in self._db.execute(query, (DAMAGED,))]

    def ask_again(self) -> None:
        """P30: after an epoch change every photo is asked about again; call inside `change`."""
        self._db.execute(f"UPDATE photos SET done = {WAITING}, url = NULL")

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _file(name: str) -> str:
    """A name that is safe in a folder, whatever a server calls its bundles."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]
