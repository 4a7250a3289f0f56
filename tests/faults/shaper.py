"""A thin, slow, lossy line as arithmetic: 30 kbit/s, 1 s there and back, lost segments sent again. It counts its own
seconds (`line_s`), so that a test may let them pass faster than they would."""

import socket
import threading
import time
from random import Random

SEGMENT_BYTES = 1400


class Thin:
    """One phone's line. `speed` 1 waits in real time; at 50 a second of the line takes 20 ms."""

    def __init__(self, seed: object, bytes_per_s: float = 3750.0, rtt_s: float = 1.0, loss: float = 0.05,
                 speed: float = 1.0) -> None:  # fmt: skip
        self._dice, self._lock = Random(f"{seed}"), threading.Lock()
        self._bytes_per_s, self._rtt_s, self._loss, self._speed = bytes_per_s, rtt_s, loss, speed
        self.line_s, self.sent_bytes, self.received_bytes, self.lost = 0.0, 0, 0, 0

    def connect(self) -> None:
        """TCP's own greeting: one round trip."""
        self._pass(self._rtt_s)

    def send(self, size: int) -> None:
        """A request goes up."""
        self.sent_bytes += size
        for at in range(0, size, SEGMENT_BYTES):
            self._pass(self._segment(min(SEGMENT_BYTES, size - at)))
        self._pass(self._rtt_s / 2)

    def receive(self, line: socket.socket, data: bytes) -> None:
        """An answer comes down, segment by segment."""
        self.received_bytes += len(data)
        self._pass(self._rtt_s / 2)
        for at in range(0, len(data), SEGMENT_BYTES):
            part = data[at : at + SEGMENT_BYTES]
            self._pass(self._segment(len(part)))
            line.sendall(part)

    def _segment(self, size: int) -> float:
        """Seconds of one segment; a lost one is missed after a round trip and sent again."""
        seconds = size / self._bytes_per_s
        with self._lock:
            while self._dice.random() < self._loss:
                self.lost += 1
                seconds += self._rtt_s + size / self._bytes_per_s
        return seconds

    def _pass(self, seconds: float) -> None:
        with self._lock:
            self.line_s += seconds
        time.sleep(seconds / self._speed)
