"""The last resort of an installation: bring a copy of its whole database to the server, whatever state it is in (P89).

Nothing here is read or changed; the copy is kept until the server has it. It works for a device that was revoked.
"""

import gzip
import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sync_protocol.client import tus
from sync_protocol.client.transport import Refused, Transport

GONE = (404, 410)
AGAIN = (409, 460)
TRIES = 4


def rescue(home: Path, transport: Transport, base: str, chunk_bytes: int) -> str:
    """Send a dump of the database in `home`; its SHA-256. Raises Offline, ServerBusy, Refused, OSError."""
    kept = home / "rescue.gz"
    if not kept.exists():  # one that is under way already goes on
        _write(home, kept)
    with open(kept, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = kept.stat().st_size
        for attempt in range(TRIES):
            url = tus.create(transport, f"{base}/rescue", sha256, size, "application/gzip")
            try:
                tus.send(transport, url, file, size, chunk_bytes, lambda _: None)
                break
            except Refused as refusal:
                if attempt + 1 == TRIES or refusal.status not in (*AGAIN, *GONE):
                    raise
    kept.unlink()
    return sha256


def _write(home: Path, target: Path) -> None:
    """A copy as of one moment, without the token; where SQLite cannot read it, the files as they are."""
    part, plain = target.with_suffix(".part"), home / "rescue.db"
    plain.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(home / "device.db", timeout=30)) as source,
            closing(sqlite3.connect(plain)) as copy,
        ):
            source.backup(copy)
            copy.execute("DELETE FROM state WHERE k = 'token'")
            copy.commit()
            copy.execute("VACUUM")
        pieces = [plain]
    except sqlite3.DatabaseError:
        pieces = [p for p in (home / "device.db", home / "device.db-wal") if p.exists()]
    with gzip.open(part, "wb", 6) as packed:
        for piece in pieces:
            packed.write(piece.read_bytes())
    plain.unlink(missing_ok=True)
    os.replace(part, target)
