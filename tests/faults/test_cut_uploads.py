"""Uploads that are cut at every place, and lines that end on one side (F9, T5; I19): what arrived is kept, the offset is
true, at most one piece is sent again, and the whole file is the photo that was taken."""

import json
import socket
from collections.abc import Callable, Iterator
from random import Random

import pytest

from tests.faults.audit import faults_of, words_of
from tests.faults.phones import Photographer, Pusher
from tests.faults.rig import Place, Server, serving
from tests.faults.wire import Message, drop, read_answer
from tests.journeys.stage import until

STEP, PIECE = 65_536, 4096
ENDS = ("close", "half_close", "reset")


@pytest.fixture
def running(place: Place) -> Iterator[tuple[Place, Server, Pusher]]:
    with serving(place) as server:
        yield place, server, Pusher.enrol(place, server)
        assert words_of(server) == []


def large(token: str, name: str, size: int = 700_000) -> Photographer:
    """A photo of about `size` bytes."""
    one = Photographer(token, name)
    one.data += Random(name).randbytes(size - len(one.data))
    one.rename()
    return one


def head_of(one: Photographer, url: str, at: int, length: int) -> bytes:
    rows = [f"PATCH {url} HTTP/1.1", "Host: x", f"Content-Length: {length}"]
    rows += [f"{k}: {v}" for k, v in one.patch_headers(at).items()]
    return "\r\n".join(rows).encode() + b"\r\n\r\n"


def cut(server: Server, one: Photographer, url: str, at: int, sent: int, end: str) -> Message | None:
    """A PATCH of everything from `at`, of which `sent` bytes leave before the line ends; the answer, where one came."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as line:
        line.sendall(head_of(one, url, at, len(one.data) - at) + one.data[at : at + sent])
        if end == "half_close":
            line.shutdown(socket.SHUT_WR)
            with line.makefile("rb") as reader:
                return read_answer(reader, "PATCH")
        drop(line, reset=end == "reset")
    return None


def settled(server: Server, one: Photographer, url: str, least: int, seconds: float) -> int:
    """The offset, once the server has seen the end of the cut line (or does not within `seconds`)."""
    until(lambda: one.offset(server.ask, url) >= least, seconds)
    return one.offset(server.ask, url)


def test_f9_cut_at_every_64_kb_and_somewhere_between_it_goes_on_where_it_was(
    running: tuple[Place, Server, Pusher],
) -> None:
    place, server, pusher = running
    one, dice = large(pusher.token, "cut"), Random(9)
    url, at, again = one.create(server.ask), 0, 0
    for n, place_of_cut in enumerate(range(STEP, len(one.data), STEP)):
        end, wanted = ENDS[n % 3], min(place_of_cut + dice.randrange(-STEP // 2, STEP // 2), len(one.data) - 1)
        if wanted <= at:
            continue
        cut(server, one, url, at, wanted - at, end)
        least = at if end == "reset" else wanted - PIECE  # what a reset leaves unread is lost, as on a real line
        now = settled(server, one, url, wanted - PIECE, 2.0 if end == "reset" else 10.0)
        assert max(at, least) <= now <= wanted, (end, at, now, wanted)
        part = (place.folder / "photos" / "incoming" / url.rpartition("/")[2]).read_bytes() if now else b""
        assert part[:now] == one.data[:now]
        again, at = again + wanted - now, now
    one.bring(server.ask)
    assert again < len(one.data), "more was sent again than the photo has"
    assert faults_of(place, {}, {one.sha}) == []


def test_f9_bytes_that_are_not_the_photos_are_told_and_sent_anew(running: tuple[Place, Server, Pusher]) -> None:
    place, server, pusher = running
    one = large(pusher.token, "spoilt", 200_000)
    url, whole = one.create(server.ask), one.data
    status, _, body = one.patch(server.ask, url, 0, whole[:100_000] + bytes([whole[100_000] ^ 1]) + whole[100_001:])
    assert (status, json.loads(body)["code"]) == (460, "checksum_mismatch")
    assert one.offset(server.ask, url) == 0
    one.bring(server.ask)
    assert faults_of(place, {}, {one.sha}) == []


def test_t5_a_kept_line_that_is_half_closed_in_a_patch_gets_its_answer_and_the_next_goes_on(
    running: tuple[Place, Server, Pusher],
) -> None:
    place, server, pusher = running
    one = large(pusher.token, "half", 300_000)
    url = one.create(server.ask)
    with socket.create_connection(("127.0.0.1", server.port), 10) as line, line.makefile("rb") as reader:
        for at in (0, 50_000):  # two whole requests on the line first
            line.sendall(head_of(one, url, at, 50_000) + one.data[at : at + 50_000])
            assert read_answer(reader, "PATCH").status == 204
        line.sendall(head_of(one, url, 100_000, 200_000) + one.data[100_000:180_000])
        line.shutdown(socket.SHUT_WR)
        told = read_answer(reader, "PATCH")
        assert told.status == 204 and 180_000 - PIECE <= int(str(told.header("upload-offset"))) <= 180_000
        assert reader.read() == b"", "the line ends after the answer"
    assert one.offset(server.ask, url) == int(str(told.header("upload-offset")))
    one.bring(server.ask)
    assert faults_of(place, {}, {one.sha}) == []


def test_f9_a_newer_line_takes_over_from_one_that_stalls(place_of: Callable[[str], Place]) -> None:
    place = place_of("sqlite")
    with serving(place) as server:
        one = large(Pusher.enrol(place, server).token, "stall", 400_000)
        url = one.create(server.ask)
        with socket.create_connection(("127.0.0.1", server.port), 10) as line, line.makefile("rb") as reader:
            line.sendall(head_of(one, url, 0, len(one.data)) + one.data[:150_000])
            one.bring(server.ask)  # the phone has given the first line up and begins a new one
            line.sendall(one.data[150_000:])
            assert read_answer(reader, "PATCH").status in (423, 409)
        assert words_of(server) == []
    assert faults_of(place, {}, {one.sha}) == []
