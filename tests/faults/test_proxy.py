"""The chaos proxy does to the line what it says, and no more: without that, nothing that passes through proves much."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.faults.proxy import PASS, Dice, Fault, Proxy, Script
from tests.faults.shaper import ThinLine
from tests.faults.wire import Message

ANSWER = b"answer " * 200


class Upstream(ThreadingHTTPServer):
    """Notes what reaches it: (method, path, body length)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[str, str, int]] = []
        self.cut: list[int] = []

    def handle_error(self, *_: object) -> None:
        """A line that is reset is what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_POST(self) -> None:
        expected = int(self.headers["Content-Length"])
        body = self.rfile.read(expected)
        if len(body) < expected:
            self.server.cut.append(len(body))
            self.close_connection = True
            return
        self.server.got.append((self.command, self.path, len(body)))
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def post(proxy: Proxy, path: str = "/x", size: int = 1000, line: http.client.HTTPConnection | None = None) -> bytes:
    """One request; the answer's body. Raises OSError, HTTPException."""
    mine = line or http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=2)
    try:
        mine.request("POST", path, b"x" * size)
        answer = mine.getresponse()
        return answer.read()
    finally:
        if line is None:
            mine.close()


def until(holds: object, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(holds())


def test_a_line_without_faults_is_the_line_and_stays_open(upstream: Upstream) -> None:
    with Proxy(upstream.server_port) as proxy:
        line = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=2)
        assert [post(proxy, f"/{n}", line=line) for n in range(3)] == [ANSWER] * 3
        line.close()
    assert [path for _, path, _ in upstream.got] == ["/0", "/1", "/2"] and proxy.counts == {"pass": 3}


@pytest.mark.parametrize(("kind", "reaches"), [
    ("lose_request", 0), ("lose_answer", 1), ("black_hole", 0), ("reset", 1), ("cut_answer", 1),
    ("half_close_answer", 1), ("cut_request", 0), ("half_close_request", 0),
    ("reset_request", 0),
])  # fmt: skip
def test_a_lost_or_cut_exchange_gives_no_answer_and_reaches_the_server_as_it_says(
    upstream: Upstream, kind: str, reaches: int
) -> None:
    with Proxy(upstream.server_port, Script([Fault(kind, 0.4)]), hole_s=0.3) as proxy:
        with pytest.raises((OSError, http.client.HTTPException)):
            post(proxy)
        assert until(lambda: len(upstream.got) == reaches)
        assert kind not in ("cut_request", "half_close_request") or until(lambda: upstream.cut)
        assert post(proxy) == ANSWER
    assert len(upstream.got) == reaches + 1


def test_cuts_fall_at_the_byte_that_is_asked_for(upstream: Upstream) -> None:
    head = len(b"POST /x HTTP/1.1\r\n")
    with Proxy(upstream.server_port, Script([Fault("cut_request", -10), Fault("cut_answer", 9)])) as proxy:
        for _ in range(2):
            with pytest.raises((OSError, http.client.HTTPException)):
                post(proxy)
        assert until(lambda: upstream.cut == [990]) and head < 990
        with socket.create_connection(("127.0.0.1", proxy.port), 2) as line:
            proxy.choose = Script([Fault("cut_answer", 9)])
            line.sendall(b"POST /y HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
            assert line.makefile("rb").read() == b"HTTP/1.1 "


def test_a_doubled_request_and_a_late_copy_reach_the_server_twice(upstream: Upstream) -> None:
    script = Script([Fault("double"), Fault("late_copy", 0.25)])
    with Proxy(upstream.server_port, script) as proxy:
        assert [post(proxy, f"/{n}") for n in range(6)] == [ANSWER] * 6
        assert until(lambda: len(upstream.got) == 8)
    paths = [path for _, path, _ in upstream.got]
    assert (
        paths[:3] == ["/0", "/0", "/1"] and paths.count("/1") == 2 and paths.index("/2") < 7 - paths[::-1].index("/1")
    )


def test_copies_that_are_still_late_are_sent_when_the_line_ends(upstream: Upstream) -> None:
    with Proxy(upstream.server_port, Script([Fault("late_copy", 1.0)])) as proxy:
        post(proxy)
        assert len(upstream.got) == 1
    assert len(upstream.got) == 2 and proxy.counts["late_sent"] == 1


def test_a_swapped_request_is_passed_by_another_one(upstream: Upstream) -> None:
    with Proxy(upstream.server_port, Script([Fault("swap")])) as proxy:
        first = threading.Thread(target=post, args=(proxy, "/first"))
        first.start()
        assert until(lambda: proxy.counts["swap"] == 1)
        post(proxy, "/second")
        first.join()
    assert [path for _, path, _ in upstream.got] == ["/second", "/first"]


def test_a_portal_answers_with_a_page_of_its_own_and_the_server_hears_nothing(upstream: Upstream) -> None:
    with Proxy(upstream.server_port, Script([Fault("portal", 0.1)])) as proxy:
        assert b"<html>" in post(proxy)
    assert upstream.got == []


def test_the_die_falls_the_same_with_the_same_seed_and_spares_what_is_spared() -> None:
    rates = {"lose_request": 0.3, "double": 0.3}
    requests = [Message(f"POST /{n} HTTP/1.1\r\n\r\n".encode(), b"") for n in range(200)]
    falls = [list(map(Dice(seed, rates), requests)) for seed in (1, 1, 2)]
    assert falls[0] == falls[1] != falls[2]
    kinds = [fault.kind for fault in falls[0]]
    assert 30 < kinds.count("double") < 90 and 50 < kinds.count("pass") < 110
    assert Dice(1, {"double": 1.0}, spared=["/enrol"])(Message(b"POST /a/enrol HTTP/1.1\r\n\r\n", b"")) == PASS


def test_a_thin_line_takes_the_time_of_its_bytes_and_of_its_round_trips_both_ways(upstream: Upstream) -> None:
    with ThinLine(upstream.server_port, 1, bytes_per_s=2000, rtt_s=1.0, loss=0.0, speed=10) as thin:
        started = time.monotonic()
        line = http.client.HTTPConnection("127.0.0.1", int(thin.url.rpartition(":")[2]), timeout=5)
        assert post(thin, size=4000, line=line) == ANSWER  # type: ignore[arg-type]
        took_s = (time.monotonic() - started) * 10
        line.close()
    flowed_s = (thin.up_bytes + thin.down_bytes) / 2000
    assert thin.up_bytes > 4000 and thin.down_bytes > len(ANSWER) and thin.lost == 0
    assert flowed_s + 1.5 < took_s < flowed_s + 8


def test_a_lossy_line_brings_every_byte_in_order_and_takes_longer(upstream: Upstream) -> None:
    with ThinLine(upstream.server_port, 1, loss=0.3, speed=200) as thin:
        line = http.client.HTTPConnection("127.0.0.1", int(thin.url.rpartition(":")[2]), timeout=5)
        assert post(thin, size=30_000, line=line) == ANSWER  # type: ignore[arg-type]
        line.close()
    assert thin.lost >= 3 and upstream.got == [("POST", "/x", 30_000)]


def test_a_proxy_whose_server_is_gone_hangs_up_and_ends(upstream: Upstream) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = probe.getsockname()[1]
    with Proxy(nobody) as proxy, suppress(OSError, http.client.HTTPException):
        post(proxy)
        raise AssertionError("an answer from nobody")
    assert proxy.counts["line_gone"] == 1
