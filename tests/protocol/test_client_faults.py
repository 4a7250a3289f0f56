"""The reference client against answers that are cut, false, late, endless or never useful: scripted bytes
over a real socket. Nothing local may change by them. No protocol server here (test_client.py has one)."""

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sync_protocol.client.healing import MAX_HEALS
from sync_protocol.client.session import FieldClient, NotEnrolled
from sync_protocol.client.transport import MAX_WAIT_S, Offline, Refused, ServerBusy, wait_s

ENROLLED = {"epoch": "e0", "replica": "r-1", "token": "hy_dev_x", "user": {"id": "u-1", "name": "示例"}}
EMPTY_PAGE = {
    "epoch": "e0", "as_of": 7, "complete": True, "rows": [], "drop": [], "reset": [], "acks": [],
    "cursor": "c1", "durable_seq": 0,
}  # fmt: skip
ROW = {"b": "district:1", "t": "thing", "id": "n0", "op": "put", "ver": 1, "data": {"name": "校门（示例）"}}


def reply(status: int = 200, body: Any = None, **headers: str) -> bytes:
    """An HTTP answer as bytes; `body` is JSON unless it is bytes already."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(data)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


class Line:
    """Answers each request with the next scripted bytes (the last ones for ever); no bytes: hangs up."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.script: list[bytes] = []
        self.asked: list[str] = []
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                start = lines.readline().decode()
                if start.startswith("STOP"):
                    return
                self._read_rest(lines)
                self.asked.append(" ".join(start.split()[:2]))
                said = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if said == SILENCE:
                    self._released.wait(5)
                else:
                    connection.sendall(said)

    def _read_rest(self, lines: Any) -> None:
        length = 0
        while (line := lines.readline().strip()) != b"":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        lines.read(length)

    def close(self) -> None:
        self._released.set()
        with socket.create_connection(self._listener.getsockname()) as last:
            last.sendall(b"STOP\r\n")
        self._thread.join()
        self._listener.close()


SILENCE = b"(silence)"


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.close()


@pytest.fixture
def phone(line: Line, tmp_path: Path) -> Iterator[FieldClient]:
    client = FieldClient(
        tmp_path / "phone", line.url, random=Random(1).randbytes, timeout_s=2, chunk_bytes=1000
    )
    line.script = [reply(201, ENROLLED)]
    client.enrol("code", "phone-1")
    line.asked.clear()
    yield client
    client.close()


def everything(client: FieldClient) -> Any:
    return client.store.state(), client.store.waiting(), client.store.damaged()


def taken(op: str, **more: Any) -> dict[str, Any]:
    results = [{"op": op, "n": 1, "status": "applied", "clock": 7, "flags": [], "dup": False}]
    return {"epoch": "e0", "results": results, "stopped": None, "durable_seq": 0, **more}


def photo(tmp_path: Path, seed: int = 3) -> Path:
    path = tmp_path / f"{seed}.jpg"
    path.write_bytes(Random(seed).randbytes(2500))
    return path


def test_a_push_answer_cut_at_any_byte_changes_nothing(line: Line, phone: FieldClient) -> None:
    op = phone.record("thing.note", ("thing", "n0"), {})
    before, whole = everything(phone), reply(200, taken(op))
    for end in range(len(whole)):
        line.script = [whole[:end]]
        with pytest.raises(Offline):
            phone.push()
        assert everything(phone) == before, end
    line.script = [whole]
    assert phone.push().is_empty


def test_a_page_cut_at_any_byte_changes_nothing_zipped_or_not(line: Line, phone: FieldClient) -> None:
    page = json.dumps({**EMPTY_PAGE, "rows": [ROW]}).encode()
    plain = reply(200, page)
    zipped = reply(200, gzip.compress(page), Content_Encoding="gzip")
    before = everything(phone)
    for whole in (plain, zipped):
        for end in range(0, len(whole), 3):
            line.script = [whole[:end]]
            with pytest.raises(Offline):
                phone.pull()
    assert everything(phone) == before
    line.script = [zipped]
    assert phone.pull()
    assert phone.rows("thing") == [ROW["data"]]


ZIPPED_PAGE = gzip.compress(json.dumps(EMPTY_PAGE).encode())
BAD_PAGES = {
    "a captive portal": reply(200, b"<html>Sign in</html>"),
    "a portal's json": reply(200, {"portal": "sign in"}),
    "a portal's refusal": reply(403, {"error": "sign in"}),
    "a redirection": reply(302, EMPTY_PAGE, Location="http://portal.invalid/"),
    "a list": reply(200, [EMPTY_PAGE]),
    "bytes that are no zip": reply(200, b"abcd", Content_Encoding="gzip"),
    "a damaged zip": reply(200, gzip.compress(b"x" * 99)[:12] + b"\xff" * 20, Content_Encoding="gzip"),
    "a zip without its end": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + ZIPPED_PAGE[:-4],
    "less than was announced": reply(200, EMPTY_PAGE).replace(b"Length: ", b"Length: 1"),
    "a zip bomb": reply(200, gzip.compress(b" " * (65 * 1024 * 1024), 1), Content_Encoding="gzip"),
    "nesting without end": reply(200, b"[" * 200_000),
    "bytes that are no UTF-8": reply(200, b'{"epoch":"\xff\xfe\xfa"}'),
    "no rows": reply(200, {k: v for k, v in EMPTY_PAGE.items() if k != "rows"}),
    "a row without data": reply(200, {**EMPTY_PAGE, "rows": [{**ROW, "ver": None}]}),
    "a row of an unknown kind": reply(200, {**EMPTY_PAGE, "rows": [{**ROW, "op": "patch"}]}),
    "an ack without status": reply(200, {**EMPTY_PAGE, "acks": [{"op": "x"}]}),
    "a clock that is true": reply(200, {**EMPTY_PAGE, "as_of": True}),
    "a page that leads nowhere": reply(200, {**EMPTY_PAGE, "complete": False, "cursor": None}),
    "an error": reply(500, {"code": "internal"}),
    "no http": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("said", BAD_PAGES.values(), ids=BAD_PAGES.keys())
def test_a_page_that_cannot_be_trusted_is_no_connection(line: Line, phone: FieldClient, said: bytes) -> None:
    before, line.script = everything(phone), [said]
    with pytest.raises(Offline):
        phone.pull()
    assert everything(phone) == before


def test_a_silent_server_and_a_closed_port_are_no_connection(
    line: Line, phone: FieldClient, tmp_path: Path
) -> None:
    impatient = FieldClient(tmp_path / "phone", line.url, timeout_s=0.1)
    line.script = [SILENCE]
    with pytest.raises(Offline):
        impatient.pull()
    impatient.close()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    nobody = FieldClient(tmp_path / "phone", f"http://127.0.0.1:{port}")
    nobody.record("thing.note", ("thing", "n0"), {})
    with pytest.raises(Offline):
        nobody.push()
    assert nobody.status()["outbox"] == 1
    nobody.close()


def test_a_push_that_names_none_of_its_ops_frees_none_and_does_not_spin(
    line: Line, phone: FieldClient
) -> None:
    phone.record("thing.note", ("thing", "n0"), {})
    line.script = [reply(200, taken("another-op"))]
    assert not phone.sync(tries=3, wait=lambda _: None)
    assert (len(line.asked), phone.status()["outbox"]) == (3, 1)


def test_a_server_that_always_answers_fork_is_not_asked_for_ever(line: Line, phone: FieldClient) -> None:
    op = phone.record("thing.note", ("thing", "n0"), {})
    both = {**ENROLLED, "code": "replica_forked"}
    line.script = [reply(409, both), reply(201, both)] * 20
    assert not phone.sync(tries=2, wait=lambda _: None)
    assert len(line.asked) <= 2 * (2 * MAX_HEALS + 1)
    assert [k["op"] for k in phone.store.state()["outbox"]] == [op]


@pytest.mark.parametrize("code,status", [
    ("unauthenticated", 401), ("device_revoked", 401), ("replica_revoked", 403), ("upgrade_required", 426),
    ("bad_frame", 400),
])  # fmt: skip
def test_a_refusal_empties_nothing(line: Line, phone: FieldClient, code: str, status: int) -> None:
    phone.record("thing.note", ("thing", "n0"), {})
    before, line.script = everything(phone), [reply(status, {"code": code, "status": status})]
    with pytest.raises(Refused) as refusal:
        phone.sync()
    assert (refusal.value.code, everything(phone)) == (code, before)


def test_a_push_too_large_is_halved_until_it_passes(line: Line, phone: FieldClient) -> None:
    ops = [phone.record("thing.note", ("thing", "n0"), {}) for _ in range(4)]
    line.script = [
        reply(413, {"code": "too_large"}),
        reply(413, {"code": "too_large"}),
        reply(200, taken(ops[0])),
    ]
    report = phone.push()
    assert (report.sent, report.taken, report.is_empty) == (1, 1, False)


@pytest.mark.parametrize("said,expected_s", [
    ("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("1e9", MAX_WAIT_S), ("nan", 5.0), ("inf", 5.0), (None, 5.0),
    ("Tue, 24 Nov 2026 10:00:00 GMT", 5.0),
])  # fmt: skip
def test_retry_after_is_read_in_seconds_and_bounded(said: str | None, expected_s: float) -> None:
    assert wait_s(said) == expected_s


def test_nothing_is_asked_again_before_retry_after_is_over(line: Line, phone: FieldClient) -> None:
    waited: list[float] = []
    line.script = [
        reply(503, b"busy", Retry_After="7"),
        reply(429, b"", Retry_After="2"),
        reply(200, EMPTY_PAGE),
    ]
    assert phone.sync(wait=waited.append, jitter=Random(5))
    assert 7 <= waited[0] <= 14
    assert 2 <= waited[1] <= 4
    with pytest.raises(ServerBusy) as busy:
        line.script = [reply(503, b"<html>proxy</html>", Retry_After="9")]
        phone.pull()
    assert busy.value.retry_after_s == 9


def test_backoff_is_full_jitter_bounded_and_ends(line: Line, phone: FieldClient) -> None:
    waited: list[float] = []
    line.script = [b""]
    assert not phone.sync(tries=12, wait=waited.append, jitter=Random(5))
    assert len(waited) == 11
    assert all(0 <= pause <= min(0.05 * 2**n, 5.0) for n, pause in enumerate(waited))
    assert phone.last_trouble


def test_an_installation_without_a_person_records_nothing_but_says_so(tmp_path: Path) -> None:
    client = FieldClient(tmp_path / "new", "http://127.0.0.1:9")
    for step in (
        client.push,
        client.pull,
        client.sync,
        lambda: client.record("thing.note", ("thing", "n0"), {}),
    ):
        with pytest.raises(NotEnrolled):
            step()
    assert client.status()["enrolled"] is False
    client.close()


def test_a_lost_enrolment_keeps_the_installations_name(line: Line, tmp_path: Path) -> None:
    client = FieldClient(tmp_path / "new", line.url)
    line.script = [b""]
    with pytest.raises(Offline):
        client.enrol("code")
    name = client.store.state("install_id")["install_id"]
    line.script = [reply(201, ENROLLED)]
    client.enrol("code")
    assert client.store.state("install_id") == {"install_id": name}
    with pytest.raises(ValueError, match="enrolled already"):
        client.enrol("code")
    client.close()


HAVE_NOT = reply(200, {"epoch": "e0", "have": [], "partial": [], "need": []})
CREATED = reply(201, Location="https://elsewhere.invalid/sync/v1/blobs/b1?x=1")
BAD_UPLOADS = {
    "no location": [HAVE_NOT, reply(201)],
    "no offset": [HAVE_NOT, CREATED, reply(200, b"")],
    "an offset that is no number": [HAVE_NOT, CREATED, reply(200, Upload_Offset="none")],
    "an offset beyond the end": [HAVE_NOT, CREATED, reply(200, Upload_Offset="2501")],
    "an offset that never moves": [
        HAVE_NOT,
        CREATED,
        reply(200, Upload_Offset="0"),
        reply(204, Upload_Offset="0"),
    ],
    "an offset that leaps": [
        HAVE_NOT,
        CREATED,
        reply(200, Upload_Offset="0"),
        reply(204, Upload_Offset="2500"),
    ],
    "a redirection": [HAVE_NOT, reply(302, Location="http://portal.invalid/")],
}


@pytest.mark.parametrize("script", BAD_UPLOADS.values(), ids=BAD_UPLOADS.keys())
def test_an_upload_that_cannot_be_trusted_goes_on_waiting(
    line: Line, phone: FieldClient, tmp_path: Path, script: list[bytes]
) -> None:
    phone.record("thing.note", ("thing", "n0"), {}, [photo(tmp_path)])
    line.script = list(script)
    with pytest.raises(Offline):
        phone.upload()
    assert phone.status()["photos_waiting"] == 1


def test_the_path_alone_of_a_location_is_used(line: Line, phone: FieldClient, tmp_path: Path) -> None:
    phone.record("thing.note", ("thing", "n0"), {}, [photo(tmp_path)])
    line.script = [HAVE_NOT, CREATED, reply(200, Upload_Offset="2000"), reply(204, Upload_Offset="2500")]
    assert phone.upload().waiting == 0
    assert line.asked[-2:] == ["HEAD /sync/v1/blobs/b1?x=1", "PATCH /sync/v1/blobs/b1?x=1"]


def test_a_refused_photo_holds_up_neither_the_others_nor_the_pull(
    line: Line, phone: FieldClient, tmp_path: Path
) -> None:
    small, large = photo(tmp_path, 1), photo(tmp_path, 2)
    large.write_bytes(b"x" * 3000)
    op = phone.record("thing.note", ("thing", "n0"), {}, [large, small])
    line.script = [
        reply(200, taken(op)), HAVE_NOT, CREATED, reply(200, Upload_Offset="2500"),
        reply(413, {"code": "too_large"}), reply(200, {**EMPTY_PAGE, "rows": [ROW]}),
    ]  # fmt: skip
    assert not phone.sync(wait=lambda _: pytest.fail("nothing more can be done now"))
    assert phone.rows("thing") == [ROW["data"]]
    assert phone.status()["photos_waiting"] == 1


def test_a_photo_damaged_here_is_set_aside_and_told(line: Line, phone: FieldClient, tmp_path: Path) -> None:
    path = photo(tmp_path)
    phone.record("thing.note", ("thing", "n0"), {}, [path])
    sha = phone.store.waiting()[0][0]
    phone.store.path(sha).write_bytes(b"worn flash")
    line.script = [HAVE_NOT]
    assert phone.upload().waiting == 0
    assert phone.status()["photos_damaged"] == [sha]
    phone.record("thing.note", ("thing", "n0"), {}, [path])
    assert (phone.status()["photos_damaged"], phone.status()["photos_waiting"]) == ([], 1)


def test_a_record_that_fails_leaves_no_photo_waiting(phone: FieldClient, tmp_path: Path) -> None:
    before = everything(phone)
    with pytest.raises(TypeError):
        phone.record("thing.note", ("thing", "n0"), {"not json": object()}, [photo(tmp_path)])
    assert everything(phone) == before


def test_another_history_is_asked_about_every_photo_again(
    line: Line, phone: FieldClient, tmp_path: Path
) -> None:
    op = phone.record("thing.note", ("thing", "n0"), {}, [photo(tmp_path)])
    sha = phone.store.waiting()[0][0]
    line.script = [reply(200, taken(op)), reply(200, {"epoch": "e0", "have": [sha]}), reply(200, EMPTY_PAGE)]
    assert phone.sync()
    line.script = [
        reply(409, {"code": "epoch_changed", "epoch": "e1"}),
        reply(201, {"epoch": "e1", "replica": "r-2"}),
    ]
    assert phone.pull() is False
    told = phone.status()
    assert (told["outbox"], told["photos_waiting"], told["epoch"]) == (1, 1, "e1")


def test_a_field_device_is_durable_unless_told_otherwise(tmp_path: Path) -> None:
    levels = {}
    for level in ("FULL", "OFF"):
        client = FieldClient(tmp_path / level, "http://127.0.0.1:9", synchronous=level)
        levels[level] = client.store._db.execute("PRAGMA synchronous").fetchone()[0]
        client.close()
    assert levels == {"FULL": 2, "OFF": 0}
