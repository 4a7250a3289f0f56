"""Connections to slow or silent phones: how long one may take, and how the body of a refused request is let go. Sockets
only; no request is judged here.

Theory. A thread of the server belongs to one connection while it reads from it. A phone on a thin line must not hold
it for ever: each reading has a deadline, kept by one thread that shuts the reading side of whoever is late; the reader
then sees the end of the body, as if the line had been cut. And a body that nobody will read is taken off a fast line
(so that the connection can go on), but never waited for.
"""

import contextlib
import socket
import threading
import time
from typing import Any

TICK_S = 1.0
DRAIN_S, DRAIN_WAIT_S, DRAIN_BLOCK_BYTES = 0.25, 0.05, 65_536


class Deadlines:
    """Sockets and the time by which their readers must be done."""

    def __init__(self, tick_s: float = TICK_S) -> None:
        self._due: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._tick_s = tick_s
        self._thread: threading.Thread | None = None

    def arm(self, line: socket.socket, seconds: float) -> None:
        """From now on `line` has `seconds`; an earlier deadline of it is forgotten."""
        with self._lock:
            self._due[line] = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="huyuan-lines", daemon=True)
                self._thread.start()

    def disarm(self, line: socket.socket) -> None:
        """Nothing is awaited from `line` any more."""
        with self._lock:
            self._due.pop(line, None)

    def _watch(self) -> None:
        while True:
            time.sleep(self._tick_s)
            now = time.monotonic()
            with self._lock:
                late = [line for line, due in self._due.items() if due < now]
                for line in late:
                    del self._due[line]
                    shut_reading(line)


DEADLINES = Deadlines()  # one a process: sockets belong to the process, not to an app


def shut_reading(line: socket.socket) -> None:
    """Whoever reads from `line` sees its end at once; what was answered still goes out."""
    with contextlib.suppress(OSError):  # it is closed already
        line.shutdown(socket.SHUT_RD)


def let_go(line: socket.socket, body: Any) -> None:
    """Take the unread rest of `body` off `line` if it is quick about it; else shut the line's reading side.

    `body` is the WSGI server's own reader, so that it knows where the next request begins.
    """
    end, before = time.monotonic() + DRAIN_S, line.gettimeout()
    try:
        line.settimeout(DRAIN_WAIT_S)
        while time.monotonic() < end:
            if not body.read(DRAIN_BLOCK_BYTES):
                return
    except OSError:  # nothing came, or the line is gone
        shut_reading(line)
        return
    finally:
        with contextlib.suppress(OSError):
            line.settimeout(before)
    shut_reading(line)
