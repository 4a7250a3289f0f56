"""The reference client's database: one SQLite file, durable before `record` returns. State and photos' paths only."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class ClientStore:
    """Keeps the replica's state (one row, written whole) and the photos that wait. `synchronous` FULL unless a test says else."""

    def __init__(self, home: Path, synchronous: str = "FULL") -> None:
        self.home = home
        (home / "photos").mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(home / "device.db", isolation_level=None, check_same_thread=False)
        self._db.execute(f"PRAGMA synchronous={synchronous}")
        self._db.execute("CREATE TABLE IF NOT EXISTS state (k TEXT PRIMARY KEY, v TEXT NOT NULL)")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS photos (sha256 TEXT PRIMARY KEY, size INT, mime TEXT, url TEXT, done INT DEFAULT 0)"
        )

    @contextmanager
    def change(self) -> Iterator[dict[str, Any]]:
        """The state, to be altered; written back in one transaction, or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            state = self.state()
            yield state
            self._db.execute(
                "INSERT OR REPLACE INTO state VALUES ('replica', ?)", (json.dumps(state, ensure_ascii=False),)
            )
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def state(self) -> dict[str, Any]:
        """The state as it is on disk; empty before enrolment."""
        row = self._db.execute("SELECT v FROM state WHERE k = 'replica'").fetchone()
        return dict(json.loads(row[0])) if row else {}

    def keep_photo(self, source: Path, sha256: str, mime: str) -> None:
        """Copy a photo beside the database; it stays until the server has acknowledged its hash."""
        target = self.path(sha256)
        if not target.exists():
            shutil.copyfile(source, target)
        self._db.execute(
            "INSERT OR IGNORE INTO photos (sha256, size, mime) VALUES (?, ?, ?)",
            (sha256, target.stat().st_size, mime),
        )

    def path(self, sha256: str) -> Path:
        """File of a kept photo."""
        return self.home / "photos" / sha256

    def waiting(self) -> list[tuple[str, int, str, str | None]]:
        """(sha256, size, mime, upload url) of photos that the server has not acknowledged."""
        return self._db.execute(
            "SELECT sha256, size, mime, url FROM photos WHERE done = 0 ORDER BY size, sha256"
        ).fetchall()

    def note_url(self, sha256: str, url: str) -> None:
        """Where the upload of a photo goes on."""
        self._db.execute("UPDATE photos SET url = ? WHERE sha256 = ?", (url, sha256))

    def note_done(self, sha256: str) -> None:
        """The server has the photo and its hash agrees."""
        self._db.execute("UPDATE photos SET done = 1 WHERE sha256 = ?", (sha256,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
