"""The same raw questions of tus 1.0.0 to our server and to the reference server (npm @tus/server with a file store): the answers
are equal, or stand in OTHERWISE with the reason. Runs in make test-full."""

import base64
import hashlib
import http.client
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.faults.rig import Place, Server
from tests.interop.stock import NEEDS_NODE, reference

pytestmark = [pytest.mark.slow, NEEDS_NODE]
BYTES, DOOR, MOST = "application/offset+octet-stream", "/sync/v1/blobs", 33_554_432
Said = list[tuple[int, int | None]]  # of every answer: status, Upload-Offset


@dataclass
class Tus:
    """One server, asked raw; `said` is what it answered."""

    port: int
    token: str
    data: bytes
    said: Said = field(default_factory=list)
    place: str = f"{DOOR}/{'0' * 40}"

    def ask(self, method: str, path: str, body: bytes | None = None, **heads: str | None) -> http.client.HTTPMessage:
        """One exchange; a head that is None is left out."""
        named = {"Authorization": f"Bearer {self.token}", "Tus-Resumable": "1.0.0"} | {k.replace("_", "-"): v for k, v in heads.items()}
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            line.request(method, path, body, {k: v for k, v in named.items() if v is not None})
            answer = line.getresponse()
            answer.read()
        finally:
            line.close()
        at = answer.headers["Upload-Offset"] if answer.status < 400 else None  # ours says it with a refusal too
        self.said.append((answer.status, int(at) if at is not None else 0 if answer.status == 201 else None))
        return answer.headers

    def create(self, body: bytes | None = None, **heads: str | None) -> None:
        sha = base64.b64encode(hashlib.sha256(self.data).hexdigest().encode()).decode()
        told: dict[str, str | None] = {"Upload_Length": str(len(self.data)), "Upload_Metadata": f"sha256 {sha}"}
        told |= {} if body is None else {"Content_Type": BYTES}
        got = self.ask("POST", DOOR, body if body is not None else b"", **(told | heads))
        self.place = got["Location"] or self.place

    def patch(self, at: int, size: int = 1000, **heads: str | None) -> None:
        told: dict[str, str | None] = {"Upload_Offset": str(at), "Content_Type": BYTES}
        self.ask("PATCH", self.place, self.data[at : at + size], **(told | heads))

    def head(self) -> None:
        self.ask("HEAD", self.place)


def steps(*each: Callable[[Tus], object]) -> tuple[Callable[[Tus], object], ...]:
    return each


CREATE, HEAD = Tus.create, Tus.head
WHOLE = steps(CREATE, lambda t: t.patch(0, 4000))
CASES = {
    "the usual way": steps(CREATE, HEAD, lambda t: t.patch(0), HEAD, lambda t: t.patch(1000, 3000), HEAD),
    "creation without a version": steps(lambda t: t.create(Tus_Resumable=None)),
    "creation of another version": steps(lambda t: t.create(Tus_Resumable="0.2.2")),
    "HEAD without a version": steps(CREATE, lambda t: t.ask("HEAD", t.place, Tus_Resumable=None)),
    "PATCH without a version": steps(CREATE, lambda t: t.patch(0, Tus_Resumable=None), HEAD),
    "DELETE without a version": steps(CREATE, lambda t: t.ask("DELETE", t.place, Tus_Resumable=None), HEAD),
    "creation without a length": steps(lambda t: t.create(Upload_Length=None)),
    "creation of a length below nothing": steps(lambda t: t.create(Upload_Length="-1")),
    "creation of a length that is no number": steps(lambda t: t.create(Upload_Length="many")),
    "creation of a length that is put off": steps(lambda t: t.create(Upload_Length=None, Upload_Defer_Length="1")),
    "creation beyond Tus-Max-Size": steps(lambda t: t.create(Upload_Length=str(MOST + 1))),
    "creation of exactly Tus-Max-Size": steps(lambda t: t.create(Upload_Length=str(MOST))),
    "creation with false metadata": steps(lambda t: t.create(Upload_Metadata="sha256 %%%")),
    "creation with the first bytes": steps(lambda t: t.create(t.data[:1500]), HEAD, lambda t: t.patch(1500, 2500), HEAD),
    "creation with all bytes": steps(lambda t: t.create(t.data), HEAD),
    "creation with none of the bytes": steps(lambda t: t.create(b""), HEAD),
    "creation with too many bytes": steps(lambda t: t.create(t.data + b"x")),
    "creation with bytes of another type": steps(lambda t: t.create(t.data[:9], Content_Type="text/plain"), HEAD),
    "HEAD of what is not there": steps(HEAD),
    "PATCH of what is not there": steps(lambda t: t.patch(0)),
    "DELETE of what is not there": steps(lambda t: t.ask("DELETE", t.place)),
    "PATCH behind the offset": steps(CREATE, lambda t: t.patch(0), lambda t: t.patch(500), HEAD),
    "PATCH past the offset": steps(CREATE, lambda t: t.patch(2000), HEAD),
    "PATCH without an offset": steps(CREATE, lambda t: t.patch(0, Upload_Offset=None), HEAD),
    "PATCH at an offset below nothing": steps(CREATE, lambda t: t.patch(0, Upload_Offset="-1"), HEAD),
    "PATCH at an offset that is no number": steps(CREATE, lambda t: t.patch(0, Upload_Offset="here"), HEAD),
    "PATCH of another type": steps(CREATE, lambda t: t.patch(0, Content_Type="application/octet-stream"), HEAD),
    "PATCH without a type": steps(CREATE, lambda t: t.patch(0, Content_Type=None), HEAD),
    "PATCH of nothing": steps(CREATE, lambda t: t.patch(0, 0), HEAD),
    "PATCH beyond the length": steps(CREATE, lambda t: t.ask("PATCH", t.place, t.data + b"x", Upload_Offset="0", Content_Type=BYTES)),
    "PATCH of nothing at the end of a whole upload": steps(*WHOLE, lambda t: t.patch(4000, 0), HEAD),
    "PATCH at the start of a whole upload": steps(*WHOLE, lambda t: t.patch(0), HEAD),
    "DELETE, then all others": steps(CREATE, lambda t: t.ask("DELETE", t.place), HEAD, lambda t: t.patch(0), lambda t: t.ask("DELETE", t.place)),
    "DELETE of a whole upload": steps(*WHOLE, lambda t: t.ask("DELETE", t.place), HEAD),
    "method override": steps(
        CREATE, lambda t: t.ask("POST", t.place, t.data[:9], Upload_Offset="0", Content_Type=BYTES, X_HTTP_Method_Override="PATCH"), HEAD
    ),
    "GET of an upload": steps(CREATE, lambda t: t.ask("GET", t.place)),
}  # fmt: skip
NO_NUMBER = "what cannot be read is 422 with a pointer to it at every door of this server, and tus names no status for it"
OTHERWISE: dict[str, tuple[int, int, str]] = {  # case: (our status, the reference's, why), where the two first differ
    "creation of another version": (412, 400, "tus 1.0.0, Tus-Resumable: a version that is not spoken here is 412"),
    "creation without a length": (422, 400, NO_NUMBER),
    "creation of a length below nothing": (422, 400, NO_NUMBER),
    "creation of a length that is no number": (422, 400, NO_NUMBER),
    "creation of a length that is put off": (422, 201, "creation-defer-length is not offered: an upload is named by its size too (P29)"),
    "creation with false metadata": (422, 400, NO_NUMBER),
    "PATCH without an offset": (422, 403, NO_NUMBER),
    "PATCH at an offset below nothing": (422, 400, NO_NUMBER),
    "PATCH at an offset that is no number": (422, 400, NO_NUMBER),
    "PATCH of another type": (415, 400, "tus 1.0.0, PATCH: another Content-Type is 415"),
    "PATCH without a type": (415, 403, "tus 1.0.0, PATCH: another Content-Type is 415"),
    "DELETE of a whole upload": (409, 204, "a photo that is whole is in custody (P92)"),
    "method override": (204, 400, "tus 1.0.0, X-HTTP-Method-Override: the method is the one it names; the reference does not know it"),
    "GET of an upload": (405, 404, "an upload is no photo and is not read; RFC 9110 has 405 for a method that a resource has not"),
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with reference(tmp_path_factory.mktemp("reference"), MOST) as number:
        yield number


@pytest.mark.parametrize("name", CASES, ids=[name.replace(" ", "-") for name in CASES])
def test_both_servers_answer_alike_or_there_is_a_reason(running: tuple[Place, Server, str], port: int, name: str) -> None:
    _, server, token = running
    data = os.urandom(4000)
    ours, theirs = Tus(server.port, token, data), Tus(port, token, data)
    for one in (ours, theirs):
        for step in CASES[name]:
            step(one)
    print(f"{name}: {ours.said} {theirs.said}")
    apart = next(((mine[0], other[0]) for mine, other in zip(ours.said, theirs.said, strict=True) if mine != other), None)
    assert apart == (OTHERWISE[name][:2] if name in OTHERWISE else None), (ours.said, theirs.said)


def test_what_differs_is_a_case() -> None:
    assert OTHERWISE.keys() <= CASES.keys()


def test_both_say_the_same_of_themselves_but_for_what_is_offered(running: tuple[Place, Server, str], port: int) -> None:
    _, server, token = running
    ours, theirs = (Tus(number, token, b"").ask("OPTIONS", DOOR, Tus_Resumable=None) for number in (server.port, port))
    for name in ("Tus-Resumable", "Tus-Version", "Tus-Max-Size"):
        assert ours[name] == theirs[name], name
    offered, known = (set(heads["Tus-Extension"].replace(" ", "").split(",")) for heads in (ours, theirs))
    assert known - offered == {"creation-defer-length"}  # see OTHERWISE
    assert offered - known == {"checksum"}
