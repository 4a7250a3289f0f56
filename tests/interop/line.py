"""A line between a stock tus client and the real server that fails once, at a chosen message, and counts every byte of a photo
that the client put on it. Knows of tus only what names a message and an upload; checks nothing."""

import socket
import sqlite3
from collections import Counter
from contextlib import closing

from tests.faults.proxy import PASS, TIMEOUT_S, Fault, Proxy
from tests.faults.rig import Server
from tests.faults.wire import Message, drop, read_answer
from tests.journeys.stage import until

BYTES = "application/offset+octet-stream"


class Line(Proxy):
    """Fails by `kind` at the `nth` message of `method` (1 is the first), then never again. `heard` are the server's answers,
    those too that the client never got; `struck` is how often it failed."""

    def __init__(self, server: Server, kind: str, method: str, nth: int, at: float = 0.5) -> None:
        self.server, self.struck, self.sent = server, 0, 0
        self.heard: list[tuple[str, int]] = []
        self._fault, self._where, self._seen = Fault(kind, at), (method, nth), Counter[str]()
        self._dead: socket.socket | None = None
        super().__init__(server.port, self._strike)

    def _strike(self, request: Message) -> Fault:
        self._seen[request.method] += 1
        self.sent += len(bare(request))
        if self._dead is not None and request.method == "PATCH":
            self._hang_up(self._dead)
        if (request.method, self._seen[request.method]) != self._where:
            return PASS
        self.struck += 1
        return self._fault

    def _ask(self, request: Message) -> Message:
        answer = super()._ask(request)
        self.heard.append((request.method, answer.status))
        return answer

    def _cut_request(self, line: socket.socket, request: Message, at: float) -> bool:
        """Cut; the client is told when the server has kept what came."""
        before = self._kept()
        super()._cut_request(line, request, at)
        if request.body:
            until(lambda: self._kept() != before)
        return False

    def _reset_request(self, line: socket.socket, request: Message, at: float) -> bool:
        """Reset; the client is told when the server has kept what came (of a reset that may be nothing)."""
        before = self._kept()
        super()._reset_request(line, request, at)
        until(lambda: self._kept() != before, 2.0)
        return False

    def _outrun(self, line: socket.socket, request: Message, at: float) -> bool:
        """Cut, but the server sees the end only after the client has asked where it stands and sends on."""
        self._dead = self._begin(request, at)
        return False

    def _hang_up(self, dead: socket.socket) -> None:
        before, self._dead = self._kept(), None
        drop(dead)
        if not until(lambda: self._kept() != before):
            raise TimeoutError("nothing was kept of the cut message")

    def _kept(self) -> int:
        """How many bytes the server says it has, of all uploads."""
        with closing(sqlite3.connect(self.server.place.folder / "huyuan.db")) as database:
            return int(database.execute('SELECT coalesce(sum("offset"), 0) FROM uploads').fetchone()[0])

    def _kill(self, line: socket.socket, request: Message, at: float) -> bool:
        """kill -9 of the server in the middle of the message, and a new one at the same port."""
        with self._begin(request, at):
            self.server.kill()
        self.server.start()
        return False

    def _overtake(self, line: socket.socket, request: Message, at: float) -> bool:
        """Another writer of the same upload comes in the middle of the message: the server's answer is that it is locked."""
        with self._begin(request, at) as half, half.makefile("rb") as reader:
            if not until(lambda: self._rival(request) == 204):
                raise TimeoutError("no rival came through")
            half.sendall(request.data[_middle(request, at) :])
            answer = read_answer(reader, request.method)
        self.heard.append((request.method, answer.status))
        line.sendall(answer.data)
        return not answer.closes

    def _begin(self, request: Message, at: float) -> socket.socket:
        """A line on which the message has begun, and the server is at work on it."""
        before = self._generation(request)
        half = socket.create_connection(("127.0.0.1", self.upstream), TIMEOUT_S)
        half.sendall(request.data[: _middle(request, at)])
        if not until(lambda: self._generation(request) != before):
            raise TimeoutError("the server did not begin")
        return half

    def _generation(self, request: Message) -> int:
        """How often the upload was taken over, as the server's database (SQLite) has it."""
        upload_id = request.path.rpartition("/")[2]
        with closing(sqlite3.connect(self.server.place.folder / "huyuan.db")) as database:
            row = database.execute("SELECT lock_generation FROM uploads WHERE id = ?", (upload_id,)).fetchone()
        return int(row[0])

    def _rival(self, request: Message) -> int:
        sent = {"Authorization": str(request.header("authorization")), "Tus-Resumable": "1.0.0"}
        _, got, _ = self.server.ask("HEAD", request.path, None, sent)
        more = {"Upload-Offset": got["Upload-Offset"], "Content-Type": BYTES}
        return self.server.ask("PATCH", request.path, b"", sent | more)[0]


def bare(request: Message) -> bytes:
    """The body without the framing of RFC 9112 §7.1 (chunked), where it has one."""
    if (request.header("transfer-encoding") or "").lower() != "chunked":
        return request.body
    left, body = request.body, b""
    while left:
        size, _, left = left.partition(b"\r\n")
        body, left = body + left[: int(size, 16)], left[int(size, 16) + 2 :]
    return body


def _middle(request: Message, at: float) -> int:
    return len(request.head) + round(at * len(request.body))
