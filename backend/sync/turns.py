"""One push of a replica at a time: a second one waits a moment and is then told `busy`. In memory; no database.

Without this, a phone whose line breaks again and again would hold a thread of the server for each of its tries. On
PostgreSQL with several processes the row of the replica is the lock between them; here it is only kept short.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from backend.errors import Problem
from sync_protocol.envelope import Framed
from sync_protocol.limits import MAX_SEQ

WAIT_S = 2.0
MOST = 20_000  # replicas whose place is remembered
RETRY_S = 2


class Turns:
    """Who is at it, by name."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._busy: set[str] = set()
        self._reached: dict[str, int] = {}

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Take the turn of `name`. Raises Problem busy after WAIT_S seconds."""
        with self._free:
            if not self._free.wait_for(lambda: name not in self._busy, WAIT_S):
                raise Problem("busy", "another push of this replica is under way", retry_after_s=RETRY_S)
            self._busy.add(name)
        try:
            yield
        finally:
            with self._free:
                self._busy.discard(name)
                self._free.notify_all()

    def reach(self, name: str, next_seq: int) -> None:
        """Where a replica stood at the end of its turn. A hint, which may be old: nothing is decided by it."""
        if len(self._reached) >= MOST:
            self._reached.clear()
        self._reached[name] = next_seq

    def may_know(self, name: str, ops: Sequence[Framed]) -> bool:
        """Whether all of these ops may be in custody already; False where one is newer than all that is known here."""
        return bool(ops) and max(op.seq for op in ops) < self._reached.get(name, MAX_SEQ + 2)
