"""Uploads over HTTP and a real disk: resumed at the byte, whole by the hash alone, honest about what is gone.

Line, disk and database are real; a disk that fills up is the one thing that is played.
"""

import base64
import errno
import hashlib
import json
import os
import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.datastructures import Headers

from backend.access.scope import SYSTEM
from backend.accounts import queries as accounts
from backend.accounts.models import User
from backend.cli.user import add_user
from backend.database import snapshot
from backend.errors import Problem
from backend.now import now_utc
from backend.photos import pipeline
from backend.photos import queries as photos
from backend.photos.store import PhotoStore
from backend.sync import receiving, tus
from tests.contract import Exchange, check
from tests.journeys.stage import PHOTOS, Stage, stage, until

BYTES = "application/offset+octet-stream"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("uploads")) as made:
        yield made


@dataclass
class Phone:
    """A device that speaks tus by hand."""

    stage: Stage
    token: str

    def ask(self, method: str, path: str, body: Any = None, **more: str) -> tuple[int, Any, bytes]:
        headers = {"Authorization": f"Bearer {self.token}", "Tus-Resumable": "1.0.0"}
        headers |= {k.replace("_", "-"): v for k, v in more.items()}
        status, got, answer = self.stage.server.ask(method, path, body, headers)
        sent = body.encode() if isinstance(body, str) else body or b""
        check(Exchange(method, path, Headers(headers), sent, status, Headers(list(got.items())), answer))
        return status, got, answer

    def create(self, data: bytes, sha: str | None = None) -> tuple[str, int]:
        name = base64.b64encode((sha or digest(data)).encode()).decode()
        status, headers, body = self.ask(
            "POST", "/sync/v1/blobs", b"", Upload_Length=str(len(data)), Upload_Metadata=f"sha256 {name}"
        )
        assert status == 201, body
        return headers["Location"], int(headers["Upload-Offset"])

    def patch(self, place: str, offset: int, block: bytes) -> tuple[int, Any, bytes]:
        return self.ask("PATCH", place, block, Upload_Offset=str(offset), Content_Type=BYTES)

    def head(self, place: str) -> int:
        status, headers, _ = self.ask("HEAD", place)
        assert status == 200
        return int(headers["Upload-Offset"])

    def query(self, *shas: str) -> Any:
        body = json.dumps({"want": [{"sha256": sha} for sha in shas]})
        return json.loads(self.ask("POST", "/sync/v1/blobs/query", body, Content_Type="application/json")[2])


def enrolled(running: Stage, login: str) -> Phone:
    client = running.device(login, f"{login}-hand")
    client.close()
    return Phone(running, client.transport.token)


@pytest.fixture(scope="module")
def phone(running: Stage) -> Phone:
    return enrolled(running, "ins1")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fresh(size: int = 300_000) -> bytes:
    """Bytes that no other test has sent; no picture, which the server keeps and says."""
    return uuid.uuid4().bytes + os.urandom(size - 16)


def state(running: Stage, data: bytes) -> tuple[str, str | None]:
    with running.app.app_context(), snapshot() as session:
        kept = photos.get(session, digest(data))
        assert kept is not None
        return kept.state, kept.fault


def store(running: Stage) -> PhotoStore:
    found: PhotoStore = running.app.extensions["photo_store"]
    return found


def test_the_server_says_what_it_speaks(phone: Phone) -> None:
    status, headers, _ = phone.ask("OPTIONS", "/sync/v1/blobs")
    assert (status, headers["Tus-Version"], headers["Tus-Extension"]) == (204, "1.0.0", ",".join(tus.EXTENSIONS))
    assert int(headers["Tus-Max-Size"]) > 1_000_000


def test_a_photo_sent_in_two_pieces_is_verified_and_kept_under_its_hash(running: Stage, phone: Phone) -> None:
    data = (PHOTOS / "zibo_boshan_ok.jpg").read_bytes()
    place, offset = phone.create(data)
    assert offset == 0
    status, headers, _ = phone.patch(place, 0, data[:100_000])
    assert (status, headers["Upload-Offset"], phone.head(place)) == (204, "100000", 100_000)
    assert phone.patch(place, 100_000, data[100_000:])[0] == 204
    assert state(running, data) == ("verified", None)
    assert store(running).path(digest(data)).read_bytes() == data


def test_the_same_person_hash_and_size_give_the_same_upload(phone: Phone) -> None:
    data = fresh()
    place, _ = phone.create(data)
    phone.patch(place, 0, data[:5000])
    assert phone.create(data) == (place, 5000)
    assert phone.create(data + b"x", digest(data))[0] != place


def test_many_creations_at_once_give_one_upload(phone: Phone) -> None:
    data = fresh()
    with ThreadPoolExecutor(8) as crowd:
        places = set(crowd.map(lambda _: phone.create(data), range(8)))
    assert len(places) == 1


def test_a_wrong_offset_is_told_the_right_one(phone: Phone) -> None:
    data = fresh()
    place, _ = phone.create(data)
    phone.patch(place, 0, data[:1000])
    status, headers, body = phone.patch(place, 900, data[900:])
    assert (status, headers["Upload-Offset"]) == (409, "1000")
    assert json.loads(body)["code"] == "offset_conflict"


def test_bytes_that_do_not_hash_to_the_name_are_thrown_away_whole(running: Stage, phone: Phone) -> None:
    data = fresh()
    place, _ = phone.create(data)
    status, _, body = phone.patch(place, 0, data[:-1] + bytes([data[-1] ^ 1]))
    assert (status, json.loads(body)["code"]) == (460, "checksum_mismatch")
    assert phone.head(place) == 0
    assert not store(running).path(digest(data)).exists()
    assert phone.patch(place, 0, data)[0] == 204, "sent again, it is taken"
    assert store(running).path(digest(data)).read_bytes() == data


def test_what_arrived_before_the_line_was_cut_is_kept(running: Stage, phone: Phone) -> None:
    data = fresh(900_000)
    place, _ = phone.create(data)
    request = (
        f"PATCH {place} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {phone.token}\r\n"
        f"Tus-Resumable: 1.0.0\r\nContent-Type: {BYTES}\r\nUpload-Offset: 0\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", running.server.port)) as line:
        line.sendall(request.encode() + data[:600_000])
    assert until(lambda: phone.head(place) == 600_000)
    assert phone.patch(place, 600_000, data[600_000:])[0] == 204
    assert state(running, data)[0] == "corrupt"


def test_two_senders_at_once_end_with_one_whole_file(running: Stage, phone: Phone) -> None:
    data = fresh(2_000_000)
    place, _ = phone.create(data)
    with ThreadPoolExecutor(6) as crowd:
        answers = [a[0] for a in crowd.map(lambda _: phone.patch(place, 0, data), range(6))]
    assert set(answers) <= {204, 409, 423} and 204 in answers
    assert phone.head(place) == len(data)
    assert store(running).path(digest(data)).read_bytes() == data


def test_a_sender_that_was_overtaken_neither_moves_the_offset_nor_spoils_bytes(
    running: Stage, phone: Phone
) -> None:
    data = fresh()
    place, _ = phone.create(data)
    upload_id = place.rsplit("/", 1)[1]
    with running.app.test_request_context():
        stale = receiving._fence(upload_id, 0)
    assert phone.patch(place, 0, data[:200_000])[0] == 204
    with running.app.test_request_context():
        with pytest.raises(Problem, match="locked"):
            receiving._hold(upload_id, stale)
        store(running).append(upload_id, 0, data[:1000])  # its block was on the way already
        with pytest.raises(Problem, match="locked"):
            receiving._move(upload_id, stale, 1000)
    assert phone.head(place) == 200_000
    assert phone.patch(place, 200_000, data[200_000:])[0] == 204


def test_a_full_disk_is_said_and_what_fitted_is_kept(
    running: Stage, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, whole = fresh(600_000), PhotoStore.append
    place, _ = phone.create(data)

    def nearly_full(self: PhotoStore, upload_id: str, offset: int, block: bytes) -> None:
        if offset + len(block) > 300_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(self, upload_id, offset, block)

    monkeypatch.setattr(PhotoStore, "append", nearly_full)
    headers = {"Upload-Offset": "0", "Content-Type": BYTES, "Tus-Resumable": "1.0.0"}
    headers["Authorization"] = f"Bearer {phone.token}"
    answer = running.app.test_client().patch(place, data=data, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (507, "storage_full")
    monkeypatch.undo()
    kept = phone.head(place)
    assert 0 < kept <= 300_000
    assert phone.patch(place, kept, data[kept:])[0] == 204


def test_an_empty_file_is_complete_at_creation_and_named_as_no_picture(running: Stage, phone: Phone) -> None:
    place, _ = phone.create(b"")
    assert phone.head(place) == 0
    assert state(running, b"") == ("corrupt", "not_an_image")


def test_a_photo_whose_bytes_are_gone_from_the_disk_is_asked_for_again(running: Stage, phone: Phone) -> None:
    data = fresh()
    place, _ = phone.create(data)
    phone.patch(place, 0, data)
    assert phone.query(digest(data))["have"] == [digest(data)]
    store(running).path(digest(data)).unlink()
    told = phone.query(digest(data))
    assert (told["have"], told["need"]) == ([], [digest(data)])
    assert phone.create(data) == (place, 0)
    assert phone.patch(place, 0, data)[0] == 204
    assert phone.query(digest(data))["have"] == [digest(data)]


def test_an_upload_whose_tail_is_gone_from_the_disk_goes_on_from_what_is_there(
    running: Stage, phone: Phone
) -> None:
    data = fresh()
    place, _ = phone.create(data)
    phone.patch(place, 0, data[:200_000])
    os.truncate(store(running).incoming / place.rsplit("/", 1)[1], 50_000)
    assert phone.head(place) == 50_000
    assert phone.patch(place, 50_000, data[50_000:])[0] == 204
    assert store(running).path(digest(data)).read_bytes() == data


def test_a_kill_between_the_last_byte_and_its_answer_is_finished_by_the_next_question(
    running: Stage, phone: Phone
) -> None:
    data = fresh()
    place, _ = phone.create(data)
    upload_id = place.rsplit("/", 1)[1]
    store(running).append(upload_id, 0, data)
    with running.app.test_request_context():
        receiving._move(upload_id, receiving._fence(upload_id, 0), len(data))
    with ThreadPoolExecutor(4) as crowd:
        assert set(crowd.map(lambda _: phone.head(place), range(4))) == {len(data)}
    assert state(running, data)[0] == "corrupt"
    assert [phone.patch(place, len(data), more)[0] for more in (b"", b"x")] == [204, 409]


def test_what_is_here_in_part_or_needed_is_told_apart(phone: Phone) -> None:
    done, partial, unknown = fresh(), fresh(), fresh()
    phone.patch(phone.create(done)[0], 0, done)
    place, _ = phone.create(partial)
    phone.patch(place, 0, partial[:7000])
    told = phone.query(*map(digest, (done, partial, unknown)))
    assert told["have"] == [digest(done)] and told["need"] == [digest(unknown)]
    assert told["partial"] == [{"sha256": digest(partial), "offset": 7000, "url": place}]


def test_another_person_learns_nothing_of_an_upload_and_cannot_touch_it(running: Stage, phone: Phone) -> None:
    data = fresh()
    place, _ = phone.create(data)
    phone.patch(place, 0, data)
    with running.app.app_context():
        add_user("ins2", "排查员二（示例）", "inspector", "", None, None)
    other = enrolled(running, "ins2")
    assert other.query(digest(data))["need"] == [digest(data)]
    assert other.ask("HEAD", place)[0] == 404
    assert other.patch(place, 0, data)[0] == 404
    assert other.ask("GET", f"/sync/v1/photos/{digest(data)}?w=320")[0] == 404


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"Upload_Length": "-1"}, 422, "invalid"),
        ({"Upload_Length": "١٢"}, 422, "invalid"),
        ({"Upload_Length": "99999999999", "Upload_Metadata": f"sha256 {'MDAw' * 21}MA=="}, 413, "too_large"),
        ({"Upload_Length": "5", "Upload_Metadata": "sha256 !!"}, 422, "invalid"),
        ({"Upload_Length": "5", "Upload_Metadata": "sha256 Li4vLi4="}, 422, "invalid"),
        ({"Upload_Length": "5", "Tus_Resumable": "0.2.2"}, 412, "tus_version"),
    ],
)
def test_a_creation_that_cannot_be_is_refused_by_name(
    running: Stage, phone: Phone, more: dict[str, str], status: int, code: str
) -> None:
    headers = {"Authorization": f"Bearer {phone.token}", "Tus-Resumable": "1.0.0"}
    headers |= {k.replace("_", "-"): v.encode().decode("latin-1") for k, v in more.items()}
    answer = running.app.test_client().post("/sync/v1/blobs", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_more_bytes_than_announced_are_refused(phone: Phone) -> None:
    data = fresh()
    place, _ = phone.create(data)
    assert phone.patch(place, 0, data + b"and more")[0] == 413
    assert phone.patch(place, 0, data)[0] == 204


def test_a_hostile_picture_is_in_custody_and_never_served(running: Stage, phone: Phone) -> None:
    for name, fault in (("bomb_20000x20000.png", "too_large"), ("text_as.jpg", "not_an_image")):
        data = (PHOTOS / name).read_bytes()
        assert phone.patch(phone.create(data)[0], 0, data)[0] == 204
        assert state(running, data) == ("corrupt", fault)
        assert phone.ask("GET", f"/sync/v1/photos/{digest(data)}?w=320")[0] == 404


def test_what_is_served_of_a_photo_is_small_and_without_metadata(running: Stage, phone: Phone) -> None:
    data = (PHOTOS / "zibo_zhangdian_ok.jpg").read_bytes()
    assert phone.patch(phone.create(data)[0], 0, data)[0] == 204
    with running.app.app_context():
        pipeline.derive({"sha256": digest(data)}, now_utc())
        for width in ("320", "1280"):
            made = (pipeline.store().derived(digest(data)) / f"{width}.jpg").read_bytes()
            assert made.startswith(b"\xff\xd8") and len(made) < len(data)
            assert not any(word in made for word in (b"Exif", b"http://ns.adobe.com", b"Photoshop", b"GPS"))
        with snapshot() as session:
            user = session.scalars(select(User).where(User.id == "u-ins1")).one()
            assert not photos.may_see(session, accounts.actor_of(user), digest(data)), "nothing refers to it"
            assert photos.verified(session, SYSTEM, [digest(data)])
