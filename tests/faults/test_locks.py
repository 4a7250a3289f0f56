"""Somebody else holds the database, or it goes away (F6, P5): a request waits or is told 503 with Retry-After within
12 s, nothing is a 500, and the pool heals by itself. The gate and the table of troubles, too."""

import errno
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.errors import Problem
from backend.gate import GateBusy, WriteGate
from backend.sync.turns import Turns
from backend.trouble import problem_of
from tests.faults.audit import faults_of, words_of
from tests.faults.phones import Pusher
from tests.faults.rig import Place, Template, prepare, serving
from tests.journeys.stage import until
from tests.postgres import cluster

LONGEST_S = 12.0


@pytest.fixture(scope="module")
def durable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """A cluster of its own with fsync on, which may be killed."""
    with cluster(fsync=True) as made:
        folder = tmp_path_factory.mktemp("durable")
        prepare(folder / "prepared", made.url)
        yield Template(folder / "prepared", made)


def timed(pusher: Pusher, request: bytes) -> tuple[int, dict[str, object], float]:
    started = time.monotonic()
    status, answer = pusher.send(request)
    return status, answer, time.monotonic() - started


def test_f6_a_stranger_who_holds_sqlite_is_waited_for_and_a_long_one_is_told_as_busy(
    place_of: Callable[[str], Place],
) -> None:
    place = place_of("sqlite")
    with serving(place) as server:
        pushers = [Pusher.enrol(place, server, n, n) for n in (1, 2, 3)]
        stranger = sqlite3.connect(place.folder / "huyuan.db", isolation_level=None, check_same_thread=False)
        stranger.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(1.0, stranger.execute, ("ROLLBACK",))
        timer.start()
        status, _, took = timed(pushers[0], pushers[0].batch(3))
        assert status == 200 and took < 4
        timer.join()
        stranger.execute("BEGIN IMMEDIATE")
        requests, told = [pusher.batch(3) for pusher in pushers], []
        threads = [
            threading.Thread(target=lambda p=p, r=r: told.append(timed(p, r)))
            for p, r in zip(pushers, requests, strict=True)
        ]
        for thread in threads:
            thread.start()
        status, page = server.json("POST", "/sync/v1/pull", {"proto": 1}, pushers[0].token)
        assert status == 200 and page["rows"], "reading must not wait for a writer"
        for thread in threads:
            thread.join()
        assert {(status, str(answer["code"])) for status, answer, _ in told} == {(503, "overloaded")}
        assert max(took for _, _, took in told) < LONGEST_S
        assert server.json("GET", "/readyz")[0] == 503
        stranger.execute("ROLLBACK")
        stranger.close()
        for pusher, request in zip(pushers, requests, strict=True):
            pusher.insist(request)
        assert server.is_ready() and words_of(server) == []
    assert faults_of(place, {op: told for pusher in pushers for op, told in pusher.acks.items()}) == []


def test_f6_a_locked_table_of_postgresql_is_waited_for_and_then_told_as_busy(place_of: Callable[[str], Place]) -> None:
    place = place_of("postgres")
    assert place.cluster is not None
    with serving(place) as server:
        pusher = Pusher.enrol(place, server)
        with place.cluster.connect(place.name) as line:
            line.execute("BEGIN")
            line.execute("LOCK TABLE inspections IN ACCESS EXCLUSIVE MODE")
            request = pusher.batch(3)
            status, answer, took = timed(pusher, request)
            assert (status, answer["code"]) == (503, "overloaded") and 5 < took < LONGEST_S
            line.execute("ROLLBACK")
        pusher.insist(request)
        assert words_of(server) == []
    assert faults_of(place, pusher.acks) == []


def test_f6_backends_that_are_killed_and_a_restart_of_postgresql_heal_by_themselves(
    durable: Template, tmp_path: Path
) -> None:
    place = durable.copy(tmp_path / "killed")
    assert place.cluster is not None
    with serving(place) as server:
        pusher = Pusher.enrol(place, server)
        requests = [pusher.batch(20) for _ in range(30)]
        worker = threading.Thread(target=lambda: [pusher.insist(request) for request in requests])
        worker.start()
        for _ in range(6):
            with place.cluster.connect("postgres") as line:
                line.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (place.name,))
            time.sleep(0.1)
        place.cluster.stop()
        status, answer = server.json("GET", "/readyz")
        assert status == 503, answer
        place.cluster.start()
        worker.join(60)
        assert not worker.is_alive() and server.is_ready()
        assert set(pusher.statuses) <= {200, 503} and words_of(server) == []
    assert set(pusher.acks) == set(pusher.recorded) and faults_of(place, pusher.acks) == []


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_p5_what_was_acknowledged_outlives_kill_9_of_postgresql_during_pushes(
    durable: Template, tmp_path: Path, rounds: int
) -> None:
    place = durable.copy(tmp_path / "postmaster")
    assert place.cluster is not None
    with serving(place) as server:
        pushers = [Pusher.enrol(place, server, n, n) for n in (1, 2, 3, 4)]
        for _ in range(rounds):
            work = [(p, [p.batch(15) for _ in range(6)]) for p in pushers]
            threads = [threading.Thread(target=lambda p=p, rs=rs: [p.insist(r) for r in rs]) for p, rs in work]
            for thread in threads:
                thread.start()
            before = len(pushers[0].acks)
            until(lambda n=before: len(pushers[0].acks) > n)
            place.cluster.kill()
            acked = {op: told for p in pushers for op, told in p.acks.items()}
            place.cluster.start()
            assert faults_of(place, acked) == [], "acknowledged before the kill, and not there after it"
            for thread in threads:
                thread.join(60)
        assert words_of(server) == [] and all(set(p.statuses) <= {200, 503} for p in pushers)
    acks = {op: told for p in pushers for op, told in p.acks.items()}
    assert set(acks) == {op for p in pushers for op in p.recorded} and faults_of(place, acks) == []


def test_the_gate_serves_in_the_order_of_coming_and_gives_up_in_time(tmp_path: Path) -> None:
    gate, order, asked = WriteGate(tmp_path / "gate.db", wait_s=5), list[int](), threading.Semaphore(0)

    def come(n: int) -> None:
        asked.release()
        with gate.hold():
            order.append(n)

    with gate.hold():
        threads = []
        for n in range(20):
            threads.append(threading.Thread(target=come, args=(n,)))
            threads[-1].start()
            asked.acquire()
            assert until(lambda n=n: len(gate._queue._turns) == n + 1)
    for thread in threads:
        thread.join()
    assert order == list(range(20))
    other = WriteGate(tmp_path / "gate.db", wait_s=0.2)  # as another process: a lock of its own on the same file
    with gate.hold():
        for late in (gate, other):
            late._wait_s, started = 0.2, time.monotonic()
            with pytest.raises(GateBusy), late.hold():
                raise AssertionError("two writers at once")
            assert 0.2 <= time.monotonic() - started < 2
    for free in (gate, other):
        with free.hold():
            assert free._queue.held == 1
        free.close()


def test_a_second_push_of_a_replica_waits_a_moment_and_is_then_told_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.sync.turns.WAIT_S", 0.1)
    turns = Turns()
    with turns.hold("r-1"):
        with turns.hold("r-2"), pytest.raises(Problem) as busy, turns.hold("r-1"):
            raise AssertionError("two pushes of one replica at once")
        assert (busy.value.code, busy.value.status) == ("busy", 409) and busy.value.retry_after_s
    with turns.hold("r-1"):
        assert turns._busy == {"r-1"}


def sqlite_fault(code: int) -> sqlite3.OperationalError:
    made = sqlite3.OperationalError("said")
    made.sqlite_errorcode = code
    return made


@pytest.mark.parametrize(("fault", "code"), [
    (sqlite_fault(sqlite3.SQLITE_FULL), "storage_full"), (sqlite_fault(sqlite3.SQLITE_BUSY), "overloaded"),
    (sqlite_fault(sqlite3.SQLITE_BUSY_SNAPSHOT), "overloaded"), (sqlite_fault(sqlite3.SQLITE_IOERR_FSYNC), "overloaded"),
    (sqlite_fault(sqlite3.SQLITE_CORRUPT), None), (sqlite_fault(sqlite3.SQLITE_CONSTRAINT_UNIQUE), None),
    (psycopg.errors.DiskFull("said"), "storage_full"), (psycopg.errors.LockNotAvailable("said"), "overloaded"),
    (psycopg.errors.AdminShutdown("said"), "overloaded"), (psycopg.errors.DeadlockDetected("said"), "overloaded"),
    (psycopg.errors.CannotConnectNow("said"), "overloaded"), (psycopg.OperationalError("gone"), "overloaded"),
    (psycopg.InterfaceError("closed"), "overloaded"), (psycopg.errors.UniqueViolation("said"), None),
    (psycopg.errors.UndefinedColumn("said"), None), (psycopg.errors.ReadOnlySqlTransaction("said"), "overloaded"),
    (GateBusy("said"), "overloaded"), (PoolTimeout("said"), "overloaded"), (ValueError("said"), None),
    (OSError(errno.ENOSPC, "said"), "storage_full"), (OSError(errno.EIO, "said"), "overloaded"),
    (OSError(errno.EACCES, "said"), None), (KeyError("said"), None),
], ids=repr)  # fmt: skip
def test_each_trouble_has_its_answer_and_a_fault_of_ours_has_none(fault: Exception, code: str | None) -> None:
    for told in (fault, OperationalError("INSERT", {}, fault)):
        found = problem_of(told)
        assert (found.code if found else None) == code
        assert found is None or (found.status in (503, 507) and (found.retry_after_s or 0) > 0)


def test_a_full_disk_is_told_even_where_the_undoing_fails_after_it() -> None:
    try:
        try:
            raise sqlite_fault(sqlite3.SQLITE_FULL)
        finally:
            raise sqlite_fault(sqlite3.SQLITE_ERROR)  # no such savepoint: the transaction is gone already
    except sqlite3.OperationalError as last:
        found = problem_of(OperationalError("ROLLBACK", {}, last))
    assert found is not None and found.code == "storage_full"
