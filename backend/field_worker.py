"""The WSGI server's worker: gunicorn's threads, with an end to every wait for a slow line. No application here.

Theory. gunicorn's threaded worker reads a request's head without a deadline (a phone that sends a byte a minute keeps a
thread), and lingers on a closing connection for up to two seconds in its one event loop (a phone that still sends its
refused body stops everybody). Here the head has a deadline, and the lingering is done by the thread that served.
"""

import contextlib
import socket
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from backend.lines import DEADLINES, DRAIN_BLOCK_BYTES, DRAIN_WAIT_S

HEAD_S = 20.0


class FieldWorker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """gthread for phones."""

    def handle(self, conn: Any) -> Any:
        """One request of a connection; whether the connection goes on."""
        DEADLINES.arm(conn.sock, HEAD_S)
        try:
            goes_on = super().handle(conn)
        finally:
            DEADLINES.disarm(conn.sock)
        if goes_on is False:
            _linger(conn.sock)
        return goes_on


def _linger(line: socket.socket) -> None:
    """Say that nothing follows, and read what has arrived, so that the answer is not lost to a reset; never wait."""
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_WR)
        line.settimeout(DRAIN_WAIT_S)
        for _ in range(4):
            if not line.recv(DRAIN_BLOCK_BYTES):
                break
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RD)
