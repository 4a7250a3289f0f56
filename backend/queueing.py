"""A few places, given out in the order in which they were asked for. No database, no HTTP, no clock but the wait's own.

Theory. `threading.Lock` and `Semaphore` let whoever runs at the moment go first: under load a thread that has just let
go takes its place again, and others starve (sixteen writers: the slowest waits for seconds). Here a place that is given
back is handed to the one who waits longest, so that nobody waits longer than the queue is.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Queue:
    """`places` of a kind; first come, first served."""

    def __init__(self, places: int) -> None:
        self._mutex = threading.Lock()
        self._free = self.places = places
        self._turns: deque[threading.Lock] = deque()

    def enter(self, timeout_s: float = -1) -> bool:
        """Take a place; False where none came free within `timeout_s` (below 0: wait for as long as it takes)."""
        with self._mutex:
            if self._free > 0:
                self._free -= 1
                return True
            turn = threading.Lock()
            turn.acquire()
            self._turns.append(turn)
        is_mine = False
        try:
            is_mine = turn.acquire(timeout=timeout_s)
        finally:
            if not is_mine:
                is_mine = self._give_up(turn)
        return is_mine

    def leave(self) -> None:
        """Give the place to whoever waits longest."""
        with self._mutex:
            if self._turns:
                self._turns.popleft().release()
            else:
                self._free += 1

    def _give_up(self, turn: threading.Lock) -> bool:
        """Stop waiting; True where the place was handed over at the last moment (then it is ours)."""
        with self._mutex:
            try:
                self._turns.remove(turn)
            except ValueError:
                return True
            return False

    @property
    def held(self) -> int:
        """How many places are taken."""
        return self.places - self._free

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._turns)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for the length of a `with`, however long the wait."""
        self.enter()
        try:
            yield
        finally:
            self.leave()
