"""Who is let in when everybody comes at once (P84–P88): a real server with small lanes, and slow lines."""

import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from backend.database import tick, transaction
from backend.errors import Problem
from backend.queueing import Queue
from backend.sync.admission import Lane
from backend.sync.turns import Turns
from sync_protocol.client.session import FieldClient
from sync_protocol.client.transport import ServerBusy, Transport
from tests.faults.phones import Pusher
from tests.faults.rig import Place, Server, Template

SMALL = "push=2/1 pull=2/1 blobs=2/2 urgent=1/1"


@contextmanager
def served(template: Template, folder: Any, **more: str) -> Iterator[tuple[Place, Server]]:
    place = template.copy(folder / "place")
    server = Server(place)
    server.start(more={"HUYUAN_LANES": SMALL, **more})
    try:
        yield place, server
    finally:
        server.end()


@pytest.fixture(scope="module")
def small(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Server]]:
    with served(sqlite_template, tmp_path_factory.mktemp("lanes")) as made:
        yield made


def head(token: str, length: int, more: str = "") -> bytes:
    """The head of a push."""
    lines = [f"Authorization: Bearer {token}", f"Content-Length: {length}"]
    return ("POST /sync/v1/push HTTP/1.1\r\nHost: x\r\n" + "\r\n".join(lines) + f"\r\n{more}\r\n").encode()


class Half:
    """A request whose body does not come to an end."""

    def __init__(self, server: Server, token: str, sent: bytes = b"{", more: str = "") -> None:
        self.line = socket.create_connection(("127.0.0.1", server.port), 10)
        self.line.sendall(head(token, 200_000, more) + sent)

    def answer(self) -> tuple[int, dict[str, str], Any]:
        """Status, headers, JSON of what is answered before the body has ended."""
        got = http.client.HTTPResponse(self.line)
        got.begin()
        return got.status, {k.lower(): v for k, v in got.getheaders()}, json.loads(got.read() or b"null")

    def __enter__(self) -> "Half":
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()


def until(step: Any, seconds: float = 15.0) -> Any:
    end = time.monotonic() + seconds
    while not (got := step()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return got


def push_status(pusher: Pusher) -> int:
    return pusher.send(pusher.request([]))[0]


@contextmanager
def full(server: Server, pushers: list[Pusher]) -> Iterator[None]:
    """The push lane taken by phones whose bodies never end."""
    with ExitStack() as halves:
        while push_status(pushers[2]) != 503:
            halves.enter_context(Half(server, pushers[0].token))
            time.sleep(0.05)
        yield
    until(lambda: push_status(pushers[2]) == 200)


@pytest.fixture(scope="module")
def pushers(small: tuple[Place, Server]) -> list[Pusher]:
    place, server = small
    return [Pusher.enrol(place, server, n, "lanes") for n in range(1, 5)]


def test_p84_who_finds_a_lane_full_is_told_at_once_when_to_come_back_before_a_byte_of_the_body_is_read(
    small: tuple[Place, Server], pushers: list[Pusher]
) -> None:
    server, waits = small[1], set()
    with full(server, pushers):
        while len(waits) < 2:  # spread: those sent away do not come together again; each appointment is behind the one before
            begun = time.monotonic()
            with Half(server, pushers[2].token, sent=b"") as half:
                status, headers, problem = half.answer()
            assert (status, problem["code"], problem["retryable"]) == (503, "overloaded", True)
            assert 1 <= int(headers["retry-after"]) <= 60 and problem["retry_after"] == int(headers["retry-after"])
            assert time.monotonic() - begun < 2
            waits.add(headers["retry-after"])
        assert min(map(int, waits)) < 30  # and the lane does not stand empty before they do


@given(most=st.integers(1, 64), stay_s=st.floats(0.01, 20), away=st.integers(1, 600), stuck_s=st.floats(0, 100))
def test_p84_appointments_lie_as_far_apart_as_places_come_free_and_never_beyond_a_minute(
    most: int, stay_s: float, away: int, stuck_s: float
) -> None:
    lane = Lane("push", most, Queue(1), came_at_s=[1000 - stuck_s] * most, stay_s=stay_s)
    told = [lane.appointment_s(1000.0) for _ in range(away)]
    a_second = most / max(stay_s, stuck_s)  # guests who leave, as long as they stay as those before or as they have
    last_s = 1 + away / a_second
    assert all(1 <= seconds <= 60 for seconds in told)
    if last_s < 60:
        for second in range(1, 60):  # nobody is told to come before there is room for those before and for them
            assert sum(seconds <= second for seconds in told) <= a_second * second + 1
        assert max(told) <= last_s + 1  # nor long after it
    lane.came_at_s.clear()
    assert lane.appointment_s(5000.0) <= 2 + stay_s / most  # a book whose time is over keeps nobody away


def test_p84_other_lanes_and_small_requests_go_on_beside_a_full_one(
    small: tuple[Place, Server], pushers: list[Pusher]
) -> None:
    server = small[1]
    bearer = {"Authorization": f"Bearer {pushers[2].token}"}
    with full(server, pushers):
        status, _, page = server.ask("POST", "/sync/v1/pull", b'{"proto":1,"limit":1}', bearer)
        assert status == 200 and json.loads(page)["rows"]
        assert server.ask("GET", "/sync/v1/hello")[0] == 200
        assert server.ask("GET", "/sync/v1/attention", headers=bearer)[0] == 200


def test_p84_danger_comes_in_by_a_lane_of_its_own_and_where_that_is_full_by_the_ordinary_one(
    small: tuple[Place, Server], pushers: list[Pusher]
) -> None:
    server = small[1]
    urgent = {"Authorization": f"Bearer {pushers[2].token}", "Huyuan-Urgent": "1"}
    with full(server, pushers):
        body = json.loads(pushers[2].batch(1)) | {"urgent": True}
        status, _, data = server.ask("POST", "/sync/v1/push", json.dumps(body).encode(), urgent)
        assert status == 200 and json.loads(data)["results"][0]["status"] == "applied"
        with ExitStack() as halves:
            while server.ask("POST", "/sync/v1/push", pushers[2].request([]), urgent)[0] != 503:
                halves.enter_context(Half(server, pushers[3].token, more="Huyuan-Urgent: 1\r\n"))
                time.sleep(0.05)
    assert server.ask("POST", "/sync/v1/push", pushers[2].request([]), urgent)[0] == 200


def test_p84_a_stranger_takes_nobodys_place(small: tuple[Place, Server], pushers: list[Pusher]) -> None:
    server = small[1]
    with ExitStack() as halves:
        strangers = [halves.enter_context(Half(server, "hy_dev_nobody", sent=b"")) for _ in range(4)]
        assert [half.answer()[0] for half in strangers] == [401] * 4
        assert push_status(pushers[2]) == 200


def test_p84_the_connection_of_a_refused_request_goes_on_if_its_body_was_quick_and_is_closed_if_not(
    small: tuple[Place, Server], pushers: list[Pusher]
) -> None:
    server = small[1]
    with full(server, pushers), socket.create_connection(("127.0.0.1", server.port), 10) as line:
        body = b"x" * 100_000
        for _ in range(3):
            line.sendall(head(pushers[2].token, len(body)) + body)
            got = http.client.HTTPResponse(line)
            got.begin()
            assert (got.status, bool(got.read())) == (503, True)
        with Half(server, pushers[2].token, sent=b"x" * 500) as slow:
            assert slow.answer()[0] == 503
            slow.line.settimeout(5)
            assert slow.line.recv(1) == b""  # closed, and not reset before the answer was read


def test_p84_a_phone_that_still_sends_when_it_is_refused_reads_the_answer(
    small: tuple[Place, Server], pushers: list[Pusher]
) -> None:
    server = small[1]
    phone = Transport(server.url, 20)
    phone.token = pushers[2].token
    with full(server, pushers):
        for _ in range(2):
            with pytest.raises(ServerBusy) as busy:
                phone.json("POST", "/sync/v1/push", {"noise": Random(1).randbytes(3_000_000).hex()})
            assert 1 <= busy.value.retry_after_s <= 60
    phone.close()


def test_p84_places_come_back_whatever_became_of_their_requests(
    small: tuple[Place, Server], pushers: list[Pusher]
) -> None:
    server, pusher = small[1], pushers[2]
    bearer = {"Authorization": f"Bearer {pusher.token}"}
    for _ in range(3):
        with full(server, pushers):
            pass
        for body in (b"no json", b"[]", b"x" * 300_000, pusher.request([{"seq": 0}]), gzip.compress(b"{")[:9]):
            assert server.ask("POST", "/sync/v1/push", body, bearer)[0] in (400, 413)
        assert server.ask("POST", "/sync/v1/pull", b"{", bearer)[0] == 400
        assert server.ask("PATCH", "/sync/v1/blobs/x", b"1", {**bearer, "Tus-Resumable": "1.0.0"})[0] == 415
    assert push_status(pusher) == 200


def test_p85_a_second_push_of_a_replica_waits_and_is_told_busy_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.sync.turns.WAIT_S", 0.02)
    turns = Turns()
    with turns.hold("r-1"), turns.hold("r-2"), pytest.raises(Problem) as told, turns.hold("r-1"):
        raise AssertionError("two pushes of one replica")
    assert (told.value.status, told.value.code) == (409, "busy") and told.value.retry_after_s
    with turns.hold("r-1"):
        assert turns._busy == {"r-1"}  # nothing is kept of replicas that are not at work


def test_p85_eight_pushes_of_one_replica_at_once_are_taken_once(small: tuple[Place, Server]) -> None:
    place, server = small
    pusher, answers = Pusher.enrol(place, server, 5, "eight"), list[Any]()
    request = pusher.batch(20)
    threads = [threading.Thread(target=lambda: answers.append(pusher.send(request))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = {(status, answer.get("code")) for status, answer in answers}
    assert told <= {(200, None), (409, "busy"), (503, "overloaded")} and (200, None) in told
    fresh = [r for status, answer in answers if status == 200 for r in answer["results"] if not r["dup"]]
    assert len(fresh) == 20


@pytest.fixture(scope="module")
def strict(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Server]]:
    """A server that gives a push no time and an op little room."""
    folder = tmp_path_factory.mktemp("strict")
    with served(sqlite_template, folder, HUYUAN_PUSH_SECONDS="0", HUYUAN_MAX_OP_BYTES="4000") as made:
        yield made


def test_p87_a_push_that_takes_too_long_says_where_it_stopped_and_the_client_goes_on(
    strict: tuple[Place, Server], tmp_path: Any
) -> None:
    place, server = strict
    pusher = Pusher.enrol(place, server, 6, "late")
    status, answer = pusher.send(pusher.batch(150))
    assert (status, answer["stopped"]["reason"]) == (200, "time")
    assert answer["stopped"]["at_seq"] == len(answer["results"]) + 1 == answer["next_seq"] < 150
    phone = FieldClient(tmp_path / "phone", server.url, synchronous="OFF")
    phone.enrol(place.code(6), "late-2")
    ops = [phone.record("thing.unheard", ("thing", f"late-{n}"), {}) for n in range(230)]
    assert phone.sync(tries=8, wait=lambda _: None, jitter=Random(1))
    assert {p["op"] for p in phone.status()["parked"]} == set(ops)
    phone.close()


def test_p86_when_to_come_again_is_spread(small: tuple[Place, Server]) -> None:
    told = {json.loads(small[1].ask("GET", "/sync/v1/hello")[2])["next_sync_after"] for _ in range(12)}
    assert len(told) > 4 and all(900 <= s < 1800 for s in told)


def test_p88_an_op_too_large_by_itself_is_set_aside_and_those_behind_it_pass(
    strict: tuple[Place, Server], tmp_path: Any
) -> None:
    place, server = strict
    phone = FieldClient(tmp_path / "phone", server.url)
    phone.enrol(place.code(7), "large")
    long = phone.record("thing.unheard", ("thing", "t-long"), {"note": "长" * 3000})  # before the limit was heard
    short = [phone.record("thing.unheard", ("thing", f"t-{n}"), {}) for n in range(3)]
    assert phone.sync(tries=6, wait=lambda _: None)
    status = phone.status()
    assert [a["op"] for a in status["set_aside"]] == [long] and status["set_aside"][0]["reason"] == "too_large"
    assert {p["op"] for p in status["parked"]} == set(short) and status["outbox"] == 0
    phone.hello()
    with pytest.raises(ValueError, match="at most 4000"):
        phone.record("thing.unheard", ("thing", "t-longer"), {"note": "长" * 3000})
    assert phone.status()["outbox"] == 0
    phone.close()


@pytest.mark.parametrize(("encoding", "packed"), [
    ("zstd", zstd.compress(b"\0" * 200_000_000)), ("gzip", gzip.compress(b"\0" * 50_000_000)),
    ("zstd", zstd.compress(b'{"ops":[' + b'{},' * 200_000)),
    ("gzip", gzip.compress(b'{"a":"' + b"a" * 1_040_000 + b'"}')),
])  # fmt: skip
def test_i22_a_bomb_costs_no_more_than_it_weighs(
    small: tuple[Place, Server], pushers: list[Pusher], encoding: str, packed: bytes
) -> None:
    server = small[1]
    bearer = {"Authorization": f"Bearer {pushers[3].token}", "Content-Encoding": encoding}
    begun = time.monotonic()
    status, _, data = server.ask("POST", "/sync/v1/push", packed, bearer)
    assert (status, json.loads(data)["code"]) == (413, "too_large")
    assert time.monotonic() - begun < 3


def test_p88_a_body_may_be_packed_with_zstd(small: tuple[Place, Server], pushers: list[Pusher]) -> None:
    server, pusher = small[1], pushers[3]
    assert json.loads(server.ask("GET", "/sync/v1/hello")[2])["encodings"] == ["gzip", "zstd"]
    bearer = {"Authorization": f"Bearer {pusher.token}", "Content-Encoding": "zstd"}
    status, _, data = server.ask("POST", "/sync/v1/push", zstd.compress(pusher.batch(3)), bearer)
    assert status == 200 and len(json.loads(data)["results"]) == 3
    for spoilt in (b"no zstd", zstd.compress(b"{}")[:-2]):
        status, _, data = server.ask("POST", "/sync/v1/push", spoilt, bearer)
        assert (status, json.loads(data)["code"]) == (400, "bad_frame")


def test_s4_sixteen_writers_wait_alike(sqlite_template: Template, tmp_path: Any) -> None:
    """Told in turns of others, not in seconds: a machine that is busy otherwise stalls all alike."""
    place, waits, done = sqlite_template.copy(tmp_path / "place"), list[int](), list[int]()
    with place.app() as app:

        def write() -> None:
            with app.app_context():
                for _ in range(25):
                    asked = len(done)
                    with transaction() as session:
                        waits.append(len(done) - asked)
                        tick(session)
                        done.append(1)

        threads = [threading.Thread(target=write) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    waits.sort()
    assert len(waits) == 400
    assert waits[int(len(waits) * 0.99)] <= 32, waits[-5:]  # a lottery has some wait through a hundred and more
