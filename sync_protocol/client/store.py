"""The reference client's database: one SQLite file, durable before `record` returns. State and photos,
no decisions."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

TABLES = (
    "CREATE TABLE IF NOT EXISTS state (k TEXT PRIMARY KEY, v BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS photos"
    " (sha256 TEXT PRIMARY KEY, size INT, mime TEXT, url TEXT, done INT DEFAULT 0)",
)


class ClientStore:
    """The replica's state, one row a member (recording rewrites the outbox, not the map), and the
    photos that wait.

    `synchronous` FULL is what a field device needs; OFF only for crowds of simulated devices.
    """

    def __init__(self, home: Path, synchronous: str = "FULL") -> None:
        self.home = home
        (home / "photos").mkdir(parents=True, exist_ok=True)
        self._is_durable = synchronous != "OFF"
        self._db = sqlite3.connect(
            home / "device.db", isolation_level=None, check_same_thread=False, timeout=30
        )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(f"PRAGMA synchronous={synchronous}")
        for table in TABLES:
            self._db.execute(table)

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

    def keep_photo(self, source: Path, mime: str) -> tuple[str, int]:
        """Copy a photo beside the database, on disk before this returns → (sha256, size) of what was copied.

        It stays until the server has acknowledged its hash.
        """
        data = source.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        target = self.path(sha256)
        if not target.exists():
            part = target.with_suffix(".part")
            with open(part, "wb") as file:
                file.write(data)
                file.flush()
                if self._is_durable:
                    os.fsync(file.fileno())
            part.replace(target)
        self._db.execute(
            "INSERT OR IGNORE INTO photos (sha256, size, mime) VALUES (?, ?, ?)", (sha256, len(data), mime)
        )
        return sha256, len(data)

    def path(self, sha256: str) -> Path:
        """File of a kept photo."""
        return self.home / "photos" / sha256

    def waiting(self) -> list[tuple[str, int, str, str | None]]:
        """(sha256, size, mime, upload url) of photos that the server has not acknowledged, smallest
        first."""
        return self._db.execute(
            "SELECT sha256, size, mime, url FROM photos WHERE done = 0 ORDER BY size, sha256"
        ).fetchall()

    def note_url(self, sha256: str, url: str | None) -> None:
        """Where the upload of a photo goes on; None where it has to be created anew."""
        self._db.execute("UPDATE photos SET url = ? WHERE sha256 = ?", (url, sha256))

    def note_done(self, sha256: str) -> None:
        """The server has the photo and its hash agrees."""
        self._db.execute("UPDATE photos SET done = 1 WHERE sha256 = ?", (sha256,))

    def ask_again(self) -> None:
        """P21: after an epoch change every photo is asked about again; the file is still here."""
        self._db.execute("UPDATE photos SET done = 0, url = NULL")

    def close(self) -> None:
        """Close the file."""
        self._db.close()
