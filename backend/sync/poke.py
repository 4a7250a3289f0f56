"""Telling connected devices that something of theirs has changed, so that they pull (PROTOCOL.md P91). A hint: never data,
nothing is decided by it, and a lost one costs nothing.

Theory. A listener keeps a thread of the server and its line, and nothing else: no place in a lane, no connection to the
database. One watcher for all of them looks once a second whether the commit clock has moved, and only while somebody
listens; then it asks for the last change of the buckets that are listened to. Every 15 to 25 s each listener says that it
is alive, which finds the lines that are gone, and looks whether its token, its role and its buckets are still the same.
"""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import orjson
import structlog
from flask import Blueprint, Flask, Response, current_app, request
from sqlalchemy.orm import Session

from backend.access.guard import device_actor, require
from backend.access.roles import may
from backend.access.scope import SYSTEM, Actor
from backend.accounts import queries as accounts
from backend.config import Config
from backend.database import clock, snapshot
from backend.errors import Problem
from backend.feed.log import meta
from backend.feed.pages import lasts
from backend.sweeps import queries as sweeps
from backend.sync.scope import buckets
from backend.trouble import problem_of

poke_bp = Blueprint("poke", __name__, url_prefix="/sync/v1")
log = structlog.get_logger(__name__)
TICK_S = 1.0
BEAT_S = (15.0, 25.0)
RETRY_MS = 5_000
AWAY_S = (60, 300)  # a hint is not worth coming again soon for
AT_ONCE = 200  # buckets in one statement
Told = tuple[str, int]  # (epoch, clock)


@dataclass(eq=False)
class Listener:
    """A device that listens, and what it was told last."""

    device: str
    buckets: frozenset[str]
    told: Told
    wake: threading.Event = field(default_factory=threading.Event)
    is_over: bool = False

    def end(self) -> None:
        """Let its stream come to an end."""
        self.is_over = True
        self.wake.set()

    def tell(self, told: Told) -> None:
        """What it does not know yet is said by its stream."""
        if told[0] != self.told[0] or told[1] > self.told[1]:
            self.told = told
            self.wake.set()


class Pokes:
    """Those who listen to one server process, and the thread that watches for them."""

    def __init__(self, app: Flask, most: int, life_s: float) -> None:
        self._app, self.most, self.life_s = app, most, life_s
        self.tick_s, self.beat_s = TICK_S, BEAT_S
        self._mutex, self._listeners = threading.Lock(), dict[str, Listener]()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._has_joined = False  # somebody whom the watcher has not looked at yet
        self._seen: Told | None = None

    @property
    def count(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def join(self, listener: Listener) -> None:
        """One more listens; an older stream of the same device ends. Raises Problem overloaded where there is no place."""
        with self._mutex:
            older = self._listeners.get(listener.device)
            is_full = len(self._listeners) >= self.most and older is None
            if is_full or self._stop.is_set() or self._app.extensions.get("draining"):
                raise Problem("overloaded", "nobody more can listen", retry_after_s=random.randint(*AWAY_S))
            if older is not None:
                older.end()
            self._listeners[listener.device] = listener
            self._has_joined = True  # what has happened since it was told is looked for again
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="huyuan-pokes", daemon=True)
                self._thread.start()

    def leave(self, listener: Listener) -> None:
        """Its stream is over."""
        with self._mutex:
            if self._listeners.get(listener.device) is listener:
                del self._listeners[listener.device]

    def close(self) -> None:
        """Everybody's stream ends, and nobody listens any more."""
        self._stop.set()
        thread = self._thread
        self._end_all()
        if thread is not None:
            thread.join(10)

    def stream(self, listener: Listener, token: str) -> Iterator[bytes]:
        """What the device reads: at once where things stand, then each change, and a sign of life in between."""
        end = time.monotonic() + self.life_s * random.uniform(0.8, 1.0)  # not all of them come again together
        beat = time.monotonic() + random.uniform(*self.beat_s)
        yield f"retry: {RETRY_MS}\n\n".encode() + _event(listener.told)
        while not listener.is_over:
            if listener.wake.wait(max(min(end, beat) - time.monotonic(), 0)):
                listener.wake.clear()
                if not listener.is_over:
                    yield _event(listener.told)
            elif time.monotonic() >= end:
                return
            if time.monotonic() >= beat:
                if not self._may_stay(listener, token):
                    return
                beat = time.monotonic() + random.uniform(*self.beat_s)
                yield b": alive\n\n"

    def _may_stay(self, listener: Listener, token: str) -> bool:
        """Whether the token is still good; who may not be told why comes again and is told. Other buckets are news."""
        try:
            with self._app.app_context(), snapshot() as session:
                known = accounts.device_of_token(session, token)
                actor = sweeps.with_teams(session, known, known.device_id)
                now, seen = frozenset(buckets(session, actor)), (meta(session, SYSTEM).epoch, clock(session))
        except Exception as trouble:
            if not isinstance(trouble, Problem) and problem_of(trouble) is None:
                log.exception("poke_not_checked")
            return False
        if now != listener.buckets:
            listener.buckets = now
            listener.tell(seen)
        return may(actor.role, "sync")

    def _watch(self) -> None:
        while True:
            self._stop.wait(self.tick_s)
            with self._mutex:
                listeners = list(self._listeners.values())
                if not listeners or self._stop.is_set():
                    self._thread = None
                    return
                is_new, self._has_joined = self._has_joined, False
            if self._app.extensions.get("draining"):
                self._end_all()
                continue
            try:
                self._look(listeners, is_new)
            except Exception as trouble:  # the next look may go well; meanwhile devices pull as without pokes
                self._has_joined = self._has_joined or is_new
                log.warning("poke_not_looked", error=repr(trouble)[:200])

    def _look(self, listeners: Sequence[Listener], is_new: bool) -> None:
        """`is_new`: one of them has never been looked at. Who joins while this goes on is looked at the next time."""
        with self._app.app_context(), snapshot() as session:
            epoch, now = meta(session, SYSTEM).epoch, clock(session)
            if self._seen == (epoch, now) and not is_new:
                return
            last = _lasts(session, {bucket for listener in listeners for bucket in listener.buckets})
        self._seen = (epoch, now)
        for listener in listeners:
            listener.tell((epoch, max((last.get(bucket, 0) for bucket in listener.buckets), default=0)))

    def _end_all(self) -> None:
        with self._mutex:
            for listener in self._listeners.values():
                listener.end()


def register(app: Flask, config: Config) -> None:
    """Let devices listen to `app`."""
    app.extensions["pokes"] = found = Pokes(app, config.poke_listeners, config.poke_life_s)
    app.extensions.setdefault("closers", []).append(found.close)


@poke_bp.get("/poke")
def poke() -> Response:
    actor = device_actor()
    require(actor, "sync")
    pokes: Pokes = current_app.extensions["pokes"]
    token = request.headers["Authorization"].partition(" ")[2]
    with snapshot() as session:
        listener = _listener(session, actor)
    pokes.join(listener)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    answer = Response(pokes.stream(listener, token), mimetype="text/event-stream", headers=headers)
    answer.call_on_close(lambda: pokes.leave(listener))
    return answer


def _listener(session: Session, actor: Actor) -> Listener:
    own = frozenset(buckets(session, actor))
    last = max(_lasts(session, own).values(), default=0)
    return Listener(actor.device_id or "", own, (meta(session, actor).epoch, last))


def _lasts(session: Session, names: Sequence[str] | set[str] | frozenset[str]) -> dict[str, int]:
    ordered, found = sorted(names), dict[str, int]()
    for at in range(0, len(ordered), AT_ONCE):
        found |= lasts(session, ordered[at : at + AT_ONCE])
    return found


def _event(told: Told) -> bytes:
    data = orjson.dumps({"epoch": told[0], "clock": told[1]})
    return b"event: poke\ndata: " + data + b"\n\n"
