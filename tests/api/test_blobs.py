"""The photo doors on both databases (I19): tus creation, offset, bytes; what is here; and who may look. (Cut lines: test_uploads.py.)"""

import io
from typing import Any

import pytest
from sqlalchemy import select, update

from backend.now import now_utc
from backend.ops.jobs import run_one
from backend.ops.work import JOBS
from backend.photos.models import Photo, PhotoRef, Upload
from backend.problems.models import Problem
from backend.sync import receiving
from tests import make
from tests.api.asking import NOBODY
from tests.cast import A_TOWNSHIP, A, B, World, told

BYTES = "application/offset+octet-stream"


def create(phone: Any, data: bytes, name: str | None = None, **more: Any) -> Any:
    headers = make.tus(**{"Upload_Length": len(data), "Upload_Metadata": make.metadata(name or make.sha(data)), **more})
    return phone.ask("POST", "/sync/v1/blobs", headers=headers)


def patch(phone: Any, place: str, at: int, data: bytes, **more: Any) -> Any:
    return phone.ask("PATCH", place, data=data, headers=make.tus(**{"Upload_Offset": at, "Content_Type": BYTES, **more}))


def head(phone: Any, place: str) -> Any:
    return phone.ask("HEAD", place, headers=make.tus())


def derive(world: World) -> None:
    with world.app.app_context():
        while run_one(JOBS, now_utc()):
            continue


@pytest.mark.answers("uploads.options", 204)
def test_what_the_server_can_is_told_to_anybody(world: World) -> None:
    answer = world.anonymous().options("/sync/v1/blobs")
    assert int(answer.headers["Tus-Max-Size"]) == world.app.extensions["config"].max_photo_bytes


@pytest.mark.answers("uploads.create", 201)
@pytest.mark.answers("uploads.patch", 204)
@pytest.mark.answers("uploads.head", 200)
def test_a_photo_in_pieces_stands_where_its_last_byte_is_and_is_begun_once(world: World) -> None:
    phone, data = world.any_phone("inspector_a"), make.picture()
    place = create(phone, data).headers["Location"]
    assert patch(phone, place, 0, data[:1000]).headers["Upload-Offset"] == "1000"
    told_again = create(phone, data)
    assert (told_again.headers["Location"], told_again.headers["Upload-Offset"]) == (place, "1000")
    assert (head(phone, place).headers["Upload-Offset"], head(phone, place).headers["Upload-Length"]) == ("1000", str(len(data)))
    assert patch(phone, place, 1000, data[1000:]).status_code == 204
    assert world.look(select(Photo.state).where(Photo.sha256 == make.sha(data))) == [("verified",)]


@pytest.mark.parametrize("wrong", [
    {"Upload_Length": None}, {"Upload_Length": "-1"}, {"Upload_Length": "1e3"}, {"Upload_Metadata": None}, {"Upload_Metadata": "sha256 !"},
    {"Upload_Metadata": make.metadata("x")}, {"Upload_Metadata": "mime aW1hZ2U="}, {"Upload_Metadata": "sha256 /w=="},
])  # fmt: skip
@pytest.mark.answers("uploads.create", 422)
def test_a_creation_that_does_not_say_what_it_is_is_refused(world: World, wrong: dict[str, Any]) -> None:
    assert told(create(world.any_phone("inspector_a"), b"12345", **wrong)) == (422, "invalid")


@pytest.mark.answers("uploads.create", 413)
def test_a_photo_larger_than_photos_may_be_is_refused_before_a_byte_is_sent(world: World) -> None:
    answer = create(world.any_phone("inspector_a"), b"", name=NOBODY, Upload_Length=33_554_433)
    assert told(answer) == (413, "too_large")


@pytest.mark.answers("uploads.create", 460)
def test_an_empty_file_under_another_name_is_no_photo(world: World) -> None:
    assert told(create(world.any_phone("inspector_a"), b"", name=make.sha(b"something"))) == (460, "checksum_mismatch")


@pytest.mark.answers("uploads.create", 507)
@pytest.mark.answers("uploads.patch", 507)
def test_a_disk_that_is_full_is_said_and_what_was_acknowledged_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    phone, data, store = world.any_phone("inspector_a"), make.picture(), world.app.extensions["photo_store"]
    place = create(phone, data).headers["Location"]
    patch(phone, place, 0, data[:1000])
    monkeypatch.setattr(type(store), "free_bytes", lambda self: -1)
    assert told(create(phone, make.picture())) == (507, "storage_full")
    monkeypatch.setattr(type(store), "append", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    answer = patch(phone, place, 1000, data[1000:])
    assert told(answer) == (507, "storage_full") and int(answer.headers["Retry-After"]) >= 1
    monkeypatch.undo()
    assert head(phone, place).headers["Upload-Offset"] == "1000"
    assert patch(phone, place, 1000, data[1000:]).status_code == 204


@pytest.mark.answers("uploads.head", 404)
@pytest.mark.answers("uploads.patch", 404)
def test_somebody_elses_upload_is_not_there(world: World) -> None:
    data = make.picture()
    place = create(world.any_phone("inspector_a"), data).headers["Location"]
    other = world.any_phone("inspector_b")
    assert head(other, place).status_code == 404 and told(patch(other, place, 0, data)) == (404, "not_found")
    assert create(other, data).headers["Location"] != place


@pytest.mark.answers("uploads.patch", 409)
def test_bytes_for_another_place_are_told_the_right_one(world: World) -> None:
    phone, data = world.any_phone("inspector_a"), make.picture()
    place = create(phone, data).headers["Location"]
    patch(phone, place, 0, data[:500])
    answer = patch(phone, place, 400, data[400:])
    assert told(answer) == (409, "offset_conflict") and answer.headers["Upload-Offset"] == "500"


@pytest.mark.answers("uploads.patch", 413)
def test_more_bytes_than_were_announced_are_not_taken(world: World) -> None:
    phone, data = world.any_phone("inspector_a"), make.picture()
    place = create(phone, data).headers["Location"]
    assert told(patch(phone, place, 0, data + b"more")) == (413, "too_large")


@pytest.mark.answers("uploads.patch", 415, 422)
def test_bytes_that_do_not_say_what_or_where_they_are_are_refused(world: World) -> None:
    phone, data = world.any_phone("inspector_a"), make.picture()
    place = create(phone, data).headers["Location"]
    assert told(patch(phone, place, 0, data, Content_Type="image/jpeg")) == (415, "bad_encoding")
    for wrong in ("-1", "x", "", "1" * 20):
        assert told(patch(phone, place, 0, data, Upload_Offset=wrong)) == (422, "invalid")


class Overtaken(io.BytesIO):
    """A body on a slow line: before its second block another writer comes and goes on from where the first began."""

    def __init__(self, data: bytes, overtake: Any) -> None:
        super().__init__(data)
        self.overtake = overtake

    def readinto(self, buffer: Any, /) -> int:
        if self.tell() and self.overtake:
            overtake, self.overtake = self.overtake, None
            overtake()
        return super().readinto(buffer)


@pytest.mark.answers("uploads.patch", 423)
def test_a_writer_that_was_overtaken_is_told_so(world: World) -> None:
    phone, data = world.phone("inspector_a"), make.picture(800, 600) * 4
    place = create(phone, data).headers["Location"]
    slow = Overtaken(data, lambda: patch(phone, place, 0, data[:1000]))
    headers = make.tus(Upload_Offset=0, Content_Type=BYTES)
    answer = phone.ask("PATCH", place, input_stream=slow, headers=headers, environ_overrides={"CONTENT_LENGTH": str(len(data))})
    assert told(answer) == (423, "locked")
    assert head(phone, place).headers["Upload-Offset"] == "1000"


@pytest.mark.answers("uploads.create", 400, 423)
@pytest.mark.answers("uploads.patch", 400)
def test_bytes_with_a_creation_are_refused_as_those_that_follow_it_are(world: World) -> None:
    phone, data = world.phone("inspector_a"), make.picture(800, 600) * 5
    place = create(phone, data).headers["Location"]
    assert told(patch(phone, place, 0, data, Upload_Checksum="md5 AAAA")) == (400, "bad_checksum")
    headers = make.tus(Upload_Length=len(data), Upload_Metadata=make.metadata(make.sha(data)), Content_Type=BYTES)
    assert told(phone.ask("POST", "/sync/v1/blobs", data=data, headers=headers | {"Upload-Checksum": "sha1 AAAA"})) == (400, "bad_checksum")
    slow = Overtaken(data, lambda: patch(phone, place, 0, data[:1000]))
    answer = phone.ask("POST", "/sync/v1/blobs", input_stream=slow, headers=headers, environ_overrides={"CONTENT_LENGTH": str(len(data))})
    assert told(answer) == (423, "locked")
    assert head(phone, place).headers["Upload-Offset"] == "1000"


@pytest.mark.answers("uploads.create", 409)
def test_bytes_with_a_creation_that_another_request_was_before_are_told_where_it_stands(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    phone, data, fence = world.phone("inspector_a"), make.picture(), receiving._fence
    place = create(phone, data).headers["Location"]

    def late(upload_id: str, offset: int) -> int:
        monkeypatch.undo()
        patch(phone, place, 0, data[:500])
        return fence(upload_id, offset)

    monkeypatch.setattr(receiving, "_fence", late)
    headers = make.tus(Upload_Length=len(data), Upload_Metadata=make.metadata(make.sha(data)), Content_Type=BYTES)
    answer = phone.ask("POST", "/sync/v1/blobs", data=data, headers=headers)
    assert told(answer) == (409, "offset_conflict") and answer.headers["Upload-Offset"] == "500"


@pytest.mark.answers("uploads.delete", 204, 404, 409)
def test_an_upload_is_given_up_by_its_phone_and_a_whole_photo_by_nobody(world: World) -> None:
    phone, data = world.any_phone("inspector_a"), make.picture()
    place = create(phone, data).headers["Location"]
    patch(phone, place, 0, data[:500])
    assert told(world.any_phone("inspector_b").ask("DELETE", place, headers=make.tus())) == (404, "not_found")
    assert phone.ask("DELETE", place, headers=make.tus()).status_code == 204
    assert head(phone, place).status_code == 404
    assert (create(phone, data).headers["Upload-Offset"], patch(phone, place, 0, data).status_code) == ("0", 204)
    assert told(phone.ask("DELETE", place, headers=make.tus())) == (409, "refused")
    assert world.look(select(Photo.state).where(Photo.sha256 == make.sha(data))) == [("verified",)]


@pytest.mark.answers("uploads.patch", 460)
def test_bytes_that_hash_to_another_name_begin_anew(world: World) -> None:
    phone, data = world.any_phone("inspector_a"), make.picture()
    place = create(phone, data).headers["Location"]
    assert told(patch(phone, place, 0, data[:-1] + bytes([data[-1] ^ 1]))) == (460, "checksum_mismatch")
    assert head(phone, place).headers["Upload-Offset"] == "0"
    assert patch(phone, place, 0, data).status_code == 204


@pytest.mark.answers("uploads.head", 460)
def test_a_whole_file_that_is_found_spoilt_says_so_when_it_is_asked_about(world: World) -> None:
    phone, data = world.any_phone("inspector_a"), make.picture()
    place = create(phone, data).headers["Location"]
    upload, store = place.rsplit("/", 1)[1], world.app.extensions["photo_store"]
    store.append(upload, 0, b"x" * len(data))
    world.change(update(Upload).where(Upload.id == upload).values(offset=len(data)))
    assert head(phone, place).status_code == 460
    assert head(phone, place).headers["Upload-Offset"] == "0"


@pytest.mark.answers("uploads.query", 200)
def test_photos_that_are_here_in_part_or_needed_are_told_apart(world: World) -> None:
    phone, done, begun, new = world.any_phone("inspector_a"), make.picture(), make.picture(), make.picture()
    make.upload(phone, done)
    place = create(phone, begun).headers["Location"]
    patch(phone, place, 0, begun[:700])
    told_of = phone.post("/sync/v1/blobs/query", {"want": [{"sha256": make.sha(d), "size": len(d)} for d in (done, begun, new)]}).json
    assert (told_of["have"], told_of["need"]) == ([make.sha(done)], [make.sha(new)])
    assert told_of["partial"] == [{"sha256": make.sha(begun), "offset": 700, "url": place}]


def test_that_another_person_sent_a_photo_is_not_told_however_one_asks(world: World) -> None:
    data, other = make.picture(), world.any_phone("inspector_b")
    make.upload(world.any_phone("inspector_a"), data)
    want = {"want": [{"sha256": make.sha(data), "size": len(data)}]}
    assert other.post("/sync/v1/blobs/query", want).json["need"] == [make.sha(data)]
    create(other, data)
    assert other.post("/sync/v1/blobs/query", want).json["have"] == [], "to begin an upload is not to have the photo"
    create(other, data[:5], name=make.sha(data))
    assert other.post("/sync/v1/blobs/query", want).json["have"] == []


@pytest.mark.parametrize("wrong", [{}, {"want": {}}, {"want": ["x"]}, {"want": [{"sha256": "X" * 64}]}, {"want": [{"sha256": NOBODY + "\n"}]},
                                   {"want": [{"sha256": NOBODY, "size": -1}]}, {"want": [{"sha256": NOBODY}] * 501}])  # fmt: skip
@pytest.mark.answers("uploads.query", 422)
def test_a_question_about_what_is_no_photo_is_refused(world: World, wrong: Any) -> None:
    assert told(world.any_phone("inspector_a").post("/sync/v1/blobs/query", wrong)) == (422, "invalid")


def shown(world: World, site: str | None, **more: Any) -> str:
    """The hash of a photo that a report of inspector A shows, with its derivatives made."""
    phone, data = world.any_phone("inspector_a"), make.picture()
    args = make.report(site, photos=[make.sha(data)], **more)
    assert phone.record("problem.report", ("finding", make.new_id()), args)["status"] == "applied"
    make.upload(phone, data)
    derive(world)
    return make.sha(data)


@pytest.mark.answers("uploads.photo", 200, 206, 304, 416)
def test_a_picture_is_shown_to_whoever_sees_what_it_belongs_to_and_kept_by_its_name(world: World) -> None:
    path, desk = f"/sync/v1/photos/{shown(world, world.site())}", world.desk("zhangdian")
    answer = desk.get(path)
    assert answer.data[:2] == b"\xff\xd8" and b"Exif" not in answer.data[:400]
    assert desk.get(f"{path}?w=320").headers["ETag"] != answer.headers["ETag"]
    assert desk.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    part = desk.get(path, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.data) == (206, answer.data[:10])
    assert told(desk.get(path, headers={"Range": "bytes=9999999-"})) == (416, "range_not_satisfiable")


@pytest.mark.answers("uploads.photo", 404)
def test_a_picture_of_another_district_is_not_there(world: World) -> None:
    sha = shown(world, world.site(A))
    assert world.desk("zhangdian").get(f"/sync/v1/photos/{sha}").status_code == 200
    there, nowhere = (world.desk("zichuan").get(f"/sync/v1/photos/{name}") for name in (sha, NOBODY))
    assert told(there) == told(nowhere) == (404, "not_found") and there.json["detail"] == nowhere.json["detail"]
    other = world.any_phone("inspector_b")
    taken = other.record("photo.attach", ("inspection", make.new_id()), {"photos": [sha]})
    assert (taken["status"], taken["reason"]) == ("parked", "target_missing")
    assert told(other.ask("GET", f"/sync/v1/photos/{sha}")) == (404, "not_found"), "to name it is not to see it"


def test_the_photo_of_a_hazard_at_no_site_is_seen_where_it_lies(world: World) -> None:
    sha = shown(world, None, fix=make.fix())
    (ref,) = world.look(select(PhotoRef.area_path).where(PhotoRef.sha256 == sha))
    assert ref.area_path.startswith(f"370300/{A}")
    assert world.desk("zhangdian").get(f"/sync/v1/photos/{sha}").status_code == 200
    assert told(world.desk("zichuan").get(f"/sync/v1/photos/{sha}")) == (404, "not_found")


def test_the_photo_of_a_hazard_that_is_placed_later_is_seen_there_from_then_on(world: World) -> None:
    phone, data, ent = world.any_phone("inspector_a"), make.picture(), make.new_id()
    phone.record("problem.report", ("finding", ent), make.report(None, fix=None, photos=[make.sha(data)]))
    make.upload(phone, data)
    derive(world)
    path = f"/sync/v1/photos/{make.sha(data)}"
    assert told(world.desk("zichuan").get(path)) == (404, "not_found")
    place = {"finding_id": f"{ent}:{make.ITEM}", "lon": 117.966, "lat": 36.645}
    op = {"verb": "problem.place", "ent": {"t": "finding", "id": ent}, "args": place}
    assert world.desk("city").post("/v1/ops", json=op).status_code == 200
    assert world.look(select(Problem.district_id).where(Problem.id == f"p-{ent}:{make.ITEM}")) == [(B,)]
    assert world.desk("zichuan").get(path).status_code == 200
    assert told(world.desk("zhangdian").get(path)) == (404, "not_found")


def test_photos_that_are_added_later_count_and_are_seen_with_what_they_belong_to(world: World) -> None:
    phone, data, ent = world.any_phone("inspector_a"), make.picture(), make.new_id()
    phone.record("inspection.submit", ("inspection", ent), make.inspection(world.site(), [make.ITEM]))
    assert phone.record("photo.attach", ("inspection", ent), {"item": make.ITEM, "photos": [make.sha(data)]})["status"] == "applied"
    (problem,) = world.look(select(Problem.missing_photos, Problem.township_id).where(Problem.id == f"p-{ent}:{make.ITEM}"))
    assert problem.missing_photos == 1
    make.upload(phone, data)
    derive(world)
    assert world.look(select(Problem.missing_photos).where(Problem.id == f"p-{ent}:{make.ITEM}")) == [(0,)]
    assert world.desk("zhangdian").get(f"/sync/v1/photos/{make.sha(data)}").status_code == 200
    is_nandings = problem.township_id == A_TOWNSHIP
    assert world.desk("nanding").get(f"/sync/v1/photos/{make.sha(data)}").status_code == (200 if is_nandings else 404)


@pytest.mark.answers("uploads.photo", 400, 422)
def test_a_width_that_is_not_made_or_a_parameter_nobody_knows_is_refused(world: World) -> None:
    desk = world.desk("zhangdian")
    assert told(desk.get(f"/sync/v1/photos/{NOBODY}?w=321")) == (422, "invalid")
    assert told(desk.get(f"/sync/v1/photos/{NOBODY}?width=320")) == (400, "bad_request")
