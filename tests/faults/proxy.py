"""A chaos proxy on loopback, between any client and a real server: it loses, doubles, delays, reorders, cuts,
half-closes, swallows, resets and plays a captive portal, by a seeded die or by a script. Bounded in threads and time.

It knows HTTP's framing and nothing of the protocol; what it did is in `did` and `counts`.
"""

import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.faults.wire import Broken, Message, drop, read_answer, read_request

TIMEOUT_S = 30.0
MAX_LINES = 64
_PAGE = "<html><body>欢迎使用 Welcome. <form>Accept the terms</form></body></html>".encode()
PORTAL = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(_PAGE), _PAGE)
PORTAL_MOVED = b"HTTP/1.1 302 Found\r\nLocation: http://portal.invalid/\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class Fault:
    """What happens to one exchange. `at`: bytes before a cut (negative: from the end; a float: share of the message);
    for waits it is seconds, for a late copy the number of later requests."""

    kind: str = "pass"
    at: float = 0.5


PASS = Fault()
Choose = Callable[[Message], Fault]


class Dice:
    """Chooses by a seeded die: `rates` is {kind: probability}; `spared` are ends of paths that always pass."""

    def __init__(self, seed: object, rates: Mapping[str, float], spared: Iterable[str] = ()) -> None:
        self._dice, self._rates, self._spared = Random(f"{seed}"), dict(rates), tuple(spared)
        self._lock = threading.Lock()

    def __call__(self, request: Message) -> Fault:
        if self._spared and request.path.endswith(self._spared):
            return PASS
        with self._lock:
            die, at = self._dice.random(), self._dice.random()
        for kind, rate in self._rates.items():
            die -= rate
            if die < 0:
                return Fault(kind, at)
        return PASS


class Script:
    """Chooses the next of a list, then PASS for ever; only for paths that end in `path`."""

    def __init__(self, faults: Iterable[Fault], path: str = "") -> None:
        self._faults, self._path, self._lock = deque(faults), path, threading.Lock()

    def __call__(self, request: Message) -> Fault:
        if not request.path.endswith(self._path):
            return PASS
        with self._lock:
            return self._faults.popleft() if self._faults else PASS

    @property
    def left(self) -> int:
        return len(self._faults)


class Proxy:
    """Listens at `url`; every exchange goes to 127.0.0.1:`upstream` under the fault that `choose` names."""

    def __init__(self, upstream: int, choose: Choose | None = None, hole_s: float = 3.0) -> None:
        self.upstream, self.choose, self._hole_s = upstream, choose or (lambda request: PASS), hole_s
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=MAX_LINES)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.counts: Counter[str] = Counter()
        self.did: list[tuple[str, str, str]] = []
        self._lock, self._passed, self._ending = threading.Lock(), threading.Condition(), threading.Event()
        self._late: list[tuple[int, Message]] = []
        self._n = 0
        self._lines: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._room = threading.BoundedSemaphore(MAX_LINES)
        self._start(self._listen)

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Send what is still late, hang up everywhere, wait for every thread."""
        self._ending.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            late, self._late, lines = self._late, [], list(self._lines)
        for line in lines:
            drop(line)
        for _, request in late:
            self._send_late(request)
        for thread in list(self._threads):
            thread.join(TIMEOUT_S + 5)
        assert not [t for t in self._threads if t.is_alive()], "a thread of the proxy does not end"

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while not self._ending.is_set():
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self._room.acquire()
            self._start(self._serve, line)

    def _serve(self, line: socket.socket) -> None:
        line.settimeout(TIMEOUT_S)
        with self._lock:
            self._lines.add(line)
        try:
            with line.makefile("rb") as reader:
                while (request := read_request(reader)) is not None and self._exchange(line, request):
                    continue
        except Broken as cut:
            self._forward_cut(cut.arrived)
        except OSError as gone:
            self._note("line_gone", repr(gone), "")
        finally:
            drop(line)
            with self._lock:
                self._lines.discard(line)
            self._room.release()

    def _note(self, kind: str, method: str, path: str) -> None:
        with self._lock:
            self.counts[kind] += 1
            self.did.append((kind, method, path))

    def _exchange(self, line: socket.socket, request: Message) -> bool:
        """One exchange; whether the line stays open."""
        fault = self.choose(request)
        self._note(fault.kind, request.method, request.path)
        stays = bool(getattr(self, f"_{fault.kind}")(line, request, fault.at))
        with self._passed:
            self._n += 1
            self._passed.notify_all()
        with self._lock:
            due = [message for at, message in self._late if at <= self._n]
            self._late = [(at, message) for at, message in self._late if at > self._n]
        for message in due:
            self._start(self._send_late, message)
        return stays and not request.closes

    def _ask(self, request: Message) -> Message:
        """The real exchange, over a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.upstream), TIMEOUT_S) as server:
            server.sendall(request.data)
            with server.makefile("rb") as reader:
                try:
                    answer = read_answer(reader, request.method)
                except Broken as cut:
                    raise OSError("the server hung up") from cut
        return answer

    def _pass(self, line: socket.socket, request: Message, _: float) -> bool:
        answer = self._ask(request)
        line.sendall(answer.data)
        return not answer.closes

    def _lose_request(self, line: socket.socket, request: Message, _: float) -> bool:
        return False

    def _lose_answer(self, line: socket.socket, request: Message, _: float) -> bool:
        self._ask(request)
        return False

    def _double(self, line: socket.socket, request: Message, at: float) -> bool:
        self._ask(request)
        return self._pass(line, request, at)

    def _late_copy(self, line: socket.socket, request: Message, at: float) -> bool:
        """The same request comes once more, some requests later (a copy that wandered about)."""
        with self._lock:
            self._late.append((self._n + 1 + round(at * 8), request))
        return self._pass(line, request, at)

    def _delay(self, line: socket.socket, request: Message, at: float) -> bool:
        self._ending.wait(min(at, 1.0) * 0.2)
        return self._pass(line, request, at)

    def _swap(self, line: socket.socket, request: Message, at: float) -> bool:
        """Waits until another exchange has passed it (or a moment, where nobody else speaks)."""
        with self._passed:
            n = self._n
            self._passed.wait_for(lambda: self._n > n or self._ending.is_set(), 0.3)
        return self._pass(line, request, at)

    def _cut_request(self, line: socket.socket, request: Message, at: float) -> bool:
        self._forward_cut(request.data[: _place(at, len(request.data))])
        return False

    def _reset_request(self, line: socket.socket, request: Message, at: float) -> bool:
        """The server gets the beginning, waits for the rest, and then a reset."""
        with suppress(OSError):
            server = socket.create_connection(("127.0.0.1", self.upstream), TIMEOUT_S)
            server.sendall(request.data[: _place(at, len(request.data))])
            self._ending.wait(0.1)
            drop(server, reset=True)
        return False

    def _half_close_request(self, line: socket.socket, request: Message, at: float) -> bool:
        """The server gets the beginning and the end of the line, and may answer what it likes."""
        with socket.create_connection(("127.0.0.1", self.upstream), TIMEOUT_S) as server:
            server.sendall(request.data[: _place(at, len(request.data))])
            server.shutdown(socket.SHUT_WR)
            with server.makefile("rb") as reader:
                data = reader.read()
        line.sendall(data)
        return False

    def _cut_answer(self, line: socket.socket, request: Message, at: float) -> bool:
        data = self._ask(request).data
        line.sendall(data[: _place(at, len(data))])
        return False

    def _half_close_answer(self, line: socket.socket, request: Message, at: float) -> bool:
        """The beginning of the answer, then our end is closed while the client's stays open for a while."""
        data = self._ask(request).data
        line.sendall(data[: _place(at, len(data))])
        line.shutdown(socket.SHUT_WR)
        line.settimeout(0.5)
        with suppress(TimeoutError):
            line.recv(1)
        return False

    def _reset(self, line: socket.socket, request: Message, at: float) -> bool:
        """Reset before the server has it, or after, by the same die."""
        if at < 0.5:
            self._ask(request)
        drop(line, reset=True)
        return False

    def _black_hole(self, line: socket.socket, request: Message, _: float) -> bool:
        """Nothing comes back; the client has to give up by itself."""
        line.settimeout(self._hole_s)
        with suppress(TimeoutError):
            line.recv(1)
        return False

    def _portal(self, line: socket.socket, request: Message, at: float) -> bool:
        line.sendall(PORTAL if at < 0.5 else PORTAL_MOVED)
        return True

    def _forward_cut(self, data: bytes) -> None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.upstream), TIMEOUT_S) as server:
            server.sendall(data)

    def _send_late(self, request: Message) -> None:
        self._note("late_sent", request.method, request.path)
        with suppress(OSError):
            self._ask(request)


def _place(at: float, size: int) -> int:
    """Where a cut falls: a share of the message, a byte, or a byte from the end; never the whole message."""
    place = round(at * size) if isinstance(at, float) else at if at >= 0 else size + at
    return max(0, min(place, size - 1))
