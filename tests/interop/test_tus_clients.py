"""Stock tus clients, unchanged, on lines that fail (P28-P30, P92; I19): the photo arrives whole, as one resource, and at most one
chunk of it is sent twice. Runs in make test-full."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from backend.database import snapshot
from backend.photos.models import Upload
from tests.faults.audit import faults_of
from tests.faults.phones import Photographer
from tests.faults.rig import Place, Server
from tests.interop.line import Line
from tests.interop.stock import NEEDS_NODE, by_js, by_tuspy

pytestmark = pytest.mark.slow
SIZE, CHUNK = 700_000, 200_000
Running = tuple[Place, Server, str]
CASES = {  # what fails: (kind, method, which of them, where in it)
    "nothing": ("pass", "POST", 1, 0.5),
    "the answer of the creation is lost": ("lose_answer", "POST", 1, 0.5),
    "the creation is cut": ("cut_request", "POST", 1, 0.6),
    "a PATCH is lost": ("lose_request", "PATCH", 2, 0.5),
    "a PATCH is cut": ("cut_request", "PATCH", 2, 0.6),
    "a PATCH is reset": ("reset_request", "PATCH", 2, 0.6),
    "the answer of a PATCH is lost": ("lose_answer", "PATCH", 2, 0.5),
    "the answer of a PATCH is cut": ("cut_answer", "PATCH", 2, 0.5),
    "another writer holds the upload": ("overtake", "PATCH", 2, 0.5),
    "the server is killed in a PATCH": ("kill", "PATCH", 2, 0.5),
}
BY_NAME = pytest.mark.parametrize("case", CASES.values(), ids=[name.replace(" ", "-") for name in CASES])


def photo(token: str, name: str, folder: Path) -> tuple[Photographer, Path]:
    one = Photographer(token, name)
    one.data += Random(name).randbytes(SIZE - len(one.data))
    one.rename()
    path = folder / "photo.jpg"
    path.write_bytes(one.data)
    return one, path


def arrived_once(place: Place, sha: str) -> None:
    with place.app(), snapshot() as session:
        rows = [(u.offset, u.done_at is not None) for u in session.scalars(select(Upload).where(Upload.sha256 == sha))]
    assert rows == [(SIZE, True)]
    assert faults_of(place, {}, {sha}) == []  # its bytes hash to its name


def survives(running: Running, case: tuple[str, str, int, float], name: str, folder: Path, upload: Callable[..., object],
             twice: int = CHUNK) -> Line:  # fmt: skip
    """Upload one new photo over a line that fails as `case` says, and look at what is there afterwards; of the photo at most `twice`
    bytes were sent again."""
    place, server, token = running
    one, path = photo(token, name, folder)
    with Line(server, *case) as line:
        upload(f"{line.url}/sync/v1/blobs", token, path, one.sha, CHUNK)
    assert line.struck == 1
    arrived_once(place, one.sha)
    assert SIZE <= line.sent <= SIZE + twice, f"{line.sent - SIZE} bytes twice"
    assert (("PATCH", 423) in line.heard) == (case[0] == "overtake"), line.heard
    print(f"{name}: {line.sent - SIZE} bytes twice; {line.heard}")
    return line


@NEEDS_NODE
@pytest.mark.parametrize("with_creation", [False, True], ids=["bytes-after", "bytes-with-creation"])
@BY_NAME
def test_tus_js_client_brings_the_photo(running: Running, case: tuple[str, str, int, float], with_creation: bool, tmp_path: Path) -> None:
    said: list[dict[str, object]] = []
    line = survives(
        running, case, f"js {case} {with_creation}", tmp_path, lambda *told: said.append(by_js(*told, with_creation=with_creation))
    )
    assert said[0]["error"] is None
    assert str(said[0]["url"]).startswith(f"{line.url}/sync/v1/blobs/")


@NEEDS_NODE
def test_tus_js_client_begins_anew_and_goes_on_where_the_photo_was(running: Running, tmp_path: Path) -> None:
    """The app was killed and has forgotten the address: it creates again and sends only what is missing."""
    place, server, token = running
    one, path = photo(token, "js anew", tmp_path)
    url = one.create(server.ask)
    one.patch(server.ask, url, 0, one.data[: SIZE - CHUNK])
    with Line(server, "pass", "POST", 1) as line:
        said = by_js(f"{line.url}/sync/v1/blobs", token, path, one.sha, CHUNK, False)
    assert (said["error"], said["url"]) == (None, f"{line.url}{url}")
    arrived_once(place, one.sha)
    print(said, line.sent)


@NEEDS_NODE
@pytest.mark.parametrize("client", ["tus-js-client", "tuspy"])
def test_one_that_comes_back_before_the_server_saw_the_cut_sends_two_chunks_twice_at_most(
    running: Running, client: str, tmp_path: Path
) -> None:
    """The limit of "one chunk": the offset that it hears is true, and moves when the end of the cut line is seen; its next chunk is
    refused (409) and the one after begins where the upload stands then."""
    upload = by_tuspy if client == "tuspy" else lambda *told: by_js(*told, with_creation=False)
    line = survives(running, ("outrun", "PATCH", 2, 0.5), f"{client} outruns", tmp_path, upload, twice=2 * CHUNK)
    assert ("PATCH", 409) in line.heard


@BY_NAME
def test_tuspy_brings_the_photo(running: Running, case: tuple[str, str, int, float], tmp_path: Path) -> None:
    survives(running, case, f"tuspy {case}", tmp_path, by_tuspy)


@pytest.mark.parametrize("kind", ["lose_answer", "cut_answer"])
def test_tuspy_ends_well_where_the_last_answer_is_lost(running: Running, kind: str, tmp_path: Path) -> None:
    """It asks where the upload stands, hears that it is whole, and sends a PATCH of nothing all the same."""
    survives(running, (kind, "PATCH", -(-SIZE // CHUNK), 0.5), f"tuspy last {kind}", tmp_path, by_tuspy)


@NEEDS_NODE
def test_tus_js_client_ends_well_where_the_last_answer_is_lost(running: Running, tmp_path: Path) -> None:
    case = ("lose_answer", "PATCH", -(-SIZE // CHUNK), 0.5)
    survives(running, case, "js last", tmp_path, lambda *told: by_js(*told, with_creation=False))
