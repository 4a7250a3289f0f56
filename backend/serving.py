"""How the WSGI server starts and stops (gunicorn's settings file): stopping is said before it is done. No requests.

SIGTERM: /readyz becomes 503; HUYUAN_DRAIN_S seconds later nothing new is taken; what is under way is finished (an
upload ends where it is and goes on later); the worker ends its job; SQLite's log is folded back; exit 0.
"""

import gc
import signal
import socket
import struct
import threading
from typing import Any

import structlog

from backend.database import close_app, fold_back, gate, still

log = structlog.get_logger(__name__)
graceful_timeout = 20
keepalive = 75  # a phone that pauses between two requests should not pay for a new line
_WORKER_S = 5.0
_GARBAGE_AFTER = (20_000, 20, 20)  # new objects before the first look for cycles, looks before the second and the third


def post_worker_init(worker: Any) -> None:
    """gunicorn: a process is about to serve. Its SIGTERM gets our beginning, its connections an end of patience."""
    _leave_what_stays()
    _lose_patience(worker.sockets, worker.wsgi.extensions["config"].stall_s)
    stop = worker.handle_exit

    def drain(signal_number: int, frame: Any) -> None:
        app = worker.wsgi
        app.extensions["draining"] = True
        wait_s = app.extensions["config"].drain_s
        if wait_s <= 0:
            stop(signal_number, frame)
            return
        timer = threading.Timer(wait_s, stop, (signal_number, frame))
        timer.daemon = True
        timer.start()

    signal.signal(signal.SIGTERM, drain)
    signal.siginterrupt(signal.SIGTERM, False)


def _leave_what_stays() -> None:
    """What the program is made of (some 200,000 objects) is never garbage: looking through it for cycles again and again
    is a twentieth of the work of a push."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_AFTER)


def _lose_patience(listeners: Any, seconds: float) -> None:
    """A line on which nothing moves for so long is given up: a phone that has gone must not hold a thread for ever.

    Set on the listening sockets; what they accept inherits it. (A time-out of Python's own would be undone by gunicorn.)
    """
    span = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
    for listener in listeners:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, span)


def worker_exit(server: Any, worker: Any) -> None:
    """gunicorn: a process has served its last request."""
    app = getattr(worker, "wsgi", None)
    if app is None:  # it never came to serving
        return
    background = app.extensions.get("worker")
    if background is not None:
        background.stop()
        background.join(_WORKER_S)
    still(app)
    with app.app_context():
        try:
            if gate().is_needed:
                with gate().hold():
                    fold_back("TRUNCATE")
        except Exception as trouble:  # nothing is lost by it: the log is read at the next start
            log.warning("not_folded_back", error=repr(trouble)[:200])
    close_app(app)
