"""F14: phones on lines so thin that a photo takes minutes, many of them; nobody else may feel it (S19)."""

import base64
import hashlib
import http.client
import selectors
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from tests.faults.phones import Pusher
from tests.faults.rig import Place, Server, Template

PHOTO_BYTES, BLOCK_BYTES, EVERY_S = 200_000, 5_000, 0.4


@pytest.fixture(scope="module")
def running(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Server]]:
    place = sqlite_template.copy(tmp_path_factory.mktemp("slow") / "place")
    server = Server(place)
    server.start()
    yield place, server
    server.end()


def created(server: Server, token: str, n: object) -> tuple[str, bytes]:
    """An upload's place, and its bytes."""
    data = Random(n).randbytes(PHOTO_BYTES)
    meta = f"sha256 {base64.b64encode(hashlib.sha256(data).hexdigest().encode()).decode()}"
    headers = {
        "Authorization": f"Bearer {token}",
        "Tus-Resumable": "1.0.0",
        "Upload-Length": str(len(data)),
        "Upload-Metadata": meta,
    }
    status, got, _ = server.ask("POST", "/sync/v1/blobs", b"", headers)
    assert status == 201
    return got["Location"], data


class Crowd(threading.Thread):
    """Phones that PATCH a photo, a little at a time; one that is sent away comes again after a while."""

    def __init__(self, server: Server, token: str, uploads: list[tuple[str, bytes]]) -> None:
        super().__init__()
        self.server, self.token, self.uploads = server, token, uploads
        self.statuses: list[int] = []
        self.stop = threading.Event()

    def run(self) -> None:
        with selectors.DefaultSelector() as ears:
            lines = {n: self._begin(ears, n) for n in range(len(self.uploads))}
            sent = dict.fromkeys(lines, 0)
            while not self.stop.wait(EVERY_S):
                for n, line in list(lines.items()):
                    try:
                        block = self.uploads[n][1][sent[n] : sent[n] + BLOCK_BYTES]
                        sent[n] += line.send(block) if block else 0
                    except OSError:
                        continue  # closed: its answer is read below
                for key, _ in ears.select(0):
                    n = key.data
                    self.statuses.append(_status(lines[n]))
                    ears.unregister(lines.pop(n)).fileobj.close()  # type: ignore[union-attr]
            for line in lines.values():
                line.close()

    def _begin(self, ears: selectors.BaseSelector, n: int) -> socket.socket:
        line = socket.create_connection(("127.0.0.1", self.server.port), 10)
        head = (
            f"PATCH {self.uploads[n][0]} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n"
            "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n"
            f"Content-Length: {PHOTO_BYTES}\r\n\r\n"
        )
        line.sendall(head.encode())
        ears.register(line, selectors.EVENT_READ, n)
        return line


def _status(line: socket.socket) -> int:
    line.settimeout(5)
    data = line.recv(100)
    return int(data.split()[1]) if data else 0


@contextmanager
def crowd(running: tuple[Place, Server], pusher: Pusher, count: int) -> Iterator[Crowd]:
    made = Crowd(running[1], pusher.token, [created(running[1], pusher.token, f"{count}:{n}") for n in range(count)])
    made.start()
    try:
        yield made
    finally:
        made.stop.set()
        made.join()


def times_ms(server: Server, pusher: Pusher, seconds: float) -> list[float]:
    """How long requests of the ordinary kinds take, one after the other for a while."""
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    bearer = {"Authorization": f"Bearer {pusher.token}"}
    found, end = list[float](), time.monotonic() + seconds
    asks: list[tuple[Any, ...]] = [
        ("GET", "/readyz"),
        ("GET", "/sync/v1/hello"),
        ("GET", "/sync/v1/attention", None, bearer),
        ("POST", "/sync/v1/push", pusher.request([]), bearer),
    ]
    while time.monotonic() < end:
        for ask in asks:
            begun = time.perf_counter()
            line.request(*ask)
            answer = line.getresponse()
            answer.read()
            assert answer.status == 200
            found.append((time.perf_counter() - begun) * 1000)
    line.close()
    return found


@pytest.mark.parametrize("count", [60, pytest.param(200, marks=pytest.mark.slow)])
def test_f14_slow_phones_are_not_felt_by_others(running: tuple[Place, Server], count: int) -> None:
    place, server = running
    pusher = Pusher.enrol(place, server, 1, "slow")
    alone = statistics.median(times_ms(server, pusher, 2))
    with crowd(running, pusher, count) as phones:
        beside = times_ms(server, pusher, 5)
    beside.sort()
    limit_ms = 100 * max(1.0, alone / 10)  # this machine may be busy with other things: 10 ms alone is a quiet one
    median, p99 = beside[len(beside) // 2], beside[int(len(beside) * 0.99)]
    said = f"alone {alone:.1f} ms; beside {count} slow phones {median:.1f}, p99 {p99:.1f}"
    assert median < limit_ms and beside[int(len(beside) * 0.95)] < 3 * limit_ms, said
    assert set(phones.statuses) <= {503} and len(phones.statuses) >= count - 40, phones.statuses
    print(said)
