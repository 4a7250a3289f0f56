"""The doors of the last resort on both databases (P89): where a dump stands, its bytes, and what is refused. (Real lines: tests/doors.)"""

from typing import Any

import pytest
from sqlalchemy import update

from backend.sync.models import Rescue
from tests import make
from tests.cast import World, told

BYTES = "application/offset+octet-stream"
DUMP = b"a database that cannot be read"


def create(phone: Any, data: bytes, **more: Any) -> Any:
    headers = make.tus(**{"Upload_Length": len(data), "Upload_Metadata": make.metadata(make.sha(data)), **more})
    return phone.ask("POST", "/sync/v1/rescue", headers=headers)


def patch(phone: Any, place: str, at: Any, data: bytes, **more: Any) -> Any:
    return phone.ask("PATCH", place, data=data, headers=make.tus(**{"Upload_Offset": at, "Content_Type": BYTES, **more}))


def head(phone: Any, place: str) -> Any:
    return phone.ask("HEAD", place, headers=make.tus())


@pytest.mark.answers("rescue.create", 201)
@pytest.mark.answers("rescue.patch", 204, 409)
@pytest.mark.answers("rescue.head", 200)
def test_a_dump_in_pieces_stands_where_its_last_byte_is(world: World) -> None:
    phone = world.any_phone("inspector_a")
    place = create(phone, DUMP).headers["Location"]
    assert patch(phone, place, 0, DUMP[:7]).headers["Upload-Offset"] == "7"
    assert told(patch(phone, place, 3, DUMP[3:])) == (409, "offset_conflict")
    assert create(phone, DUMP).headers["Upload-Offset"] == head(phone, place).headers["Upload-Offset"] == "7"
    assert patch(phone, place, 7, DUMP[7:]).headers["Upload-Offset"] == str(len(DUMP))


@pytest.mark.answers("rescue.create", 413, 422)
def test_what_is_no_announcement_of_a_dump_is_refused(world: World) -> None:
    phone = world.any_phone("inspector_a")
    assert told(create(phone, b"x", Upload_Length=50 * 1024 * 1024 + 1)) == (413, "too_large")
    assert told(create(phone, b"x", Upload_Metadata=make.metadata("no hash"))) == (422, "invalid")


@pytest.mark.answers("rescue.patch", 413, 415, 422)
def test_bytes_that_were_not_announced_are_refused(world: World) -> None:
    phone = world.any_phone("inspector_a")
    place = create(phone, b"short").headers["Location"]
    assert told(patch(phone, place, 0, b"longer than said")) == (413, "too_large")
    assert told(patch(phone, place, 0, b"short", Content_Type="text/plain")) == (415, "bad_encoding")
    assert told(patch(phone, place, "-1", b"short")) == (422, "invalid")
    assert patch(phone, place, 0, b"short").status_code == 204


@pytest.mark.answers("rescue.patch", 404)
@pytest.mark.answers("rescue.head", 404)
def test_a_dump_of_another_device_does_not_exist(world: World) -> None:
    place = create(world.any_phone("inspector_b"), b"of b").headers["Location"]
    phone = world.any_phone("inspector_a")
    assert told(patch(phone, place, 0, b"of b")) == (404, "not_found")
    assert head(phone, place).status_code == 404


@pytest.mark.answers("rescue.create", 460)
@pytest.mark.answers("rescue.patch", 460)
@pytest.mark.answers("rescue.head", 460)
def test_bytes_of_another_hash_are_thrown_away_whoever_finds_out(world: World) -> None:
    phone = world.any_phone("inspector_b")
    place = create(phone, b"true").headers["Location"]
    assert told(patch(phone, place, 0, b"fals")) == (460, "checksum_mismatch")
    name = place.rpartition("/")[2]
    for find_out in (lambda: head(phone, place), lambda: create(phone, b"true")):
        world.app.extensions["rescue_store"].append(name, 0, b"fals")  # killed between the last byte and its end
        world.change(update(Rescue).where(Rescue.id == name).values(offset=4))
        assert find_out().status_code == 460
    assert head(phone, place).headers["Upload-Offset"] == "0"


@pytest.mark.answers("rescue.create", 429)
def test_a_device_brings_no_more_than_a_few(world: World) -> None:
    phone = world.any_phone("expert")
    answers = [create(phone, b"%d" % n) for n in range(9)]
    assert [a.status_code for a in answers] == [201] * 8 + [429]
    assert told(answers[-1]) == (429, "rate_limited") and int(answers[-1].headers["Retry-After"]) > 0
