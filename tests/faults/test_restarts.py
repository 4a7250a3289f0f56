"""The server killed at random moments, and the server told to stop (F1; T5 of the outside): acknowledged is stored,
every start is its own repair, and a stop finishes what is under way."""

import http.client
import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.faults.audit import faults_of, words_of
from tests.faults.phones import Photographer, Pusher
from tests.faults.rig import Place, Server, serving
from tests.journeys.stage import until

READY_CPU_S = 3.0


def storm(place: Place, rounds: int, phones: int, seed: int) -> None:
    """`phones` devices push and bring photos without end; the whole group is killed at random moments; all is checked."""
    dice, server = Random(f"{seed}"), Server(place)
    server.start()
    pushers = [Pusher.enrol(place, server, n % 8 + 1, n) for n in range(phones)]
    over, photos, faults = threading.Event(), set[str](), list[BaseException]()

    def phone(pusher: Pusher, n: int) -> None:
        try:
            count = 0
            while not over.is_set():
                pusher.insist(pusher.batch(10), seconds=120)
                if count % 3 == 0:
                    one = Photographer(pusher.token, f"{seed}:{n}:{count}")
                    bring(one, server)
                    photos.add(one.sha)
                count += 1
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=phone, args=(pusher, n)) for n, pusher in enumerate(pushers)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(rounds):
            time.sleep(dice.uniform(0.2, 1.2))
            server.kill()
            server.start()
        over.set()
        for thread in threads:
            thread.join(120)
    finally:
        over.set()
        server.end()
    assert faults == [] and not [t for t in threads if t.is_alive()]
    acks = {op: told for pusher in pushers for op, told in pusher.acks.items()}
    assert set(acks) == {op for pusher in pushers for op in pusher.recorded} and len(acks) >= 10 * phones
    assert faults_of(place, acks, photos) == [] and words_of(server) == []
    assert min(server.start_cpu_s) < READY_CPU_S, server.start_cpu_s


def bring(one: Photographer, server: Server, seconds: float = 120.0) -> None:
    """Bring a photo up, whatever happens to the server meanwhile."""
    end = time.monotonic() + seconds
    while True:
        try:
            one.bring(server.ask)
            return
        except (OSError, AssertionError, http.client.HTTPException) as lost:
            is_trouble = not isinstance(lost, AssertionError) or "(503," in str(lost) or "(423," in str(lost)
            assert is_trouble and time.monotonic() < end, lost
            time.sleep(0.05)


def test_f1_killed_at_random_moments_nothing_acknowledged_is_lost(place: Place) -> None:
    storm(place, rounds=3, phones=4, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_f1_twenty_kills_at_random_moments_of_a_storm(place: Place, seed: int) -> None:
    storm(place, rounds=20, phones=8, seed=seed)


def test_told_to_stop_it_finishes_folds_its_log_back_and_ends_well(place: Place) -> None:
    place.more["HUYUAN_WORKER"] = "thread"
    with serving(place) as server:
        pusher = Pusher.enrol(place, server)
        requests = [pusher.batch(60) for _ in range(4)]
        told: list[int] = []
        thread = threading.Thread(target=lambda: [told.append(pusher.send(request)[0]) for request in requests])
        thread.start()
        until(lambda: len(told) >= 1)
        started = time.monotonic()
        assert server.stop() == 0 and time.monotonic() - started < 30
        thread.join()
        assert words_of(server) == []
    if place.is_sqlite:
        wal = place.folder / "huyuan.db-wal"
        assert not wal.exists() or wal.stat().st_size == 0
        with sqlite3.connect(place.folder / "huyuan.db") as line:
            assert line.execute("SELECT count(*) FROM op_log WHERE replica = ?", (pusher.replica,)).fetchone()[
                0
            ] == len(pusher.acks)
        line.close()
    assert len(pusher.acks) >= 60 and faults_of(place, pusher.acks) == []


def test_draining_is_said_by_readyz_while_requests_are_still_taken(place_of: Callable[[str], Place]) -> None:
    place = place_of("sqlite")
    place.more["HUYUAN_DRAIN_S"] = "3"
    with serving(place) as server:
        pusher = Pusher.enrol(place, server)
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGTERM)
        assert until(lambda: server.json("GET", "/readyz")[1].get("detail") == "draining")
        assert pusher.send(pusher.batch(3))[0] == 200
        assert server.process.wait(30) == 0 and words_of(server) == []
    assert faults_of(place, pusher.acks) == []


def slow_patch(one: Photographer, server: Server, url: str, at: int, part: bytes, pause_s: float) -> bytes:
    """A PATCH of the rest whose bytes trickle: `part` by `part`; what the server says when it has had enough."""
    rows = [f"PATCH {url} HTTP/1.1", "Host: x", f"Content-Length: {len(one.data) - at}"]
    rows += [f"{k}: {v}" for k, v in one.patch_headers(at).items()]
    with socket.create_connection(("127.0.0.1", server.port), 30) as line:
        line.sendall("\r\n".join(rows).encode() + b"\r\n\r\n" + part)
        line.settimeout(pause_s)
        return line.makefile("rb").read()


def test_an_upload_under_way_ends_where_it_is_when_the_server_stops_and_goes_on_afterwards(
    place_of: Callable[[str], Place],
) -> None:
    place, photos = place_of("sqlite"), set[str]()
    place.more["HUYUAN_STALL_S"] = "1"
    with serving(place) as server:
        pusher = Pusher.enrol(place, server)
        one = Photographer(pusher.token, "stalled")
        one.data += bytes(400_000)
        one.rename()
        url = one.create(server.ask)
        answer: list[bytes] = []
        stalled = threading.Thread(
            target=lambda: answer.append(slow_patch(one, server, url, 0, one.data[:200_000], 25))
        )
        stalled.start()
        time.sleep(0.3)
        started = time.monotonic()
        assert server.stop() == 0 and time.monotonic() - started < 15, "a phone that has gone held the stop up"
        stalled.join()
        server.start()
        at = one.offset(server.ask, url)
        assert 200_000 - 65_536 <= at <= 200_000, at
        one.bring(server.ask)
        photos.add(one.sha)
        assert words_of(server) == []
    assert faults_of(place, {}, photos) == []


def test_a_line_on_which_nothing_moves_is_given_up_and_its_thread_serves_others(
    place_of: Callable[[str], Place], tmp_path: Path
) -> None:
    place = place_of("sqlite")
    place.more["HUYUAN_STALL_S"] = "1"
    with serving(place) as server:
        pusher = Pusher.enrol(place, server)
        ones = [Photographer(pusher.token, f"stalled{n}") for n in range(70)]  # more than there are threads
        urls = [one.create(server.ask) for one in ones]
        threads = [
            threading.Thread(target=slow_patch, args=(one, server, url, 0, one.data[:100], 25))
            for one, url in zip(ones, urls, strict=True)
        ]
        for thread in threads:
            thread.start()
        started = time.monotonic()
        pusher.insist(pusher.batch(3))
        assert time.monotonic() - started < 15
        for thread in threads:
            thread.join()
        assert {one.offset(server.ask, url) for one, url in zip(ones, urls, strict=True)} <= {0, 100}
        assert words_of(server) == []
