"""The daily round: make a backup, prove it, and only then say that devices may let go; remember how it
went."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from backend.access.scope import SYSTEM
from backend.backups import archive, make, proof, standing
from backend.backups.snapshots import Moment, is_same_history
from backend.config import Config
from backend.database import snapshot
from backend.errors import Problem
from backend.ops.apply import submit

log = structlog.get_logger(__name__)
BROKEN = "broken-"


def run(config: Config, out: Path, with_photos: bool, keep: int | None, now: datetime) -> dict[str, Any]:
    """Make, prove, note: {ok, path, backup, durable_clock, …}. A backup that does not prove sound is set
    aside by name.

    How it went is kept for `doctor`, whatever happens. Raises what making one raises. Call inside the app's
    context.
    """
    try:
        path = make.make(config, out, with_photos, now)
        report = proof.prove(path)
        if not report["ok"]:
            path = path.rename(path.with_name(f"{BROKEN}{path.name}"))
        report |= {"path": str(path), **(note(config, report, now) if report["ok"] else {"noted": False})}
    except (Problem, OSError, DBAPIError) as fault:
        standing.note_last(config.data, {"at": now.isoformat(), "ok": False, "fault": str(fault)[:500]})
        raise
    facts = {"at": now.isoformat(), "ok": report["ok"], "path": str(path), "broken": report["broken"]}
    moment = {k: report["backup"][k] for k in ("epoch", "clock")}
    standing.note_last(config.data, {**facts, **moment, "noted": report["noted"]})
    report["removed"] = prune(path.parent, keep) if keep and report["ok"] else []
    return report


def note(config: Config, report: dict[str, Any], now: datetime) -> dict[str, Any]:
    """P64: move what is durable to a proven backup's clock, if it is of this server's own history: {noted,
    durable_clock}.

    Of this history: the same epoch, and the journal up to the backup's head is row for row the one that is
    here.
    """
    backup = report["backup"]
    moment = Moment(**{k: backup[k] for k in ("epoch", "clock", "journal_n", "journal_hash", "durable")})
    with snapshot() as session:
        is_ours = is_same_history(session.connection(), moment)
    if not is_ours:
        return {"noted": False, "why_not": "the backup is not of this server's present history"}
    args = {k: backup[k] for k in ("epoch", "clock", "journal_n", "journal_hash")} | {"sha256": report["sha256"]}
    submit("backup.note", args, SYSTEM, now, ent=("backup", backup["id"]))
    mirrored = standing.read(config.data)
    standing.keep(config.data, mirrored, now)
    return {"noted": True, "durable_clock": moment.clock}


def prune(parent: Path, keep: int) -> list[str]:
    """Remove all but the newest `keep` backups beside one another; returns the names of those removed."""
    removed = []
    for path in archive.siblings(parent)[:-keep]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        removed.append(path.name)
    return removed
