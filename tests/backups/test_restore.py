"""Putting a backup back: into an empty place, over another database, over an older schema; whole or not at
all."""

import dataclasses
import fcntl
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from flask import Flask
from sqlalchemy import create_engine, select, text

from backend.access.scope import SYSTEM
from backend.backups import make, refill, restore, routine, schema, snapshots, standing, tables, verify
from backend.backups.manifest import DATABASE, MANIFEST, part_of, read
from backend.config import Config
from backend.database import snapshot
from backend.errors import Problem
from backend.feed.log import epochs as histories
from backend.feed.log import meta
from backend.ledgers.views import today
from backend.now import now_utc
from backend.ops.models import Job, LoggedOp
from backend.photos import queries as photos
from backend.problems.models import Problem as Hazard
from tests.backups.grounds import Phone, opened, photo

if TYPE_CHECKING:
    from tests.conftest import Prepared


@pytest.fixture
def working(sqlite: Config) -> Iterator[Flask]:
    """A server on SQLite with a photo that a report shows."""
    with opened(sqlite) as app:
        phone = Phone()
        phone.report("A213", [photo(app, "one")])
        phone.push(app)
        yield app


def config_of(app: Flask) -> Config:
    found: Config = app.extensions["config"]
    return found


def empty(tmp_path: Path, name: str = "new", url: str = "") -> Config:
    folder = tmp_path / name
    folder.mkdir()
    url = url or f"sqlite:///{folder / 'huyuan.db'}"
    return Config(data=folder, database_url=url, secret_key="another", worker="off", log_level="CRITICAL")


def backup(app: Flask, tmp_path: Path, with_photos: bool = True) -> Path:
    return make.make(config_of(app), tmp_path / "out", with_photos, now_utc())


def op_ids(config: Config) -> set[str]:
    with opened(config), snapshot() as session:
        return set(session.scalars(select(LoggedOp.op_id)))


def rewritten(path: Path, statement: str) -> None:
    """A backup made of a database that was altered: its manifest made anew, as the one who made it would."""
    raw = sqlite3.connect(path / DATABASE)
    raw.execute(statement)
    raw.commit()
    raw.close()
    old = read((path / MANIFEST).read_text(encoding="utf-8"))
    parts = tuple(part_of(path / part["name"]) for part in old.parts)
    (path / MANIFEST).write_text(dataclasses.replace(old, parts=parts).text(), encoding="utf-8")


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_into_an_empty_place_with_its_photos_and_into_a_new_epoch(
    working: Flask, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / ("all.tar" if kind == "tar" else "out")
    path, target = make.make(config_of(working), out, True, now_utc()), empty(tmp_path)
    with snapshot() as session:
        was = meta(session, SYSTEM).epoch
    report = restore.restore(path, target, False, now_utc())
    assert report["ok"] and report["verify"]["broken"] == []
    assert report["state_hash"] == report["backup_state_hash"]
    assert report["photos_squared"] == {"brought": 1, "lost": 0, "found": 0, "to_derive": 1}
    with opened(target) as app, snapshot() as session:
        assert [(e.epoch == was, e.reason) for e in histories(session, SYSTEM)] == [
            (True, "new"),
            (False, "restored"),
        ]
        assert meta(session, SYSTEM).epoch == report["epoch"] != was
        assert verify.record_of(today(), app.extensions["photo_store"])["ok"]
        waiting = select(Job.key).where(Job.kind == "photo.derive", Job.done_at.is_(None))
        assert len(session.scalars(waiting).all()) == 1
    mirrored = standing.read(target.data)
    assert mirrored is not None and mirrored.epoch == report["epoch"]


def test_photos_that_were_left_out_are_awaited_again_and_what_shows_them_says_so(
    working: Flask, tmp_path: Path
) -> None:
    path, target = backup(working, tmp_path, with_photos=False), empty(tmp_path)
    report = restore.restore(path, target, False, now_utc())
    assert report["ok"] and report["photos_squared"]["lost"] == 1
    with opened(target), snapshot() as session:
        assert photos.counts(session, SYSTEM) == {"awaiting": 1}
        assert session.scalars(select(Hazard.missing_photos)).one() == 1


def test_photos_that_came_after_the_backup_and_are_on_disk_need_not_be_sent_again(
    working: Flask, tmp_path: Path
) -> None:
    config, path = config_of(working), backup(working, tmp_path, with_photos=False)
    late = photo(working, "late")
    (working.extensions["photo_store"].folder / late[:2] / "stray").write_bytes(b"not a photo")
    report = restore.restore(path, config, True, now_utc())
    assert report["ok"]
    assert (report["photos_squared"]["lost"], report["photos_squared"]["found"]) == (0, 1)
    with opened(config), snapshot() as session:
        assert photos.verified(session, SYSTEM, [late]) == {late}


@pytest.mark.parametrize("way", ["there", "back"])
def test_from_one_database_to_the_other_the_record_stays_the_same(
    way: str, prepared: "Prepared", tmp_path: Path
) -> None:
    source, name = prepared.copy("sqlite" if way == "there" else "postgres")
    with opened(source) as app:
        phone = Phone()
        phone.report("A213", [photo(app, "one")])
        phone.record(
            "no.such.verb",
            ("thing", "x"),
            {"note": "引号 ' 反斜 \\ 换行 \n 制表 \t 表情 🦺", "n": 1.5, "big": 2**53},
        )
        phone.push(app)
        path = backup(app, tmp_path)
    fresh = f"moved_{tmp_path.name}".lower()[:50]
    url = prepared.cluster.database(fresh) if way == "there" else ""
    target = empty(tmp_path, url=url)
    report = restore.restore(path, target, False, now_utc())
    assert report["ok"] and report["state_hash"] == report["backup_state_hash"]
    with opened(target) as app:
        phone = Phone("r-9")  # counters go on: new rows of every kind find their numbers
        phone.report("A108")
        assert [r["status"] for r in phone.push(app)["results"]] == ["applied"]
        refill._derive_again(["f" * 64], now_utc())
        assert verify.record_of(today(), app.extensions["photo_store"])["ok"]
    assert op_ids(source) < op_ids(target)
    prepared.drop(name)
    prepared.drop(fresh if url else None)


def test_a_place_that_holds_a_record_is_refused_and_stays_as_it_is(ground: Config, tmp_path: Path) -> None:
    with opened(ground) as app:
        path = backup(app, tmp_path)
        phone = Phone()
        op = phone.report()
        phone.push(app)
        with pytest.raises(Problem, match="--force"):
            restore.restore(path, ground, False, now_utc())
        with snapshot() as session:
            assert session.scalar(select(LoggedOp.status).where(LoggedOp.op_id == op)) == "applied"
            assert len(histories(session, SYSTEM)) == 1


def test_forced_over_a_record_the_old_file_is_kept_under_another_name(working: Flask, tmp_path: Path) -> None:
    config, path = config_of(working), backup(working, tmp_path)
    phone = Phone()
    op = phone.report()
    phone.push(working)
    report = restore.restore(path, config, True, now_utc())
    assert op not in op_ids(config)
    kept = dataclasses.replace(config, database_url=f"sqlite:///{config.data / report['previous_kept_as']}")
    assert op in op_ids(kept), "with what its write-ahead log still held"


def test_forced_over_a_file_that_is_no_database_any_more(working: Flask, tmp_path: Path) -> None:
    path, target = backup(working, tmp_path), empty(tmp_path)
    (target.data / "huyuan.db").write_bytes(b"\x00" * 8192)
    report = restore.restore(path, target, True, now_utc())
    assert report["ok"] and (target.data / report["previous_kept_as"]).read_bytes() == b"\x00" * 8192


def test_forced_on_postgresql_old_and_new_change_at_once(postgres: Config, tmp_path: Path) -> None:
    with opened(postgres) as app:
        path = backup(app, tmp_path)
        phone = Phone()
        op = phone.report()
        phone.push(app)
        with snapshot() as session:
            was = meta(session, SYSTEM).epoch
    report = restore.restore(path, postgres, True, now_utc())
    assert report["ok"] and report["epoch"] != was
    assert op not in op_ids(postgres)


def test_a_fault_in_the_middle_leaves_postgresql_as_it_was(
    postgres: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(postgres) as app:
        path = backup(app, tmp_path)
        phone = Phone()
        phone.report()
        phone.push(app)
    before, fill = op_ids(postgres), tables.fill

    def stumble(connection: Any, table: Any, lots: Any) -> int:
        if table.name == "op_log":
            raise OSError(5, "Input/output error")
        return fill(connection, table, lots)

    monkeypatch.setattr(tables, "fill", stumble)
    with pytest.raises(OSError, match="Input/output"):
        restore.restore(path, postgres, True, now_utc())
    assert op_ids(postgres) == before


def test_a_fault_in_the_middle_leaves_sqlite_as_it_was(
    working: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, path = config_of(working), backup(working, tmp_path)

    def full(place: Path, made: Path, now: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restore, "_swap", full)
    phone = Phone()
    op = phone.report()
    phone.push(working)
    with pytest.raises(OSError, match="No space"):
        restore.restore(path, config, True, now_utc())
    assert op in op_ids(config)
    assert not list(config.data.glob(".restoring-*"))


def test_a_data_directory_that_is_served_is_refused(working: Flask, tmp_path: Path) -> None:
    path = backup(working, tmp_path)
    with open(config_of(working).data / "serving.lock", "ab") as served:
        fcntl.flock(served, fcntl.LOCK_SH)
        with pytest.raises(Problem, match="a server is running"):
            restore.restore(path, config_of(working), True, now_utc())


def test_a_backup_that_does_not_prove_sound_is_refused(working: Flask, tmp_path: Path) -> None:
    path, target = backup(working, tmp_path), empty(tmp_path)
    rewritten(path, "UPDATE op_log SET body = body || ' ' WHERE replica = 'r-1'")
    with pytest.raises(Problem, match="bodies"):
        restore.restore(path, target, False, now_utc())
    assert not (target.data / "huyuan.db").exists()


def test_a_backup_of_an_older_schema_is_brought_up(working: Flask, tmp_path: Path) -> None:
    target = empty(tmp_path)
    path = backup(working, tmp_path)
    database = path / "database.sqlite"
    command.downgrade(schema.alembic_config(f"sqlite:///{database}"), "20261124_02")
    snapshots.make_one_file(database)
    with snapshots.reading(database) as connection:
        step, sums = schema.revision_of(connection), tables.sums(connection)
    old = read((path / MANIFEST).read_text(encoding="utf-8"))
    (path / MANIFEST).write_text(dataclasses.replace(old, schema=step, tables=sums).text(), encoding="utf-8")
    rewritten(path, "UPDATE server_meta SET id = 1")
    report = restore.restore(path, target, False, now_utc())
    assert report["ok"], report["verify"]
    engine = create_engine(target.database_url)
    with engine.connect() as connection:
        assert schema.revision_of(connection) == schema.head()
        assert connection.execute(text("SELECT count(*) FROM epochs")).scalar() == 2
    engine.dispose()


def test_a_backup_older_than_what_phones_were_told_is_safe_is_put_back_with_a_warning(
    working: Flask, tmp_path: Path
) -> None:
    config, old = config_of(working), backup(working, tmp_path)
    phone = Phone("r-3")
    phone.report()
    phone.push(working)
    newer = routine.run(config, tmp_path / "out", True, None, now_utc())
    report = restore.restore(old, config, True, now_utc())
    assert str(newer["durable_clock"]) in report["warnings"][0]
    assert "later epoch" in restore.restore(Path(newer["path"]), config, True, now_utc())["warnings"][0]


def test_the_newest_backup_is_put_back_without_a_warning(working: Flask, tmp_path: Path) -> None:
    config = config_of(working)
    newest = routine.run(config, tmp_path / "out", True, None, now_utc())
    assert restore.restore(Path(newest["path"]), config, True, now_utc())["warnings"] == []
