"""The reference client over real HTTP on this machine: a small server around MemoryServer, with lost
answers.

The real server's tests live elsewhere; here only the client's own behaviour is looked at.
"""

import base64
import gzip
import hashlib
import json
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sync_protocol.client.__main__ import main
from sync_protocol.client.session import FieldClient
from sync_protocol.client.transport import Offline
from tests.protocol.memory_server import MemoryServer, Refusal

HOME = "district:1"


class Door(BaseHTTPRequestHandler):
    """JSON and tus over a MemoryServer; `lose` answers are cut after the work is done."""

    protocol_version = "HTTP/1.1"
    server: "Site"

    def log_message(self, *args: Any) -> None:
        """Quiet."""

    def answer(self, status: int, body: Any = None, **headers: str) -> None:
        is_chosen = self.server.lose_on and self.path.endswith(self.server.lose_on)
        if self.server.lose > 0 or is_chosen:
            self.server.lose -= 0 if is_chosen else 1
            self.server.lose_on = "" if is_chosen else self.server.lose_on
            self.close_connection = True
            return
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def body(self) -> bytes:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw

    def do_POST(self) -> None:
        body, name, memory = self.body(), self.path.removeprefix("/sync/v1/"), self.server.memory
        if name == "blobs":
            meta = dict(pair.split(" ") for pair in self.headers["Upload-Metadata"].split(","))
            sha = base64.b64decode(meta["sha256"]).decode()
            self.server.uploads.setdefault(sha, bytearray())
            self.server.sizes[sha] = int(self.headers["Upload-Length"])
            self.answer(201, Location=f"/sync/v1/blobs/{sha}")
            return
        request = json.loads(body)
        try:
            answers = {
                "push": memory.push,
                "pull": memory.pull,
                "replicas": self.register,
                "enrol": self.register,
                "blobs/query": self.query,
            }
            self.answer(200, answers[name](request))
        except Refusal as refusal:
            self.answer(409, {"code": refusal.code, **refusal.extra})

    def register(self, request: dict[str, Any]) -> dict[str, Any]:
        if request.get("nonce") not in self.server.nonces:
            made = {**self.server.memory.register(), "next_seq": 1, "head": "0" * 64}
            self.server.nonces[request.get("nonce")] = {**made, "token": "hy_dev_x", "user": {"id": "u-1"}}
        return self.server.nonces[request.get("nonce")]

    def query(self, request: dict[str, Any]) -> dict[str, Any]:
        have = [w["sha256"] for w in request["want"] if w["sha256"] in self.server.whole]
        return {"epoch": "e", "have": have, "partial": [], "need": []}

    def do_HEAD(self) -> None:
        self.answer(200, Upload_Offset=str(len(self.server.uploads[self.path.rsplit("/", 1)[1]])))

    def do_PATCH(self) -> None:
        sha, block = self.path.rsplit("/", 1)[1], self.body()
        kept = self.server.uploads[sha]
        if int(self.headers["Upload-Offset"]) != len(kept):
            self.answer(409, {"code": "offset_conflict"})
            return
        kept += self.server.spoil(block)
        if len(kept) == self.server.sizes[sha]:
            if hashlib.sha256(kept).hexdigest() != sha:
                kept.clear()
                self.answer(460, {"code": "checksum_mismatch"})
                return
            self.server.whole.add(sha)
        self.answer(204, Upload_Offset=str(len(kept)))


class Site(ThreadingHTTPServer):
    """One address, one memory."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Door)
        self.memory, self.lose, self.spoilt = MemoryServer(), 0, 0
        self.memory.scope.add(HOME)
        self.lose_on = ""
        self.nonces: dict[Any, dict[str, Any]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.sizes: dict[str, int] = {}
        self.whole: set[str] = set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def spoil(self, block: bytes) -> bytes:
        if self.spoilt > 0:
            self.spoilt -= 1
            return bytes(255 - b for b in block)
        return block


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield site
        site.shutdown()
        thread.join()


@pytest.fixture
def phone(site: Site, tmp_path: Path) -> Iterator[FieldClient]:
    client = FieldClient(tmp_path / "phone", site.url, chunk_bytes=1000)
    client.enrol("code", "phone-1")
    yield client
    client.close()


def settle(client: FieldClient) -> bool:
    return client.sync(tries=12, wait=lambda _: None, jitter=random.Random(7))


def test_what_was_recorded_offline_arrives_once_though_answers_are_lost(
    site: Site, phone: FieldClient
) -> None:
    ops = [phone.record("thing.create", ("thing", "n0"), {"bucket": HOME})]
    ops += [phone.record("thing.note", ("thing", "n0"), {}) for _ in range(5)]
    site.lose = 3
    assert settle(phone)
    assert site.memory.data["entities"]["n0"]["tags"] == ops
    assert phone.rows("thing") == [ops]


def test_p2_an_op_is_on_disk_when_record_returns(site: Site, phone: FieldClient, tmp_path: Path) -> None:
    op = phone.record("thing.create", ("thing", "n0"), {"bucket": HOME, "remark": "消防通道被占用"})
    again = FieldClient(tmp_path / "phone", site.url)
    kept = again.store.state("outbox")["outbox"]
    again.close()
    assert [k["op"] for k in kept] == [op]
    assert "消防通道被占用" in kept[0]["body"]


def test_p9_a_lost_answer_to_a_registration_makes_no_second_replica(site: Site, phone: FieldClient) -> None:
    op = phone.record("thing.create", ("thing", "n0"), {"bucket": HOME})
    site.memory.data["replicas"].clear()
    site.lose_on = "replicas"
    with pytest.raises(Offline):
        phone.push()
    assert settle(phone)
    assert len(site.memory.data["replicas"]) == 1
    assert site.memory.data["entities"]["n0"]["tags"] == [op]


def test_p29_an_upload_goes_on_at_the_byte_where_it_stopped(
    site: Site, phone: FieldClient, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(random.Random(1).randbytes(3500))
    phone.record("thing.create", ("thing", "n0"), {"bucket": HOME}, [photo])
    sha = phone.store.waiting()[0][0]
    site.uploads[sha], site.sizes[sha] = bytearray(photo.read_bytes()[:2000]), 3500
    assert phone.upload().waiting == 0
    assert phone.sent["bytes"] == 1500
    assert site.whole == {sha}


def test_p30_a_photo_spoilt_on_the_way_is_sent_anew(site: Site, phone: FieldClient, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(random.Random(2).randbytes(2500))
    phone.record("thing.create", ("thing", "n0"), {"bucket": HOME}, [photo])
    site.spoilt = 1
    assert phone.upload().waiting == 0
    assert phone.sent["bytes"] == 5000


def test_p11_a_captive_portal_changes_nothing(phone: FieldClient, tmp_path: Path) -> None:
    class Portal(Door):
        def do_POST(self) -> None:
            self.body()
            self.send_response(200)
            self.send_header("Content-Length", "13")
            self.end_headers()
            self.wfile.write(b"<html></html>")

    phone.record("thing.create", ("thing", "n0"), {"bucket": HOME})
    before = phone.store.state()
    with ThreadingHTTPServer(("127.0.0.1", 0), Portal) as portal:
        thread = threading.Thread(target=portal.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        lost = FieldClient(tmp_path / "phone", f"http://127.0.0.1:{portal.server_address[1]}")
        with pytest.raises(Offline):
            lost.push()
        lost.close()
        portal.shutdown()
        thread.join()
    assert phone.store.state() == before


def test_the_command_line_records_syncs_and_shows(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path / "cli"), "--url", site.url]
    assert main([*home, "enrol", "code"]) == 0
    assert main([*home, "record", "thing.create", "thing:n9", json.dumps({"bucket": HOME})]) == 0
    assert main([*home, "sync"]) == 0
    capsys.readouterr()
    assert main([*home, "view", "thing"]) == 0
    assert json.loads(capsys.readouterr().out) == [site.memory.data["entities"]["n9"]["tags"]]
