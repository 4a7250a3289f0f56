"""The last resort (P89): whoever holds a device's token may leave a dump, nothing else; the server never reads one."""

import base64
import gzip
import hashlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from backend.accounts import tokens
from backend.database import transaction
from sync_protocol.client.rescuer import rescue
from sync_protocol.client.session import FieldClient
from sync_protocol.client.transport import Offline, Refused, Transport
from tests.faults.phones import Pusher
from tests.faults.rig import ROOT, Place, Server, Template

BYTES = "application/offset+octet-stream"


@pytest.fixture(scope="module")
def running(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Server]]:
    place = sqlite_template.copy(tmp_path_factory.mktemp("rescue") / "place")
    server = Server(place)
    server.start()
    yield place, server
    server.end()


def ask(server: Server, token: str, method: str, path: str, body: bytes = b"", **more: str) -> tuple[int, Any, bytes]:
    headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    return server.ask(method, path, body, headers | {k.replace("_", "-"): v for k, v in more.items()})


def announced(data: bytes, size: int | None = None) -> dict[str, str]:
    sha = base64.b64encode(hashlib.sha256(data).hexdigest().encode()).decode()
    return {"Upload_Length": str(len(data) if size is None else size), "Upload_Metadata": f"sha256 {sha}"}


def bring(server: Server, token: str, data: bytes) -> str:
    status, got, _ = ask(server, token, "POST", "/sync/v1/rescue", **announced(data))
    assert status == 201
    status, _, _ = ask(server, token, "PATCH", got["Location"], data, Upload_Offset="0", Content_Type=BYTES)
    assert status == 204
    return str(got["Location"])


def cli(place: Place, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "backend", *words]
    return subprocess.run(command, capture_output=True, text=True, env=place.env(), cwd=ROOT, check=False)


def test_a_dump_is_kept_apart_byte_for_byte_whatever_it_is_and_exported(
    running: tuple[Place, Server], tmp_path: Path
) -> None:
    place, server = running
    pusher, data = Pusher.enrol(place, server, 1, "dump"), b"<html>\0" + Random(1).randbytes(300_000)
    place_of = bring(server, pusher.token, data)
    sha = hashlib.sha256(data).hexdigest()
    assert (place.folder / "rescue" / sha[:2] / sha).read_bytes() == data
    assert not (place.folder / "photos" / sha[:2] / sha).exists()
    rescue_id = place_of.rsplit("/", 1)[1]
    assert rescue_id in cli(place, "rescue", "list", "--json").stdout
    out = tmp_path / "dump"
    assert cli(place, "rescue", "export", rescue_id, "--out", str(out)).returncode == 0
    assert out.read_bytes() == data and out.stat().st_mode & 0o077 == 0
    (place.folder / "rescue" / sha[:2] / sha).write_bytes(data[:-1] + b"x")
    assert cli(place, "rescue", "export", rescue_id, "--out", str(out)).returncode == 1
    assert cli(place, "rescue", "export", "nothing", "--out", str(out)).returncode == 1


def test_it_goes_on_at_the_byte_and_the_same_dump_is_the_same_resource(running: tuple[Place, Server]) -> None:
    place, server = running
    pusher, data = Pusher.enrol(place, server, 2, "resume"), Random(2).randbytes(400_000)
    status, got, _ = ask(server, pusher.token, "POST", "/sync/v1/rescue", **announced(data))
    url = got["Location"]
    with socket.create_connection(("127.0.0.1", server.port), 10) as line:
        head = [f"PATCH {url} HTTP/1.1", "Host: x", f"Authorization: Bearer {pusher.token}", "Tus-Resumable: 1.0.0"]
        head += ["Upload-Offset: 0", f"Content-Type: {BYTES}", f"Content-Length: {len(data)}", "", ""]
        line.sendall("\r\n".join(head).encode() + data[:150_000])
    for _ in range(200):
        status, got, _ = ask(server, pusher.token, "HEAD", url)
        if (at := int(got["Upload-Offset"])) > 0:
            break
    assert status == 200 and 0 < at <= 150_000
    status, got, _ = ask(server, pusher.token, "POST", "/sync/v1/rescue", **announced(data))
    assert (status, got["Location"], int(got["Upload-Offset"])) == (201, url, at)
    wrong = ask(server, pusher.token, "PATCH", url, data[at + 1 :], Upload_Offset=str(at + 1), Content_Type=BYTES)
    assert (wrong[0], wrong[1]["Upload-Offset"]) == (409, str(at))
    assert ask(server, pusher.token, "PATCH", url, data[at:], Upload_Offset=str(at), Content_Type=BYTES)[0] == 204
    status, got, _ = ask(server, pusher.token, "POST", "/sync/v1/rescue", **announced(data))
    assert (got["Location"], int(got["Upload-Offset"])) == (url, len(data))
    os.remove(place.folder / "rescue" / hashlib.sha256(data).hexdigest()[:2] / hashlib.sha256(data).hexdigest())
    assert ask(server, pusher.token, "HEAD", url)[1]["Upload-Offset"] == "0"  # gone from disk: asked for again


def test_a_revoked_device_and_one_of_a_person_who_has_left_may_leave_a_dump_and_nothing_else(
    running: tuple[Place, Server], tmp_path: Path
) -> None:
    place, server = running
    phone = FieldClient(tmp_path / "phone", server.url)
    enrolled = phone.enrol(place.code(3), "revoked-phone")
    op = phone.record("thing.unheard", ("thing", "t-lost"), {"note": "留在手机里（示例）"})
    with place.app(), transaction() as session:
        assert tokens.revoke_device(session, enrolled["device"])
    with pytest.raises(Refused, match="device_revoked"):
        phone.push()
    sha = phone.rescue()
    assert not (tmp_path / "phone" / "rescue.gz").exists()
    assert phone.status()["outbox"] == 1  # a dump takes nothing away
    dump = (place.folder / "rescue" / sha[:2] / sha).read_bytes()
    (tmp_path / "dump.db").write_bytes(gzip.decompress(dump))
    line = sqlite3.connect(tmp_path / "dump.db")
    kept = dict(line.execute("SELECT k, v FROM state").fetchall())
    line.close()
    assert op.encode() in kept["outbox"] and "token" not in kept
    assert enrolled["token"].encode() not in gzip.decompress(dump)
    for path in ("/sync/v1/pull", "/sync/v1/push", "/sync/v1/blobs/query"):
        assert ask(server, enrolled["token"], "POST", path, b"{}")[0] == 401
    phone.close()


def test_a_database_that_cannot_be_read_is_brought_as_it_is(running: tuple[Place, Server], tmp_path: Path) -> None:
    place, server = running
    phone = FieldClient(tmp_path / "phone", server.url)
    phone.enrol(place.code(4), "broken-phone")
    token = phone.transport.token
    phone.close()
    spoilt = b"not a database" * 1000
    broken = tmp_path / "broken"
    shutil.copytree(tmp_path / "phone", broken)
    (broken / "device.db").write_bytes(spoilt)
    (broken / "device.db-wal").unlink(missing_ok=True)
    line = Transport(server.url)
    line.token = token
    sha = rescue(broken, line, "/sync/v1", 5000)
    line.close()
    assert gzip.decompress((place.folder / "rescue" / sha[:2] / sha).read_bytes()) == spoilt


def test_what_is_under_way_goes_on_with_the_same_bytes(running: tuple[Place, Server], tmp_path: Path) -> None:
    place, server = running
    phone = FieldClient(tmp_path / "phone", server.url)
    phone.enrol(place.code(5), "twice-phone")
    dead = FieldClient(tmp_path / "phone", "http://127.0.0.1:9")
    with pytest.raises(Offline):
        dead.rescue()
    kept = (tmp_path / "phone" / "rescue.gz").read_bytes()
    dead.record("thing.unheard", ("thing", "t-later"), {})
    assert phone.rescue() == hashlib.sha256(kept).hexdigest()
    dead.close()
    phone.close()


def test_strangers_others_and_too_much_are_refused(running: tuple[Place, Server]) -> None:
    place, server = running
    pusher, other = (Pusher.enrol(place, server, n, "bounds") for n in (6, 7))
    assert ask(server, "hy_dev_nobody", "POST", "/sync/v1/rescue", **announced(b"x"))[0] == 401
    assert ask(server, pusher.token, "POST", "/sync/v1/rescue", **announced(b"x", 50 * 1024 * 1024 + 1))[0] == 413
    url = bring(server, pusher.token, b"mine")
    assert ask(server, other.token, "HEAD", url)[0] == 404
    assert ask(server, other.token, "PATCH", url, b"x", Upload_Offset="0", Content_Type=BYTES)[0] == 404
    status, got, _ = ask(server, pusher.token, "POST", "/sync/v1/rescue", **announced(b"true"))
    assert ask(server, pusher.token, "PATCH", got["Location"], b"fals", Upload_Offset="0", Content_Type=BYTES)[0] == 460
    assert ask(server, pusher.token, "HEAD", got["Location"])[1]["Upload-Offset"] == "0"
    statuses = [ask(server, pusher.token, "POST", "/sync/v1/rescue", **announced(b"%d" % n))[0] for n in range(8)]
    assert statuses == [201] * 6 + [429] * 2
    assert ask(server, pusher.token, "POST", "/sync/v1/rescue", **announced(b"mine"))[0] == 201


def test_the_client_brings_one_from_the_command_line(running: tuple[Place, Server], tmp_path: Path) -> None:
    place, server = running
    words = [sys.executable, "-m", "sync_protocol.client", "--home", str(tmp_path / "cli"), "--url", server.url]
    for more in (["enrol", place.code(8)], ["rescue"]):
        done = subprocess.run([*words, *more], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert len(list((place.folder / "rescue").glob("??/*"))) >= 1
