"""What a server knows of itself outside its database: the moment it has reached, and its last backup. Two
small files.

The moment is a lower bound: written at most once a second, so a push costs no second fsync, and only what is
committed and durable is ever read. A database that stands before it, or on another history, was put back by
somebody or lost what it had acknowledged: whoever sees that begins a new epoch (P63), and the devices offer
again.
"""

import os
import threading
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import structlog
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM
from backend.backups.archive import sync_folder
from backend.backups.snapshots import Moment, is_same_history, moment_of
from backend.database import snapshot
from backend.feed import log as feed
from backend.ops import epochs

log = structlog.get_logger(__name__)
MIRROR, LAST_BACKUP = "epoch.json", "last-backup.json"


def read(data: Path) -> Moment | None:
    """The mirrored moment, or None where there is none, or none that can be read."""
    facts = _read(data / MIRROR)
    try:
        return Moment(**facts["moment"]) if facts else None
    except (KeyError, TypeError):
        log.warning("mirror_unreadable", file=MIRROR)
        return None


def write(data: Path, moment: Moment) -> None:
    """Mirror a moment: on disk when this returns, whole or not at all. Raises OSError."""
    _write(data / MIRROR, {"moment": asdict(moment)})


def why_new(session: Session, mirrored: Moment | None) -> str | None:
    """Why this database cannot be the one that was mirrored, grown on; None where it can."""
    if mirrored is None:
        return None
    if mirrored.epoch not in {epoch.epoch for epoch in feed.epochs(session, SYSTEM)}:
        return "mirror_unknown"
    now = moment_of(session.connection())
    if mirrored.epoch != now.epoch:
        return None  # it has gone on to a later epoch of its own
    if now.clock < mirrored.clock:
        return "database_older"
    return None if is_same_history(session.connection(), mirrored) else "other_history"


def keep(data: Path, mirrored: Moment | None, now: datetime) -> Moment:
    """Compare the database with `mirrored`, begin a new epoch where it must be (P63), mirror what is;
    returns that.

    Raises DBAPIError, OSError.
    """
    with snapshot() as session:
        reason, found = why_new(session, mirrored), moment_of(session.connection())
    if reason and mirrored:
        _begin(data, reason, mirrored, found, now)
        with snapshot() as session:
            found = moment_of(session.connection())
    if found != mirrored:
        write(data, found)
    return found


def _begin(data: Path, reason: str, mirrored: Moment, found: Moment, now: datetime) -> None:
    detail: dict[str, Any] = {
        "mirrored": {"epoch": mirrored.epoch, "clock": mirrored.clock},
        "found_clock": found.clock,
    }
    if mirrored.durable > found.clock:
        # Devices may have let these go, trusting a backup that is newer than this copy: only that backup has
        # them.
        detail["only_in_newer_backup"] = [found.clock + 1, mirrored.durable]
    epochs.begin(reason, detail, now, lambda session: why_new(session, mirrored) is not None)


def note_last(data: Path, facts: Mapping[str, Any]) -> None:
    """Remember how the last backup ended, for `doctor`. Raises OSError."""
    _write(data / LAST_BACKUP, facts)


def last_backup(data: Path) -> dict[str, Any] | None:
    """How the last backup ended: {at, ok, path, clock, …}; None where there was none yet."""
    return _read(data / LAST_BACKUP)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, orjson.JSONDecodeError):
        log.warning("mirror_unreadable", file=path.name)
        return None
    return found if isinstance(found, dict) else None


def _write(path: Path, facts: Mapping[str, Any]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    with open(part, "wb") as file:
        file.write(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    sync_folder(path.parent)
