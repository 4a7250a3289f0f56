"""A thin, slow, lossy line as a proxy of bytes: 30 kbit/s, 1 s there and back, lost segments sent again. It counts its
own seconds, so that a test may let them pass faster than they would; it knows nothing of HTTP."""

import socket
import threading
import time
from contextlib import suppress
from random import Random

from tests.faults.wire import drop

SEGMENT_BYTES = 1400
BUFFER_BYTES = 8 * 1024  # what the line itself holds: a sender feels the line and not the memory behind it
POLL_S = 0.05


class ThinLine:
    """Listens at `url`. At `speed` 20 a second of the line takes 50 ms; timeouts of a client must be divided alike."""

    def __init__(self, upstream: int, seed: object, bytes_per_s: float = 3750.0, rtt_s: float = 1.0,
                 loss: float = 0.05, speed: float = 1.0) -> None:  # fmt: skip
        self._upstream, self._dice, self._lock = upstream, Random(f"{seed}"), threading.Lock()
        self._bytes_per_s, self._rtt_s, self._loss, self._speed = bytes_per_s, rtt_s, loss, speed
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.up_bytes, self.down_bytes, self.lost, self.lines = 0, 0, 0, 0
        self._ending, self._threads = threading.Event(), list[threading.Thread]()
        self._start(self._listen)

    def __enter__(self) -> "ThinLine":
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in list(self._threads):
            thread.join(10)
        assert not [t for t in self._threads if t.is_alive()], "a thread of the thin line does not end"

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while not self._ending.is_set():
            try:
                phone, _ = self._listener.accept()
            except OSError:
                return
            self.lines += 1
            self._start(self._open, phone)

    def _open(self, phone: socket.socket) -> None:
        self._pass(self._rtt_s)  # TCP's own greeting
        try:
            server = socket.create_connection(("127.0.0.1", self._upstream), 10)
        except OSError:
            drop(phone)
            return
        for line in (phone, server):
            line.settimeout(POLL_S)
        self._start(self._pump, phone, server, "up_bytes")
        self._start(self._pump, server, phone, "down_bytes")

    def _pump(self, source: socket.socket, target: socket.socket, count: str) -> None:
        """One direction, segment by segment; what has begun to flow is half a round trip late."""
        is_idle = True
        while not self._ending.is_set():
            try:
                data = source.recv(SEGMENT_BYTES)
            except TimeoutError:
                is_idle = True
                continue
            except OSError:
                break
            self._pass((self._rtt_s / 2 if is_idle else 0) + self._segment(len(data)))
            is_idle = False
            setattr(self, count, getattr(self, count) + len(data))
            if not data or not self._hand_on(target, data):
                break
        drop(target)

    def _hand_on(self, target: socket.socket, data: bytes) -> bool:
        while data and not self._ending.is_set():
            try:
                data = data[target.send(data) :]
            except TimeoutError:
                continue
            except OSError:
                return False
        return not data

    def _segment(self, size: int) -> float:
        """Seconds of one segment; a lost one is missed after a round trip and sent again."""
        seconds = size / self._bytes_per_s
        with self._lock:
            while self._dice.random() < self._loss:
                self.lost += 1
                seconds += self._rtt_s + size / self._bytes_per_s
        return seconds

    def _pass(self, seconds: float) -> None:
        time.sleep(seconds / self._speed)
