"""A database that was put back by hand, lost what it had acknowledged, or is another one: seen at the start,
every second and by `doctor`; and what is no such thing is left alone (P63)."""

import dataclasses
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from backend.access.scope import SYSTEM
from backend.backups import standing
from backend.backups.snapshots import Moment, moment_of
from backend.backups.watch import Watch
from backend.cli import setup
from backend.config import Config
from backend.database import snapshot
from backend.feed.log import epochs as histories
from backend.now import now_utc
from tests.backups.grounds import Phone, opened


@pytest.fixture
def server(ground: Config) -> Iterator[Flask]:
    with opened(ground) as app:
        standing.keep(ground.data, None, now_utc())
        yield app


def data_of(app: Flask) -> Path:
    found: Path = app.extensions["config"].data
    return found


def look(app: Flask) -> str:
    """One look as the watch and `doctor` take it; the epoch afterwards."""
    return standing.keep(data_of(app), standing.read(data_of(app)), now_utc()).epoch


def reasons() -> list[str]:
    with snapshot() as session:
        return [epoch.reason for epoch in histories(session, SYSTEM)]


def now_at() -> Moment:
    with snapshot() as session:
        return moment_of(session.connection())


def work(app: Flask, name: str = "r-1") -> None:
    phone = Phone(name)
    phone.report()
    phone.push(app)


def mirror(app: Flask, **more: object) -> None:
    """What stands outside says something else than the database."""
    standing.write(data_of(app), dataclasses.replace(now_at(), **more))


def test_a_record_that_only_grows_keeps_its_epoch_and_the_mirror_follows(server: Flask) -> None:
    epoch = look(server)
    work(server)
    assert look(server) == epoch
    assert standing.read(data_of(server)) == now_at()
    assert reasons() == ["new"]


def test_without_a_mirror_there_is_nothing_to_compare_with(server: Flask) -> None:
    (data_of(server) / standing.MIRROR).unlink()
    look(server)
    assert reasons() == ["new"]
    (data_of(server) / standing.MIRROR).write_bytes(b"{torn")
    look(server)
    assert (reasons(), standing.read(data_of(server))) == (["new"], now_at())


def test_a_database_that_stands_before_the_mirror_gets_a_new_epoch_once(server: Flask) -> None:
    was = look(server)
    mirror(server, clock=now_at().clock + 3)
    made = look(server)
    assert made != was and reasons() == ["new", "database_older"]
    assert look(server) == made and reasons() == ["new", "database_older"]


def test_an_epoch_that_the_database_does_not_know_gets_a_new_one(server: Flask) -> None:
    mirror(server, epoch="of-a-later-restore")
    look(server)
    assert reasons() == ["new", "mirror_unknown"]


def test_a_copy_that_was_put_back_and_has_overtaken_the_mirror_is_another_history(server: Flask) -> None:
    mirror(server, journal_hash="f" * 64)
    work(server)
    look(server)
    assert reasons() == ["new", "other_history"]


def test_a_mirror_that_still_says_the_epoch_before_a_restore_is_no_alarm(server: Flask) -> None:
    before = now_at()
    mirror(server, clock=before.clock + 5)
    look(server)
    standing.write(data_of(server), before)  # a slow process writes what it had read before
    look(server)
    assert reasons() == ["new", "database_older"]


def test_what_only_a_newer_backup_has_is_said_in_the_journal(server: Flask) -> None:
    at = now_at().clock
    mirror(server, clock=at + 9, durable=at + 6)
    look(server)
    with snapshot() as session:
        last = histories(session, SYSTEM)[-1]
        assert last.detail["only_in_newer_backup"] == [at + 1, at + 6]
        body = session.connection().execute(text("SELECT body FROM journal ORDER BY n DESC LIMIT 1")).scalar()
    assert "database_older" in body and f"[{at + 1},{at + 6}]" in body


def test_two_processes_that_look_at_once_agree(server: Flask) -> None:
    mirror(server, clock=now_at().clock + 3)
    seen: list[str] = []

    def process() -> None:
        with server.app_context():
            seen.append(look(server))

    threads = [threading.Thread(target=process) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1 and len(seen) == 4
    assert reasons() == ["new", "database_older"]


def test_the_watch_mirrors_at_the_start_at_the_end_and_begins_an_epoch_while_it_runs(server: Flask) -> None:
    watch = Watch(server, now_utc, every_s=0.02)
    assert watch.look()
    work(server)
    watch._mirrored = dataclasses.replace(
        now_at(), clock=now_at().clock + 4
    )  # as if the database had gone back
    watch.start()
    try:
        for _ in range(500):
            if reasons() == ["new", "database_older"]:
                break
            threading.Event().wait(0.02)
        assert reasons() == ["new", "database_older"]
    finally:
        watch.stop()
        watch.join(10)
    assert standing.read(data_of(server)) == now_at()


def test_a_watch_whose_database_is_away_goes_on_and_heals(sqlite: Config) -> None:
    with opened(sqlite) as app:
        watch, place = Watch(app, now_utc), sqlite.data / "huyuan.db"
        assert watch.look()
        away = create_engine(sqlite.database_url)
        with away.begin() as connection:
            connection.execute(text("ALTER TABLE server_meta RENAME TO gone"))
        assert not watch.look()
        with away.begin() as connection:
            connection.execute(text("ALTER TABLE gone RENAME TO server_meta"))
        away.dispose()
        assert watch.look() and place.exists()


def test_doctor_says_which_epoch_whether_it_went_back_and_how_old_the_last_backup_is(server: Flask) -> None:
    facts = setup.examine()
    assert facts["ok"] and facts["epoch_began"] == "new" and "went_back" not in facts
    assert facts["backup"] == {"ok": False, "told": "there is none yet; run `python -m backend backup`"}
    standing.note_last(
        data_of(server), {"at": now_utc().isoformat(), "ok": True, "path": "b", "clock": 2, "broken": []}
    )
    mirror(server, clock=now_at().clock + 3)
    facts = setup.examine()
    assert facts["epoch_began"] == "database_older" and facts["went_back"]["found_clock"] > 0
    assert facts["backup"]["age_h"] == 0.0 and facts["backup"]["clocks_behind"] == facts["clock"] - 2
    assert "went_back" not in setup.examine()


def test_a_file_put_back_by_hand_is_seen(sqlite: Config, tmp_path: Path) -> None:
    with opened(sqlite) as app:
        look(app)
    shutil.copyfile(sqlite.data / "huyuan.db", tmp_path / "old.db")
    with opened(sqlite) as app:
        work(app)
        look(app)
    for ending in ("-wal", "-shm"):
        (sqlite.data / f"huyuan.db{ending}").unlink(missing_ok=True)
    shutil.copyfile(tmp_path / "old.db", sqlite.data / "huyuan.db")
    with opened(sqlite) as app:
        look(app)
        assert reasons() == ["new", "database_older"]


def test_a_write_ahead_log_that_was_lost_is_seen(sqlite: Config) -> None:
    with opened(sqlite) as app:
        work(app)
        look(app)
        raw = sqlite3.connect(sqlite.data / "huyuan.db")  # keeps the log from being folded back at the close
        raw.execute("SELECT count(*) FROM op_log").fetchone()
        shutil.copyfile(sqlite.data / "huyuan.db", sqlite.data / "main.db")
    raw.close()
    shutil.move(sqlite.data / "main.db", sqlite.data / "huyuan.db")
    for ending in ("-wal", "-shm"):
        (sqlite.data / f"huyuan.db{ending}").unlink(missing_ok=True)
    with opened(sqlite) as app:
        look(app)
        assert reasons() == ["new", "database_older"]
