"""A whole day's traffic again (F10, F11, F12; I2, I15, I20), and clocks that lie (F7, F8): the record is the same, byte
for byte, and the answers are too."""

import json
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from backend.database import snapshot, transaction
from backend.feed.models import FeedRow
from backend.inspections.models import Inspection
from backend.now import now_utc
from backend.ops import jobs
from backend.problems.models import Problem
from backend.sync.models import Replica
from sync_protocol.identity import chain_head, fingerprint
from tests.faults.audit import faults_of, state_hash, words_of
from tests.faults.phones import Photographer, Pusher, op_body, sites
from tests.faults.rig import Place, Server, serving

FAKETIME = next((p for p in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
                             "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1") if os.path.exists(p)), "")  # fmt: skip
PASSING = ("time", "dup", "detail", "next_sync_after")


def plain(answer: Any) -> Any:
    """An answer without what may differ between two tellings: times of the clock, and that it is the second."""
    if isinstance(answer, dict):
        return {k: plain(v) for k, v in answer.items() if k not in PASSING}
    return [plain(v) for v in answer] if isinstance(answer, list) else answer


def test_f11_a_whole_day_twice_eight_at_once_changes_nothing_and_is_answered_alike(place: Place) -> None:
    with serving(place) as server:
        pushers = [Pusher.enrol(place, server, n, n) for n in range(1, 5)]
        day = [(pusher, pusher.batch(25)) for _ in range(3) for pusher in pushers]
        first = [plain(pusher.insist(request)) for pusher, request in day]
        photos = [Photographer(pusher.token, f"day{n}") for n, pusher in enumerate(pushers)]
        for one in photos:
            one.bring(server.ask)
        before, told = state_hash(place), dict[int, list[Any]]()
        work = [(n, pusher, request) for n, (pusher, request) in enumerate(day)] * 2
        Random(11).shuffle(work)
        lock = threading.Lock()

        def replay() -> None:
            while True:
                with lock:
                    if not work:
                        return
                    n, pusher, request = work.pop()
                answer = pusher.insist(request)
                assert all(result["dup"] for result in answer["results"])
                told.setdefault(n, []).append(plain(answer)["results"])

        threads = [threading.Thread(target=replay) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one in photos:
            one.bring(server.ask)
            assert one.offset(server.ask, one.create(server.ask)) == len(one.data)
        assert told == {n: [first[n]["results"]] * 2 for n in range(len(day))}
        assert state_hash(place) == before and words_of(server) == []
    acks = {op: result for pusher in pushers for op, result in pusher.acks.items()}
    assert faults_of(place, acks, {one.sha for one in photos}) == []


CLOCKS = {
    "honest": lambda n: {"wall": "2026-11-24T10:00:00+08:00", "mono": 1000 + n, "boot": "b"},
    "1970": lambda n: {"wall": "1970-01-01T00:00:00+00:00", "mono": 0, "boot": "b"},
    "2038": lambda n: {"wall": "2038-01-19T03:14:08+00:00", "mono": 2**53 - 1, "boot": "b"},
    "ten years back": lambda n: {"wall": "2016-11-24T10:00:00+08:00", "mono": 5000 - n, "boot": f"b{n}"},
    "ten years ahead": lambda n: {"wall": "2036-11-24T10:00:00+08:00", "mono": 1, "boot": "b"},
    "nonsense": lambda n: {"wall": "gestern", "mono": -1, "boot": 7},
    "none": lambda n: {},
}  # fmt: skip


def outcome_of(place: Place, clock: Callable[[int], dict[str, Any]], bodies: list[str]) -> Any:
    """The same ops with this clock's stamps: what they are told, and what stands in the feed."""
    with serving(place) as server:
        pusher, ops = Pusher.enrol(place, server), []
        for n, body in enumerate(bodies):
            text = json.dumps(json.loads(body) | {"at": clock(n)}, ensure_ascii=False)
            ops.append({"seq": pusher.seq, "prev": pusher.head, "body": text})
            pusher.head = chain_head(pusher.head, pusher.replica, pusher.seq, fingerprint(text))
            pusher.seq += 1
        answer = pusher.insist(pusher.request(ops))
        assert words_of(server) == []
    with place.app(), snapshot() as session:
        feed = session.execute(select(FeedRow.bucket, FeedRow.type, FeedRow.id, FeedRow.clock, FeedRow.sub, FeedRow.ver)
                               .order_by(FeedRow.bucket, FeedRow.type, FeedRow.id)).all()  # fmt: skip
        kept = session.execute(select(Inspection.id, Inspection.op_id, Inspection.failed).order_by(Inspection.id)).all()
        problems = session.execute(select(Problem.id, Problem.state, Problem.grade, Problem.report_count, Problem.number)
                                   .order_by(Problem.id)).all()  # fmt: skip
    assert faults_of(place, pusher.acks) == []
    return plain(answer)["results"], [list(map(tuple, rows)) for rows in (feed, kept, problems)]


def test_f8_clocks_of_devices_decide_nothing_whatever_they_say(place_of: Callable[[str], Place]) -> None:
    first = place_of("sqlite")
    dice, schools = Random(8), sites(first)[:6]
    bodies = [op_body("u-f1", "tf1", dice.choice(schools), dice) for _ in range(30)]
    shutil.copytree(first.folder, first.folder.parent / "untouched")
    honest = outcome_of(first, CLOCKS["honest"], bodies)
    assert {result["status"] for result in honest[0]} == {"applied"} and honest[1][2]
    for name, clock in CLOCKS.items():
        if name == "honest":
            continue
        folder = first.folder.parent / name.replace(" ", "-")
        shutil.copytree(first.folder.parent / "untouched", folder)
        assert outcome_of(Place(folder, f"sqlite:///{folder / 'huyuan.db'}"), clock, bodies) == honest, name


@pytest.mark.skipif(not FAKETIME, reason="libfaketime is not on this machine: a server's clock cannot be moved")
def test_f7_a_server_whose_clock_jumps_keeps_the_order_of_its_feed_and_takes_no_code_that_is_over(
    place: Place, tmp_path: Path
) -> None:
    said = tmp_path / "faketime"
    said.write_text("+0")
    fake = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(said), "FAKETIME_NO_CACHE": "1"}
    server = Server(place)
    try:
        server.start(more=fake)
        pusher, shas, clocks = Pusher.enrol(place, server), set[str](), list[int]()
        late_code = place.code(2)
        for jump in ("+0", "+1h", "-2h", "+400d", "+0"):
            said.write_text(jump)
            answer = pusher.insist(pusher.batch(20))
            clocks += sorted({result["clock"] for result in answer["results"]})
            one = Photographer(pusher.token, f"jump{len(shas)}")
            one.bring(server.ask)
            shas.add(one.sha)
            request = {"code": late_code, "install_id": "late", "app": "faults/1", "proto": 1}
            if jump == "+400d":
                assert server.json("POST", "/sync/v1/enrol", request)[0] == 404, "a code that is over was taken"
            status, page = server.json("POST", "/sync/v1/pull", {"proto": 1}, pusher.token)
            assert status == 200 and page["as_of"] >= clocks[-1]
        assert clocks == sorted(clocks)
        assert words_of(server) == []
    finally:
        server.end()
    assert faults_of(place, pusher.acks, shas) == []


def test_f7_jobs_and_leases_of_a_clock_that_was_wrong_do_not_wait_for_its_day(place: Place) -> None:
    now, ahead = now_utc(), now_utc() + timedelta(days=400)
    done: list[str] = []
    kinds = {"test.note": lambda payload, _: done.append(payload["name"])}
    with place.app():
        with transaction() as session:
            jobs.enqueue(session, "test.note", "test.note:future", {"name": "future"}, ahead)
            jobs.enqueue(session, "test.note", "test.note:leased", {"name": "leased"}, now)
        leased = jobs.claim(ahead)
        assert leased is not None and leased.key == "test.note:leased"
        while jobs.run_one(kinds, now):
            continue
        assert sorted(done) == ["future", "leased"]
        with transaction() as session:
            jobs.enqueue(session, "test.note", "test.note:soon", {"name": "soon"}, now + timedelta(hours=2))
        assert not jobs.run_one(kinds, now) and jobs.run_one(kinds, now + timedelta(hours=3))


@contextmanager
def writing(place: Place) -> Iterator[None]:
    """Somebody else who writes, and does not end: nobody gets a turn at the database, or at any replica."""
    if place.cluster is None:
        line = sqlite3.connect(place.folder / "huyuan.db", isolation_level=None)
        line.execute("BEGIN IMMEDIATE")
        yield
        line.close()
        return
    with place.cluster.connect(place.name) as other:
        other.execute("BEGIN")
        other.execute("SELECT id FROM replicas FOR UPDATE")
        yield
        other.execute("ROLLBACK")


def test_i20_a_push_that_is_known_in_every_op_is_told_again_while_nobody_can_write(place: Place) -> None:
    with serving(place) as server:
        pusher = Pusher.enrol(place, server)
        known, new = pusher.batch(30), pusher.batch(2)
        first = pusher.insist(known)
        with writing(place):
            started = time.monotonic()
            status, again = pusher.send(known)
            took = time.monotonic() - started
            assert status == 200 and all(result["dup"] for result in again["results"])
            assert took < 2.5, "it waited for a turn at writing"  # less than any wait for a lock here
            assert pusher.send(new, timeout_s=40)[0] == 503, "the other one does keep writers out"
        assert [{**result, "dup": False} for result in again["results"]] == first["results"]
        assert {k: again[k] for k in ("next_seq", "head", "epoch")} == {k: first[k] for k in ("next_seq", "head", "epoch")}
        altered = json.loads(known) | {"outbox_len": 77}  # what it says besides is news, and is noted
        assert pusher.send(json.dumps(altered).encode())[0] == 200
        with place.app(), snapshot() as session:
            assert session.scalars(select(Replica.outbox_len).where(Replica.id == pusher.replica)).one() == 77 - 30  # less those of this push
        pusher.insist(new)
    assert faults_of(place, pusher.acks) == []
