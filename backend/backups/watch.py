"""A serving process says that it serves, and looks every second whether its database has gone back. No
decisions here."""

import atexit
import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from backend.backups import standing
from backend.backups.snapshots import Moment
from backend.errors import Problem

log = structlog.get_logger(__name__)
SERVING = "serving.lock"
EVERY_S = 1.0


class Watch(threading.Thread):
    """Compares and mirrors every second, at the start and at the end (`standing.keep`). One a process;
    trouble is logged."""

    def __init__(self, app: Flask, clock: Callable[[], datetime], every_s: float = EVERY_S) -> None:
        super().__init__(name="huyuan-watch", daemon=True)
        self._app, self._clock, self._every_s = app, clock, every_s
        self._data: Path = app.extensions["config"].data
        self._mirrored: Moment | None = standing.read(self._data)
        self._stop_asked, self._trouble = threading.Event(), ""

    def look(self) -> bool:
        """Compare once; whether that was possible."""
        try:
            with self._app.app_context():
                self._mirrored = standing.keep(self._data, self._mirrored, self._clock())
        except (SQLAlchemyError, OSError) as trouble:
            if repr(trouble) != self._trouble:  # the same trouble is told once, not every second
                log.warning("watch_trouble", error=repr(trouble)[:200])
            self._trouble = repr(trouble)
            return False
        self._trouble = ""
        return True

    def run(self) -> None:
        while not self._stop_asked.wait(self._every_s):
            self.look()

    def stop(self) -> None:
        """Mirror the last moment and end."""
        self._stop_asked.set()
        self.look()


def start(app: Flask, clock: Callable[[], datetime]) -> Watch:
    """Before the first request: say that this data directory is served, compare with the mirror, go on
    watching."""
    data: Path = app.extensions["config"].data
    app.extensions["serving"] = _held(data, fcntl.LOCK_SH)
    watch = Watch(app, clock)
    watch.look()
    watch.start()
    atexit.register(watch.stop)
    return watch


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Nobody serves this data directory meanwhile. Raises Problem refused where somebody does."""
    try:
        file = _held(data, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        raise Problem("refused", "a server is running on this data directory; stop it first") from held
    try:
        yield
    finally:
        file.close()


def _held(data: Path, how: int) -> IO[bytes]:
    """The lock file, locked; the kernel lets go of it when the process ends, however it ends."""
    file = open(data / SERVING, "ab")  # noqa: SIM115 - held as long as the process serves
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        file.close()
        raise
    return file
