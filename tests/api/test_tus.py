"""tus 1.0.0 whole, over HTTP and a real disk: bytes with the creation, checksums, an end by the phone or by time (P92)."""

import base64
import contextlib
import hashlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from backend.cli.user import add_user
from backend.errors import NotFound, Problem
from backend.now import now_utc
from backend.sync import giving_up, receiving
from tests.api.test_uploads import BYTES, Phone, digest, enrolled, fresh, state, store
from tests.journeys.stage import PHOTOS, Stage, stage

# tuspy as it is published, in a process of its own
TUSPY = """
import sys
from tusclient import client
url, token, path, sha = sys.argv[1:]
mine = client.TusClient(url, headers={"Authorization": f"Bearer {token}"})
mine.uploader(path, chunk_size=100_000, upload_checksum=True, metadata={"sha256": sha}).upload()
"""
DAYS = receiving.IDLE.days


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("tus")) as made:
        yield made


@pytest.fixture(scope="module")
def phone(running: Stage) -> Phone:
    return enrolled(running, "ins1")


def summed(block: bytes, name: str = "sha256") -> str:
    return f"{name} {base64.b64encode(hashlib.new(name, block).digest()).decode()}"


def create_with(phone: Phone, data: bytes, body: bytes, **more: str) -> tuple[int, Any, bytes]:
    named = f"sha256 {base64.b64encode(digest(data).encode()).decode()}"
    return phone.ask(
        "POST", "/sync/v1/blobs", body, Upload_Length=str(len(data)), Upload_Metadata=named, Content_Type=BYTES, **more
    )


def forget(running: Stage, days: float) -> int:
    with running.app.app_context():
        return giving_up.forget(now_utc() + timedelta(days=days))


def on_disk(running: Stage, place: str) -> Path:
    return store(running).incoming / place.rpartition("/")[2]


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_bytes_with_their_checksum_are_taken(running: Stage, phone: Phone, name: str) -> None:
    data = fresh()
    place, _ = phone.create(data)
    for at in (0, 200_000):
        block = data[at : at + 200_000]
        status, got, _ = phone.ask(
            "PATCH", place, block, Upload_Offset=str(at), Content_Type=BYTES, Upload_Checksum=summed(block, name)
        )
        assert (status, int(got["Upload-Offset"])) == (204, at + len(block))
    assert state(running, data)[0] in ("verified", "corrupt")


def test_bytes_that_do_not_hash_to_their_checksum_count_for_nothing_and_may_come_again(phone: Phone) -> None:
    data = fresh()
    place, _ = phone.create(data)
    phone.patch(place, 0, data[:100_000])
    spoilt = bytes([data[100_000] ^ 1]) + data[100_001:]
    told = {"Upload_Offset": "100000", "Content_Type": BYTES, "Upload_Checksum": summed(data[100_000:])}
    assert phone.ask("PATCH", place, spoilt, **told)[0] == 460
    assert phone.head(place) == 100_000
    assert phone.ask("PATCH", place, data[100_000:], **told)[0] == 204


@pytest.mark.parametrize("said", ["md5 AAAA", "sha1 !!!", "sha1 AAAA", "sha256", "", "sha1"])
def test_a_checksum_that_is_not_spoken_here_is_refused_before_a_byte_is_kept(phone: Phone, said: str) -> None:
    data = fresh(1000)
    place, _ = phone.create(data)
    status, _, body = phone.ask("PATCH", place, data, Upload_Offset="0", Content_Type=BYTES, Upload_Checksum=said)
    assert (status, b"bad_checksum" in body, phone.head(place)) == (400, True, 0)


def test_of_a_cut_body_with_a_checksum_nothing_is_kept(running: Stage, phone: Phone) -> None:
    data = fresh()
    place, _ = phone.create(data)
    head = f"PATCH {place} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {phone.token}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n" \
           f"Content-Type: {BYTES}\r\nUpload-Checksum: {summed(data)}\r\nContent-Length: {len(data)}\r\n\r\n"  # fmt: skip
    with socket.create_connection(("127.0.0.1", running.server.port)) as line:
        line.sendall(head.encode() + data[:150_000])
        line.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while line.recv(4096):
                continue
    assert phone.head(place) == 0
    assert phone.patch(place, 0, data)[0] == 204


def test_a_photo_may_come_with_its_creation(running: Stage, phone: Phone) -> None:
    data = (PHOTOS / "zibo_linzi_ok.jpg").read_bytes()
    status, got, _ = create_with(phone, data, data, Upload_Checksum=summed(data))
    assert (status, int(got["Upload-Offset"]), "Upload-Expires" in got) == (201, len(data), False)
    assert state(running, data) == ("verified", None)
    again = create_with(phone, data, data)
    assert (again[0], again[1]["Location"], int(again[1]["Upload-Offset"])) == (201, got["Location"], len(data))


def test_a_creation_that_comes_again_skips_what_its_lost_try_left(running: Stage, phone: Phone) -> None:
    data = fresh()
    status, got, _ = create_with(phone, data, data[:120_000])
    assert (status, int(got["Upload-Offset"]), "Upload-Expires" in got) == (201, 120_000, True)
    status, again, _ = create_with(phone, data, data)
    assert (status, again["Location"], int(again["Upload-Offset"])) == (201, got["Location"], len(data))
    assert state(running, data)[0] in ("verified", "corrupt")


def test_an_upload_says_until_when_it_is_kept_and_what_it_is(phone: Phone) -> None:
    data = fresh()
    place, _ = phone.create(data)
    phone.patch(place, 0, data[:1000])
    _, got, _ = phone.ask("HEAD", place)
    left = parsedate_to_datetime(got["Upload-Expires"]) - now_utc()
    assert timedelta(days=DAYS) - timedelta(minutes=2) < left <= timedelta(days=DAYS)
    assert got["Upload-Metadata"] == f"sha256 {base64.b64encode(digest(data).encode()).decode()}"


def test_what_nobody_went_on_with_is_forgotten_in_time_and_comes_anew(running: Stage, phone: Phone) -> None:
    data, whole = fresh(), fresh(5000)
    place, _ = phone.create(data)
    phone.patch(place, 0, data[:1000])
    kept, _ = phone.create(whole)
    phone.patch(kept, 0, whole)
    forget(running, DAYS - 1)
    assert phone.head(place) == 1000
    forget(running, DAYS + 1)
    assert phone.ask("HEAD", place)[0] == 404
    assert not on_disk(running, place).exists()
    assert phone.head(kept) == len(whole)
    assert phone.query(digest(whole))["have"] == [digest(whole)]
    assert phone.create(data) == (place, 0)
    assert phone.patch(place, 0, data)[0] == 204


def test_a_file_that_no_upload_names_is_swept(running: Stage, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giving_up, "AT_ONCE", 1)  # the stray's name is the last: it lies in a lot of its own
    stray, data = store(running).incoming / ("f" * 40), fresh()
    stray.write_bytes(b"left by a kill")
    place, _ = phone.create(data)
    phone.patch(place, 0, data[:1000])
    forget(running, 0)
    assert stray.exists()
    forget(running, 2)
    assert not stray.exists()
    assert phone.head(place) == 1000


def test_a_phone_gives_an_upload_up_and_nobody_else_does(running: Stage, phone: Phone) -> None:
    data = fresh()
    place, _ = phone.create(data)
    phone.patch(place, 0, data[:1000])
    with running.app.app_context():
        add_user("ins3", "排查员三（示例）", "inspector", "", None, None)
    assert enrolled(running, "ins3").ask("DELETE", place)[0] == 404
    assert phone.head(place) == 1000
    assert phone.ask("DELETE", place)[0] == 204
    assert not on_disk(running, place).exists()
    assert [phone.ask(method, place)[0] for method in ("HEAD", "DELETE")] == [404, 404]


def test_a_photo_in_custody_is_not_taken_back(running: Stage, phone: Phone) -> None:
    data = fresh()
    place, _ = phone.create(data)
    phone.patch(place, 0, data)
    status, _, body = phone.ask("DELETE", place)
    assert (status, b"in custody" in body) == (409, True)
    assert phone.query(digest(data))["have"] == [digest(data)]


@pytest.mark.parametrize("size", [0, 5000])
def test_nothing_at_the_end_of_a_whole_upload_is_taken_and_bytes_are_not(phone: Phone, size: int) -> None:
    data = fresh(size) if size else b""
    status, got, _ = create_with(phone, data, data)
    assert (status, int(got["Upload-Offset"])) == (201, size)
    status, got, _ = phone.patch(got["Location"], size, b"")
    assert (status, int(got["Upload-Offset"])) == (204, size)
    place = phone.create(data)[0]
    assert [phone.patch(place, size, b"x")[0], phone.patch(place, size + 1, b"")[0]] == [409, 409]
    told = {"Upload_Offset": str(size), "Content_Type": BYTES, "Upload_Checksum": summed(b"x")}
    assert phone.ask("PATCH", place, b"", **told)[0] == 460


def test_a_writer_of_an_upload_that_was_given_up_never_writes_into_the_next(running: Stage, phone: Phone) -> None:
    data = fresh()
    place, _ = phone.create(data)
    upload_id = place.rpartition("/")[2]
    with running.app.app_context():
        stale = receiving._fence(upload_id, 0)
    assert phone.ask("DELETE", place)[0] == 204
    with running.app.app_context(), pytest.raises(NotFound):
        receiving._hold(upload_id, stale)
    assert phone.create(data) == (place, 0)
    phone.patch(place, 0, data[:1000])
    with running.app.app_context():
        with pytest.raises(Problem, match="locked"):
            receiving._hold(upload_id, stale)
        with pytest.raises(Problem, match="locked"):
            receiving._move(upload_id, stale, 5)
    assert phone.head(place) == 1000


def test_a_line_that_knows_only_post_names_the_method_in_a_header(running: Stage, phone: Phone) -> None:
    data = fresh(1000)
    place, _ = phone.create(data)
    base = {"Authorization": f"Bearer {phone.token}", "Tus-Resumable": "1.0.0"}
    sent = base | {"X-HTTP-Method-Override": "PATCH", "Content-Type": BYTES, "Upload-Offset": "0"}
    assert running.server.ask("POST", place, data[:400], sent)[0] == 204
    assert phone.head(place) == 400
    assert running.server.ask("POST", place, b"", base | {"X-HTTP-Method-Override": "DELETE"})[0] == 204
    assert phone.ask("HEAD", place)[0] == 404
    assert running.server.ask("POST", "/sync/v1/hello", b"", base | {"X-HTTP-Method-Override": "PATCH"})[0] == 405


def test_tuspy_unchanged_sends_checksums_and_is_believed(running: Stage, phone: Phone, tmp_path: Path) -> None:
    data = fresh(250_000)
    (tmp_path / "photo").write_bytes(data)
    words = [f"{running.server.url}/sync/v1/blobs", phone.token, str(tmp_path / "photo"), digest(data)]
    done = subprocess.run([sys.executable, "-c", TUSPY, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert phone.query(digest(data))["have"] == [digest(data)]


def test_whatever_a_client_asks_the_offset_is_that_of_a_simple_model(running: Stage, phone: Phone) -> None:
    """B1 of sync.md §4.3: create (with bytes or without), send (rightly, at a wrong place, with a good or a wrong checksum), give up,
    let time pass; the offset is the model's after every step."""

    class Uploads(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.data, self.at, self.place = fresh(4000), -1, ""

        @rule(size=st.sampled_from([0, 700, 4000]))
        def create(self, size: int) -> None:
            status, got, _ = create_with(phone, self.data, self.data[:size])
            self.at, self.place = max(self.at, 0, size), got["Location"]
            assert (status, int(got["Upload-Offset"])) == (201, self.at)

        @precondition(lambda self: self.place)
        @rule(aside=st.sampled_from([0, 0, 0, -1, 5]), size=st.sampled_from([1, 900, 4000]), good=st.sampled_from([None, True, False]))
        def send(self, aside: int, size: int, good: bool | None) -> None:
            at = max(self.at + aside, 0)
            block = self.data[at : at + size]
            more = {} if good is None else {"Upload_Checksum": summed(block if good else block + b"x")}
            status = phone.ask("PATCH", self.place, block, Upload_Offset=str(at), Content_Type=BYTES, **more)[0]
            is_whole = self.at == len(self.data)
            wanted = 404 if self.at < 0 else 409 if at != self.at or (is_whole and block) else 460 if good is False else 204
            assert status == wanted
            self.at += len(block) if wanted == 204 else 0

        @precondition(lambda self: self.place)
        @rule()
        def give_up(self) -> None:
            wanted = 404 if self.at < 0 else 409 if self.at == len(self.data) else 204
            assert phone.ask("DELETE", self.place)[0] == wanted
            self.at = -1 if wanted == 204 else self.at

        @rule(days=st.sampled_from([1, DAYS + 1]))
        def time_passes(self, days: int) -> None:
            forget(running, days)
            self.at = -1 if days > DAYS and self.at < len(self.data) else self.at

        def teardown(self) -> None:
            if self.place:
                status, got, _ = phone.ask("HEAD", self.place)
                assert (status, int(got.get("Upload-Offset", -1))) == ((404, -1) if self.at < 0 else (200, self.at))

    checks = list(HealthCheck)
    run_state_machine_as_test(
        Uploads, settings=settings(max_examples=40, stateful_step_count=12, deadline=None, database=None, suppress_health_check=checks)
    )
