"""Setting up a server: schema, city, packs, people. Each step may run twice; used by commands and the field day."""

import sqlite3
import sys
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from backend.access.scope import SYSTEM
from backend.accounts import queries as accounts
from backend.app import create_app
from backend.backups import standing
from backend.backups.schema import upgrade
from backend.cli import is_migrated
from backend.cli.city import load_city
from backend.cli.pack import install_packs
from backend.cli.user import add_user
from backend.config import Config
from backend.database import close_app, db, from_ms, gate, snapshot, to_ms, transaction
from backend.feed.log import begin_epoch, epochs
from backend.notices import outbox
from backend.now import now_utc
from backend.ops import jobs
from backend.packs import shipped_city
from backend.territory import queries as territory

DEMO_PASSWORD = "huyuan-demo-2026"
DEMO_DISTRICT = "370303"
SAMPLE_USERS = (
    ("city", "市级牵头（示例）", "city", "370300", None),
    ("zhangdian", "张店区督导员（示例）", "district", DEMO_DISTRICT, None),
    ("emergency", "应急管理局督导员（示例）", "department", "370300", "emergency"),
    ("auditor", "督查员（示例）", "auditor", "370300", None),
)


def migrate(config: Config) -> None:
    """Bring the database to the newest schema; a killed migration leaves the old one."""
    upgrade(config.database_url)
    app = create_app(config)
    with app.app_context(), transaction() as session:
        begin_epoch(session, now_utc())
    close_app(app)


def demo() -> None:
    """The demo city: Zibo, the packs, sample sign-ins."""
    load_city(shipped_city())
    install_packs()
    for login, name, role, area, department in SAMPLE_USERS:
        with snapshot() as session:
            there = accounts.user_by_login(session, login)
        if there is None:
            add_user(login, name, role, area, department, DEMO_PASSWORD)


def first_start(config: Config, with_demo: bool) -> None:
    """Migrate; on the first start of a demo load the city and play the field day."""
    app = create_app(config)
    is_new = not is_migrated(app)
    migrate(config)
    if not (with_demo and is_new):
        close_app(app)
    if with_demo and is_new:
        from backend.cli.field_day import play  # noqa: PLC0415 - it starts servers itself

        with app.app_context():
            demo()
        report = play(320, 0, 1275)
        print(
            f"field day: {report['sites']} sites, {report['ops_pushed']} ops, reconciles {report['reconciles']}",
            file=sys.stderr,
        )


def server_command(host: str, port: int) -> list[str]:
    """The WSGI server: threads are the slow-phone budget; lanes (HUYUAN_LANES) and listeners (HUYUAN_POKE_LISTENERS) leave some for
    desks. SQLite is served by one process (one gate, one worker)."""
    return [sys.executable, "-m", "gunicorn", "--no-control-socket", "--worker-class", "backend.field_worker.FieldWorker", "--workers", "1", "--threads", "160",
            "--config", "python:backend.serving", "--bind", f"{host}:{port}", "--log-level", "warning", "backend.wsgi:app"]  # fmt: skip


def examine() -> dict[str, Any]:
    """What `doctor` prints."""
    config: Config = current_app.extensions["config"]
    facts: dict[str, Any] = {"ok": True, "data": str(config.data), "database": db.engine.dialect.name, "write_gate": gate().is_needed,
                             "sqlite": sqlite3.sqlite_version, "free_bytes": current_app.extensions["photo_store"].free_bytes()}  # fmt: skip
    try:
        with snapshot() as session:
            facts["city"] = territory.city_id(session)
        facts |= _standing(config)
        facts["jobs"] = {"worker": config.worker, **jobs.standing(now_utc())}
        facts["outgoing"] = outbox.standing(now_utc())
    except SQLAlchemyError as fault:
        facts |= {
            "ok": False,
            "fault": f"the database is not ready: {type(fault).__name__}; run `python -m backend migrate`",
        }
    return facts


def _standing(config: Config) -> dict[str, Any]:
    """Which history this is, whether the database has gone back (then a new epoch begins, P63), and the last backup."""
    before, now = standing.read(config.data), now_utc()
    found = standing.keep(config.data, before, now)
    with snapshot() as session:
        last = epochs(session, SYSTEM)[-1]
        reason, began_at, detail = last.reason, last.began_at, last.detail
    history: dict[str, Any] = {
        "epoch": found.epoch,
        "clock": found.clock,
        "durable_clock": found.durable,
        "epoch_began": reason,
    }
    if began_at == from_ms(to_ms(now)):
        history["went_back"] = detail  # just now: the database stood before what is mirrored beside it
    return history | {"backup": _last_backup(config, found.clock, now)}


def _last_backup(config: Config, clock: int, now: datetime) -> dict[str, Any]:
    last = standing.last_backup(config.data)
    if last is None:
        return {"ok": False, "told": "there is none yet; run `python -m backend backup`"}
    age_h = round((now - datetime.fromisoformat(last["at"])).total_seconds() / 3600, 1)
    behind = {"clocks_behind": clock - last["clock"]} if "clock" in last else {}
    return {**{k: v for k, v in last.items() if k != "broken" or v}, "age_h": age_h, **behind}
