"""Putting a backup back: proven, brought up to this program's schema, into a new epoch, examined; only then
in its place.

All the work is done on a scratch copy beside the place. SQLite: the finished file takes the place of the old
one, which is kept under another name. PostgreSQL: one transaction empties the tables and fills them, so that
a server that goes on running sees the old record or the new one, and the new epoch with it.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection, make_url

from backend.access.scope import SYSTEM
from backend.backups import archive, ground, proof, refill, schema, snapshots, standing, tables, verify, watch
from backend.backups.archive import Backup
from backend.backups.snapshots import Moment, sqlite_url
from backend.config import Config
from backend.database import snapshot
from backend.errors import Problem
from backend.feed import log as feed
from backend.gate import WriteGate
from backend.ledgers.views import today
from backend.ops import epochs

log = structlog.get_logger(__name__)
OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


def restore(path: Path, config: Config, is_forced: bool, now: datetime) -> dict[str, Any]:
    """Put the backup at `path` into the data directory and database of `config`; returns the report (`ok`).

    `is_forced`: also over a record that is there already. Raises Problem not_found, invalid (the backup does
    not prove sound, or is of a newer program) or refused (the place is not empty, or is being served); then
    nothing has changed.
    """
    proven = proof.prove(path)
    if not proven["ok"]:
        raise Problem("invalid", f"the backup does not prove sound: {', '.join(proven['broken'])}")
    with watch.alone(config.data), _scratch(config.data) as folder, archive.opened(path) as backup:
        _refuse_occupied(config, is_forced)
        mirrored = standing.read(config.data)
        made = folder / "huyuan.db"
        shutil.copyfile(backup.database, made)
        schema.upgrade(sqlite_url(made))
        report = _prepare(backup, replace(config, database_url=sqlite_url(made)), now)
        kept = _put_in_place(config, made, now)
        with ground.over(config), snapshot() as session:
            found = snapshots.moment_of(session.connection())
            lived = {epoch.epoch for epoch in feed.epochs(session, SYSTEM)}
        standing.write(config.data, found)
    report |= {"backup": proven["backup"], "epoch": found.epoch, "clock": found.clock}
    report |= {"previous_kept_as": kept, "warnings": _warnings(backup, mirrored, lived)}
    return {"ok": report["verify"]["ok"], **report}


@contextmanager
def _scratch(data: Path) -> Iterator[Path]:
    """A folder on the same disk as the place, so that the finished file can take it by a rename."""
    with tempfile.TemporaryDirectory(prefix=".restoring-", dir=data) as folder:
        yield Path(folder)


def _prepare(backup: Backup, config: Config, now: datetime) -> dict[str, Any]:
    """Photos, new epoch and examination on the scratch database; raises Problem invalid where that finds a
    fault."""
    with ground.over(config):
        photos = refill.take_in(backup)
        moment = backup.manifest.moment
        detail = {"backup": backup.manifest.id, "was": moment.epoch, "clock": moment.clock}
        epochs.begin("restored", detail, now, lambda _: True)
        photos |= refill.square(now)
        found = verify.record_of(today(), refill.store())
        unsound = [name for name in found["broken"] if name in verify.OF_A_COPY]
        if unsound:
            raise Problem("invalid", f"what was put back does not prove sound: {', '.join(unsound)}")
    state = {"state_hash": found["state_hash"], "backup_state_hash": backup.manifest.state_hash}
    return {"photos_squared": photos, **state, "verify": {k: found[k] for k in ("ok", "broken", "checks")}}


def _refuse_occupied(config: Config, is_forced: bool) -> None:
    if is_forced:
        return
    if config.is_sqlite:
        place = _file(config)
        if place.exists() and _holds_record(config):
            raise Problem("refused", f"{place.name} holds a record already; --force puts the backup in its place")
        return
    if _holds_record(config):
        raise Problem("refused", "the database holds a record already; --force puts the backup in its place")


def _holds_record(config: Config) -> bool:
    engine = create_engine(config.database_url)
    try:
        with engine.connect() as connection:
            return tables.has_rows(connection)
    finally:
        engine.dispose()


def _put_in_place(config: Config, made: Path, now: datetime) -> str | None:
    """The scratch database becomes the server's; returns under which name the old one is kept (SQLite)."""
    snapshots.make_one_file(made)
    if config.is_sqlite:
        return _swap(_file(config), made, now)
    schema.upgrade(config.database_url)
    engine = create_engine(config.database_url)
    try:
        with engine.begin() as there, snapshots.reading(made) as here:
            _pour(here, there)
    finally:
        engine.dispose()
    return None


def _pour(here: Connection, there: Connection) -> None:
    """Everything, or nothing: the sums of all tables must agree before the transaction ends."""
    others = there.execute(OTHERS).scalar_one()
    if others:
        log.warning("restore_while_connected", connections=others)
    tables.empty_all(there)
    tables.copy_all(here, there)
    wanted, found = tables.sums(here), tables.sums(there)
    wrong = [name for name, sums in wanted.items() if found.get(name) != sums]
    if wrong:
        raise Problem("internal", f"these tables did not arrive as they were sent: {', '.join(wrong)}")


def _swap(place: Path, made: Path, now: datetime) -> str | None:
    """The finished file takes the place; the old one, with what its log still holds, keeps another name.

    Killed in between, the old file stands there without its log: older than the mirror says, which the next
    start sees.
    """
    gate = WriteGate(place)
    try:
        with gate.hold():
            kept = _set_aside(place, now) if place.exists() else None
            _sync(made)
            os.replace(made, place)
            archive.sync_folder(place.parent)
    finally:
        gate.close()
    return kept


def _set_aside(place: Path, now: datetime) -> str:
    aside = place.with_name(f"{place.name}.before-{now:%Y%m%dT%H%M%SZ}")
    os.link(place, aside)
    for ending in ("-wal", "-shm"):
        beside = Path(f"{place}{ending}")
        if beside.exists():
            os.replace(beside, f"{aside}{ending}")
    return aside.name


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _file(config: Config) -> Path:
    return Path(make_url(config.database_url).database or "")


def _warnings(backup: Backup, mirrored: Moment | None, lived: set[str]) -> list[str]:
    """What only a person can make good: ops that phones may have let go of, trusting a backup newer than
    this one."""
    moment = backup.manifest.moment
    if mirrored is None:
        return []
    if mirrored.epoch not in lived:
        told = "this server has lived in a later epoch than the backup knows"
        return [f"{told}: phones may have let go of what a later backup held"]
    if mirrored.epoch != moment.epoch or mirrored.durable <= moment.clock:
        return []
    told = f"phones were told that clocks up to {mirrored.durable} are safe in a backup"
    return [f"{told}, this one ends at {moment.clock}: restore the newer one, or those ops may be on no phone any more"]
