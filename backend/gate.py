"""The write gate: one writer at a time on SQLite, in the order of their coming, and nobody waits for ever.

Theory. SQLite's own waiting is a lottery: with sixteen writers the unlucky one waits a hundred times as long as the
median. So threads queue here, first come first served, and processes meet at a lock on a file beside the database.
A writer that has not got through after `WAIT_S` is told so (`GateBusy`, a 503 with Retry-After): its phone comes
again, and no thread of the server is held by a stranger's lock. Never a decision about what is written.
"""

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.queueing import Queue

WAIT_S = 8.0  # with SQLite's own 3 s (busy_timeout) less than the 12 s that a request may wait for the database
DOUBT_S = 2.0  # after a change that failed, nobody is sent here for so long
POLL_S = 0.005  # flock has no time-out of its own; another process is the exception


class GateBusy(Exception):
    """The gate did not open in time."""


class WriteGate:
    """First in, first out over the threads of this process; over processes by flock. Open to all without a database."""

    def __init__(self, database: Path | None, wait_s: float = WAIT_S) -> None:
        self._path, self._wait_s = database, wait_s
        self._file = open(f"{database}.lock", "ab") if database else None  # noqa: SIM115 - lives as long as the app
        self._queue = Queue(1)
        self.folding = threading.Lock()  # whoever has it folds SQLite's log back
        self.failed_at_s: float | None = None  # (monotonic) the last change failed by trouble of database or disk

    @property
    def is_needed(self) -> bool:
        """Whether there is a gate at all (SQLite)."""
        return self._file is not None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Pass the gate. Raises GateBusy after `wait_s` seconds."""
        if self._file is None:
            yield
            return
        until = time.monotonic() + self._wait_s
        if not self._queue.enter(self._wait_s):
            raise GateBusy("other writers are still at it")
        try:
            self._meet_processes(until)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            self._queue.leave()

    def close(self) -> None:
        """Let go of the lock file."""
        if self._file is not None:
            self._file.close()

    def note(self, has_failed: bool) -> None:
        """How the last change went. A small one may pass where a large one finds no room: see `is_doubtful`."""
        self.failed_at_s = time.monotonic() if has_failed else None

    def is_doubtful(self) -> bool:
        """Whether the last change failed a moment ago."""
        return self.failed_at_s is not None and time.monotonic() - self.failed_at_s < DOUBT_S

    def wal_bytes(self) -> int:
        """Bytes of the write-ahead log that are not folded back yet."""
        wal = Path(f"{self._path}-wal")
        return wal.stat().st_size if self._path and wal.exists() else 0

    def _meet_processes(self, until: float) -> None:
        assert self._file is not None
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise GateBusy("another process is writing") from None
            time.sleep(POLL_S)
