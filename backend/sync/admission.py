"""Who is let in, by lane, before a body is read; who works when (PROTOCOL.md P84, P86).

Theory. At half past five every phone of the city comes at once. A lane lets in as many as the threads can bear and
sends the others away at once, each with an appointment: the next moment at which a place will be free, behind those who
were sent away before. A lane with `most` places whose guests stay `stay_s` gives `most / stay_s` places a second (Little's
law), so that is how far apart the appointments are, and nobody waits while the server idles. Inside, a few work at a
time, first come first served. A slow line holds a place in the lane, never one of those who work. Nothing is decided
here about any op.
"""

import math
import random
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import Flask, current_app, g, request

from backend.access.guard import device_actor
from backend.config import Config
from backend.errors import Problem
from backend.lines import DEADLINES
from backend.queueing import Queue
from backend.sync import rescue

# endpoint → lane; what is not named, or brings no body, is small and is bounded by the threads alone
LANE_OF: Mapping[str, str] = {
    "sync.push": "push",
    "sync.pull": "pull",
    "uploads.patch": "blobs",
    "uploads.create": "blobs",
    "rescue.patch": "blobs",
}
BODY_S: Mapping[str, float] = {"push": 120, "urgent": 120, "pull": 60, "blobs": 300}  # for the whole body to arrive
WORK_WAIT_S = 20.0
AWAY_S = (1.0, 60.0)  # the nearest and the farthest appointment
CROWDED_S = (30, 60)  # where the book is full to the end: drawn, or they would all come at its end
STAY_S, STAY_WEIGHT = 1.0, 0.1  # how long a guest is thought to stay before any has left; what the last one counts for
NEXT_SYNC_S, NEXT_SYNC_SPREAD_S = 900, 300
URGENT = "Huyuan-Urgent"


@dataclass
class Lane:
    """How many are inside, at most; how many of these work at a time; when (monotonic) each of those inside came; how
    long the last ones stayed; the last appointment given."""

    name: str
    most: int
    work: Queue
    came_at_s: list[float] = field(default_factory=list)
    stay_s: float = STAY_S
    booked_at_s: float = 0.0

    @property
    def inside(self) -> int:
        """How many are in the lane."""
        return len(self.came_at_s)

    def appointment_s(self, now_s: float) -> int:
        """Whole seconds after `now_s` (monotonic) at which a place will be free for one more."""
        so_far_s = sum(now_s - came for came in self.came_at_s) / max(self.inside, 1)  # slow lines: they stay on
        free_at_s = max(self.booked_at_s, now_s + AWAY_S[0]) + max(self.stay_s, so_far_s) / self.most
        if free_at_s > now_s + AWAY_S[1]:
            return random.randint(*CROWDED_S)
        self.booked_at_s = free_at_s
        return math.floor(free_at_s - now_s + random.random())  # whole seconds, spread as the appointments are


class Admission:
    """The lanes of one server process."""

    def __init__(self, sizes: Mapping[str, tuple[int, int]]) -> None:
        self._mutex = threading.Lock()
        self.lanes = {name: Lane(name, most, Queue(working)) for name, (most, working) in sizes.items()}

    def is_full(self, name: str) -> bool:
        """Whether nobody more is let into a lane."""
        return self.lanes[name].inside >= self.lanes[name].most

    def enter(self, name: str) -> tuple[Lane, float]:
        """A place in a lane, and when it was taken. Raises Problem overloaded at once where there is none."""
        lane = self.lanes[name]
        with self._mutex:
            if lane.inside < lane.most:
                lane.came_at_s.append(time.monotonic())
                return lane, lane.came_at_s[-1]
        raise self.overloaded(name, f"{name} is full")

    def leave(self, lane: Lane, came_at_s: float) -> None:
        """Give up the place that was taken then."""
        with self._mutex:
            lane.came_at_s.remove(came_at_s)
            lane.stay_s += STAY_WEIGHT * (time.monotonic() - came_at_s - lane.stay_s)

    def overloaded(self, name: str, detail: str) -> Problem:
        """503 with an appointment in that lane."""
        with self._mutex:
            seconds = self.lanes[name].appointment_s(time.monotonic())
        return Problem("overloaded", detail, retry_after_s=seconds)

    @contextmanager
    def work(self, name: str, wait_s: float = WORK_WAIT_S) -> Iterator[None]:
        """One of those who work, after one's turn has come. Raises Problem overloaded after `wait_s`."""
        queue = self.lanes[name].work
        if not queue.enter(wait_s):
            raise self.overloaded(name, f"{name}: the turn did not come in time")
        try:
            yield
        finally:
            queue.leave()

    def next_sync_s(self) -> int:
        """Seconds after which a device that has nothing urgent should come again: spread, and later under load."""
        push = self.lanes["push"]
        crowd = 1 + 2 * push.inside // max(push.most, 1)
        return NEXT_SYNC_S + random.randrange(NEXT_SYNC_SPREAD_S * crowd)


def register(app: Flask, config: Config) -> None:
    """Put the lanes before the views of `app`."""
    app.extensions["admission"] = Admission(config.lanes)
    app.before_request(_let_in)
    app.teardown_request(_let_out)


def lanes() -> Admission:
    """The lanes of the current app."""
    found: Admission = current_app.extensions["admission"]
    return found


@contextmanager
def working(is_urgent: bool) -> Iterator[None]:
    """One of those who work on pushes, an urgent one in a place kept for such. Raises Problem overloaded."""
    place: tuple[Lane, float] | None = g.get("lane")
    is_urgent = is_urgent and lanes().lanes["urgent"].work.waiting == 0
    with lanes().work("urgent" if is_urgent else place[0].name if place else "push"):
        yield


def _let_in() -> None:
    """P84: from the head of the request alone. An unknown device takes nobody's place."""
    is_small = request.method == "OPTIONS" or (request.endpoint == "uploads.create" and not request.content_length)
    name = None if is_small else LANE_OF.get(request.endpoint or "")
    _give_time(BODY_S.get(name or "", BODY_S["push"]))
    if name is None:
        return
    if name == "push" and request.headers.get(URGENT) == "1" and not lanes().is_full("urgent"):
        name = "urgent"
    if lanes().is_full(name):
        raise lanes().overloaded(name, f"{name} is full")
    rescue.bearer() if request.endpoint == "rescue.patch" else device_actor()
    g.lane = lanes().enter(name)


def _let_out(_: BaseException | None) -> None:
    place: tuple[Lane, float] | None = g.pop("lane", None)
    if place is not None:
        lanes().leave(*place)


def _give_time(seconds: float) -> None:
    """How long the body may take to arrive (how long nothing at all may come is HUYUAN_STALL_S)."""
    line = request.environ.get("gunicorn.socket")
    if isinstance(line, socket.socket):
        DEADLINES.arm(line, seconds)
