"""Answers that are cut at every byte, pages of a portal, bodies that lie about themselves (T1, T3, T4 of sync.md §4.3;
I10, I22). The bytes are a real server's; the parrot only repeats them, as far as it is told."""

import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from sync_protocol import filling
from sync_protocol.client.session import FieldClient
from sync_protocol.client.transport import Offline, Refused, ServerBusy
from tests.faults.audit import words_of
from tests.faults.phones import Pusher, op_body, sites
from tests.faults.proxy import Fault, Proxy, Script
from tests.faults.rig import Place, Server, serving
from tests.faults.wire import Message, read_request
from tests.journeys.stage import PHOTOS


class Parrot:
    """Answers every request with the first `upto` bytes of `data` and hangs up."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.data, self.upto = b"", 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            with line, line.makefile("rb") as reader, suppress(OSError):
                if read_request(reader) is not None:
                    line.sendall(self.data[: self.upto])

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture(scope="module")
def running(sqlite_template: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Server]]:
    place = sqlite_template.copy(tmp_path_factory.mktemp("transport") / "place")
    with serving(place) as server:
        yield place, server
        assert words_of(server) == []


@pytest.fixture
def parrot() -> Iterator[Parrot]:
    made = Parrot()
    yield made
    made.close()


def phone(place: Place, server: Server, home: Path, person: int = 1) -> FieldClient:
    """An enrolled device with three ops and one photo waiting, and half its pages taken."""
    client = FieldClient(home, server.url, timeout_s=5, synchronous="OFF")
    client.enrol(place.code(person), f"install-{home.name}")
    with client.store.change() as kept:
        filling.refuse_bundle(kept)  # pages are cut here; what becomes of a cut bundle is asked in tests/pull
    client.pull(limit=20)
    dice, schools = Random(person), sites(place)
    for n in range(3):
        body = json.loads(op_body(f"u-f{person}", f"tf{person}", dice.choice(schools), dice))
        blobs = [PHOTOS / "zibo_linzi_ok.jpg"] if n == 0 else []
        client.record(body["verb"], ("inspection", body["ent"]["id"]), body["args"], blobs)
    return client


def held(client: FieldClient) -> Any:
    """Everything local that an answer may change."""
    return client.store.state(), client.store.waiting(), client.store.damaged()


def heard(proxy: Proxy, client: FieldClient, work: Callable[[], object]) -> Message:
    """The last answer of the real server to what `work` asks; the device has not had it."""
    answers: list[Message] = []
    ask = proxy._ask

    def listen(request: Message) -> Message:
        answers.append(ask(request))
        return answers[-1]

    proxy._ask = listen  # type: ignore[method-assign]
    proxy.choose = Script([Fault("lose_answer")] * 50)
    with pytest.raises(Offline):
        work()
    return answers[-1]


def unframed(answer: Message) -> bytes:
    """The same answer without its length: its end is the end of the line."""
    rows = [row for row in answer.head.split(b"\r\n") if not row.lower().startswith((b"content-length", b"connection"))]
    return b"\r\n".join(rows[:-2]) + b"\r\nConnection: close\r\n\r\n" + answer.body


def places(size: int, step: int, head: int) -> list[int]:
    """Where to cut: every byte of the headers' end and of the last bytes, every `step`th of the rest."""
    near = {*range(max(0, head - 40), head + 40), *range(max(0, size - 40), size)}
    return sorted(near | set(range(0, size, step)))


@pytest.mark.parametrize("step", [17, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("what", ["push", "pull"])
def test_t1_an_answer_cut_at_any_byte_changes_nothing_and_a_whole_one_is_taken_whole(
    running: tuple[Place, Server], parrot: Parrot, tmp_path: Path, what: str, step: int
) -> None:
    place, server = running
    with Proxy(server.port) as proxy:
        client = phone(place, server, tmp_path / what)
        work: Callable[[], object] = client.push if what == "push" else lambda: client.pull(limit=20)
        client.transport._url = client.transport._url._replace(netloc=proxy.url.removeprefix("http://"))
        client.transport.close()
        answer, before = heard(proxy, client, work), held(client)
        client.transport._url = client.transport._url._replace(netloc=parrot.url.removeprefix("http://"))
        client.transport.close()
        for data in (answer.data, unframed(answer)):
            parrot.data = data
            for parrot.upto in places(len(data), step, len(answer.head)):
                with pytest.raises(Offline):
                    work()
                assert held(client) == before, f"cut at {parrot.upto} of {len(data)}"
        parrot.upto = len(answer.data)
        parrot.data = answer.data
        work()
        after = held(client)
        assert after != before and (what == "pull" or after[0]["outbox"] == [])
        client.close()


def test_t1_answers_to_an_upload_cut_at_any_byte_never_make_a_photo_done(
    running: tuple[Place, Server], parrot: Parrot, tmp_path: Path
) -> None:
    place, server = running
    client = phone(place, server, tmp_path / "tus", person=2)
    (sha, size, _, _), sent, done = client.store.waiting()[0], list[str](), set[str]()
    lines = {
        "query": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
        "create": b"HTTP/1.1 201 CREATED\r\nConnection: close\r\nLocation: /sync/v1/blobs/0123456789abcdef\r\nUpload-Offset: 0\r\nContent-Length: 0\r\n\r\n",
        "head": b"HTTP/1.1 200 OK\r\nConnection: close\r\nUpload-Offset: %d\r\nUpload-Length: %d\r\n\r\n" % (size - 5, size),
        "patch": b"HTTP/1.1 204 NO CONTENT\r\nConnection: close\r\nUpload-Offset: %d\r\n\r\n" % size,
    }
    body = json.dumps({"epoch": client.store.state()["epoch"], "have": [], "partial": [], "need": [sha]}).encode()
    lines["query"] %= (len(body), body)

    def script(kind: str, upto: int) -> Callable[[Message], bytes]:
        def say(request: Message) -> bytes:
            name = {"HEAD": "head", "PATCH": "patch"}.get(
                request.method, "query" if request.path.endswith("query") else "create"
            )
            sent.append(name)
            if name in ("head", "patch") and not request.path.endswith("/blobs/0123456789abcdef"):
                return b"HTTP/1.1 404 NOT FOUND\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            if name == "patch" and request.header("upload-offset") != str(size - 5):
                return b"HTTP/1.1 409 CONFLICT\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            return lines[name][:upto] if name == kind else lines[name]

        return say

    with Liar() as liar:
        client.transport._url = client.transport._url._replace(netloc=liar.url.removeprefix("http://"))
        for kind, data in lines.items():
            for upto in range(len(data)):
                liar.say = script(kind, upto)
                client.transport.close()
                sent.clear()
                with suppress(Offline, Refused, ServerBusy):
                    client.upload()
                if client.store.waiting() == []:  # only ever behind a PATCH of the right bytes, told whole
                    assert sent[-1] == "patch", (kind, upto)
                    assert kind != "patch" or b"Upload-Offset: %d" % size in data[:upto], (kind, upto)
                    done.add(kind)
                client.store._db.execute("UPDATE photos SET done = 0, url = NULL")
    assert done >= {"create", "patch"}, "no answer was ever whole enough: nothing was proved"
    client.close()


class Liar:
    """Answers each request with what `say` says to it, and hangs up."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.say: Callable[[Message], bytes] = lambda request: b""
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "Liar":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            with line, line.makefile("rb") as reader, suppress(OSError):
                request = read_request(reader)
                if request is not None:
                    line.sendall(self.say(request))


@pytest.mark.parametrize("at", [0.1, 0.9])
def test_t3_a_portal_that_answers_everything_with_its_page_changes_nothing(
    running: tuple[Place, Server], tmp_path: Path, at: float
) -> None:
    place, server = running
    with Proxy(server.port) as proxy:
        client = phone(place, server, tmp_path / f"portal{at}", person=3)
        before = held(client)
        client.transport._url = client.transport._url._replace(netloc=proxy.url.removeprefix("http://"))
        client.transport.close()
        proxy.choose = Script([Fault("portal", at)] * 1000)
        for work in (client.push, client.pull, client.upload):
            with pytest.raises(Offline):
                work()
        assert not client.sync(tries=3, wait=lambda _: None) and held(client) == before
        proxy.choose = Script([])
        client.transport.close()
        assert client.sync(tries=3)
        client.close()


BOMB = gzip.compress(bytes(300_000_000), 9)
DOORS = (
    "/sync/v1/push",
    "/sync/v1/pull",
    "/sync/v1/enrol",
    "/sync/v1/replicas",
    "/sync/v1/ops/status",
    "/sync/v1/blobs/query",
)


def test_t4_a_gzip_bomb_at_any_door_is_refused_and_takes_no_memory(running: tuple[Place, Server]) -> None:
    place, server = running
    pusher = Pusher.enrol(place, server, 4)
    worker = psutil.Process(server.workers[0].pid)
    for door in DOORS:
        for bomb in (BOMB[:250_000], BOMB):
            before, started = worker.memory_info().rss, time.monotonic()
            head = {**pusher.headers, "Content-Encoding": "gzip"}
            status, _, data = server.ask("POST", door, bomb, head)
            assert (status, json.loads(data)["code"]) == (413, "too_large"), (door, data)
            assert time.monotonic() - started < 5 and worker.memory_info().rss - before < 50_000_000


@pytest.mark.parametrize(("encoding", "body", "status"), [
    ("gzip", b'{"proto":1}', 400), ("br", b"x", 415), ("deflate", b"x", 415), ("gzip, gzip", b"x", 415),
    ("identity", gzip.compress(b'{"proto":1}'), 400), ("gzip", gzip.compress(b'{"proto":1}') + b"more", (200, 400)),
    ("gzip", gzip.compress(b'{"proto":1}')[:-3], 400), ("gzip", b"", 400),
], ids=["plain called gzip", "brotli", "deflate", "twice", "gzip called plain", "more behind", "cut", "nothing"])  # fmt: skip
def test_t4_a_body_that_is_not_what_it_says_is_refused_and_never_a_500(
    running: tuple[Place, Server], encoding: str, body: bytes, status: int | tuple[int, ...]
) -> None:
    place, server = running
    pusher = Pusher.enrol(place, server, 5)
    got, _, data = server.ask("POST", "/sync/v1/pull", body, {**pusher.headers, "Content-Encoding": encoding})
    assert got in (status if isinstance(status, tuple) else (status,)), data


def raw(server: Server, head: list[str], body: bytes) -> tuple[int, bytes]:
    """A request written by hand; (0, …) where the line only ended."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as line:
        line.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        line.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(line)
        try:
            answer.begin()
            return answer.status, answer.read()
        except http.client.HTTPException:
            return 0, b""


def chunked(body: bytes, size: int = 7) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_t4_a_body_without_length_or_in_chunks_is_read_or_refused_by_the_same_rules(
    running: tuple[Place, Server],
) -> None:
    place, server = running
    pusher = Pusher.enrol(place, server, 6)
    head = ["POST /sync/v1/push HTTP/1.1", "Host: x", *(f"{k}: {v}" for k, v in pusher.headers.items())]
    request = pusher.batch(5)
    assert raw(server, head, request)[0] == 400  # no length: there is no body, says HTTP
    status, data = raw(server, [*head, "Transfer-Encoding: chunked"], chunked(request))
    assert status == 200 and len(json.loads(data)["results"]) == 5
    status, data = raw(server, [*head, "Transfer-Encoding: chunked"], chunked(request)[:-200])
    assert status in (0, 400), data
    bomb = [*head, "Transfer-Encoding: chunked", "Content-Encoding: gzip"]
    status, data = raw(server, bomb, chunked(BOMB[:260_000], 8192))
    assert (status, json.loads(data)["code"]) == (413, "too_large")
    both = [*head, f"Content-Length: {len(request)}", "Transfer-Encoding: chunked"]
    assert raw(server, both, chunked(request))[0] in (0, 400), "two lengths: whoever believes the other one smuggles"
    for length in ("-1", "9999999999999999999", "5, 6", "abc"):
        assert raw(server, [*head, f"Content-Length: {length}"], b"{}")[0] in (0, 400, 413)
    assert server.is_ready()
