"""SQLite as this product opens it: one moment per read, writers in order of coming, every commit on the disk
(S1–S4 of sync.md §4.3). The driver's own defaults fail here, which is the reason for ours."""

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pytest
from flask import Flask
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from backend.database import db, prepare_sqlite, snapshot, transaction
from tests.faults.phones import Pusher
from tests.faults.rig import Place, serving

WRITERS = 16


@pytest.fixture
def app(place_of: Callable[[str], Place]) -> Iterator[Flask]:
    with place_of("sqlite").app() as made:
        yield made


def as_the_driver_does(path: Path) -> Engine:
    """An engine with nothing of ours."""
    return create_engine(f"sqlite:///{path}")


def as_we_do(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")
    prepare_sqlite(engine)
    return engine


def counter(path: Path) -> None:
    """A database with a clock in it; with the log beside it, so that readers and writers meet at all."""
    with sqlite3.connect(path) as line:
        line.execute("PRAGMA journal_mode=WAL")
        line.execute("CREATE TABLE clock (v INT)")
        line.execute("INSERT INTO clock VALUES (1)")
    line.close()


def reads(engine: Engine, path: Path) -> list[int]:
    """The clock read twice in one transaction, while somebody else moves it in between."""
    with engine.connect() as line:
        first = line.execute(text("SELECT v FROM clock")).scalar_one()
        with sqlite3.connect(path) as other:
            other.execute("UPDATE clock SET v = v + 1")
        other.close()
        return [first, line.execute(text("SELECT v FROM clock")).scalar_one()]


def test_s1_a_read_is_of_one_moment_here_and_torn_with_the_drivers_defaults(tmp_path: Path) -> None:
    path = tmp_path / "s1.db"
    counter(path)
    theirs, ours = as_the_driver_does(path), as_we_do(path)
    try:
        assert reads(theirs, path) == [1, 2]
        assert reads(ours, path) == [2, 2]
    finally:
        theirs.dispose()
        ours.dispose()


def test_s2_reading_and_then_writing_fails_at_once_without_our_begin_and_never_with_it(
    app: Flask, tmp_path: Path
) -> None:
    path = tmp_path / "s2.db"
    counter(path)
    plain = create_engine(f"sqlite:///{path}", connect_args={"timeout": 10})
    event.listen(plain, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
    event.listen(plain, "begin", lambda line: line.exec_driver_sql("BEGIN"))
    with plain.connect() as line:
        line.execute(text("SELECT v FROM clock")).scalar_one()
        with sqlite3.connect(path) as other:
            other.execute("UPDATE clock SET v = v + 1")
        other.close()
        started = time.monotonic()
        with pytest.raises(OperationalError, match="locked"):
            line.execute(text("UPDATE clock SET v = v + 1"))
        assert time.monotonic() - started < 1, "it waited: not the fault that is meant"
    plain.dispose()

    def read_and_write() -> None:
        with app.app_context(), transaction() as session:
            n = session.execute(text("SELECT n FROM problem_numbers WHERE series = 's2'")).scalar()
            if n is None:
                session.execute(text("INSERT INTO problem_numbers VALUES ('s2', 1)"))
            else:
                session.execute(text("UPDATE problem_numbers SET n = :n WHERE series = 's2'"), {"n": n + 1})

    together([read_and_write] * 8, times=10)
    with snapshot() as session:
        assert session.execute(text("SELECT n FROM problem_numbers WHERE series = 's2'")).scalar_one() == 80


def together(works: list[Callable[[], None]], times: int) -> None:
    """Threads that each do their work `times` times. A fault in one is raised."""
    faults: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            for _ in range(times):
                work()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


def settings_of(session: Session) -> tuple[object, ...]:
    names = ("synchronous", "journal_mode", "foreign_keys", "wal_autocheckpoint")
    return tuple(session.connection().exec_driver_sql(f"PRAGMA {name}").scalar() for name in names)


def test_s3_every_connection_of_the_pool_writes_through_to_the_disk(app: Flask) -> None:
    seen, room = list[tuple[object, ...]](), threading.Barrier(40)

    def look() -> None:
        with app.app_context(), snapshot() as session:
            room.wait(20)  # forty at once are forty connections
            seen.append(settings_of(session))

    together([look] * 40, times=1)
    with transaction() as session:
        seen.append(settings_of(session))
    assert set(seen) == {(2, "wal", 1, 0)} and len(seen) == 41
    assert db.engine.pool.checkedin() >= 32  # type: ignore[attr-defined]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not on this machine: syncs cannot be counted")
def test_s3_between_a_push_and_its_answer_the_log_is_synced(place_of: Callable[[str], Place], tmp_path: Path) -> None:
    place, trace = place_of("sqlite"), tmp_path / "trace"
    command = [
        "strace",
        "-D",
        "-f",
        "-qq",
        "-y",
        "-e",
        "trace=fdatasync,fsync",
        "-e",
        "signal=none",
        "-o",
        str(trace),
    ]
    with serving(place, before=command) as server:
        pusher = Pusher.enrol(place, server)
        for _ in range(5):
            before = trace.read_text().count("huyuan.db-wal")
            pusher.insist(pusher.batch(3))
            assert trace.read_text().count("huyuan.db-wal") > before


def waits_s(app: Flask) -> list[float]:
    """How long each of many short writes took, from asking to being through."""
    found: list[float] = []

    def write() -> None:
        asked = time.monotonic()
        with app.app_context(), transaction() as session:
            session.execute(text("UPDATE problem_numbers SET n = n + 1 WHERE series = 's4'"))
            time.sleep(0.002)
        found.append(time.monotonic() - asked)

    together([write] * WRITERS, times=25)
    return sorted(found)


def test_s4_sixteen_writers_are_served_in_the_order_of_their_coming(app: Flask) -> None:
    with transaction() as session:
        session.execute(text("INSERT INTO problem_numbers VALUES ('s4', 0)"))
    found = waits_s(app)
    assert found[int(len(found) * 0.99)] < 5 * median(found), (median(found), found[-5:])
    with snapshot() as session:
        assert session.execute(text("SELECT n FROM problem_numbers WHERE series = 's4'")).scalar_one() == 25 * WRITERS
