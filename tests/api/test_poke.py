"""GET /sync/v1/poke (P91): what the stream says, to whom, for how long, and that nothing but a thread is kept for it."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, update

from backend.accounts.models import Device
from backend.database import db
from backend.sync import poke
from backend.sync.poke import Listener, Pokes
from tests import make
from tests.cast import A, B, Phone, World, told

PATH = "/sync/v1/poke"


@pytest.fixture
def pokes(world: World) -> Iterator[Pokes]:
    """The pokes of the world, made quick."""
    found: Pokes = world.app.extensions["pokes"]
    found.life_s, found.tick_s, found.beat_s = 0.5, 0.05, (0.1, 0.15)
    yield found
    found.life_s, found.tick_s, found.beat_s, found.most = 300.0, poke.TICK_S, poke.BEAT_S, 32


class Ear:
    """A stream that is read while other things happen, without a server between."""

    def __init__(self, world: World, pokes: Pokes, phone: Phone) -> None:
        found, self._pokes = threading.Event(), pokes
        self.told: list[dict[str, Any]] = []
        self.beats, self._changed = 0, threading.Condition()
        headers = {"Authorization": f"Bearer {phone.token}"}
        with world.app.test_request_context(PATH, headers=headers):
            answer = world.app.full_dispatch_request()
        assert answer.status_code == 200, answer.get_data()
        self._thread = threading.Thread(target=self._read, args=(answer, found))
        self._thread.start()
        assert found.wait(10)

    def _read(self, answer: Any, found: threading.Event) -> None:
        for piece in answer.response:
            with self._changed:
                self.told += [json.loads(line[5:]) for line in piece.decode().splitlines() if line.startswith("data:")]
                self.beats += piece.count(b": alive")
                self._changed.notify_all()
            found.set()
        answer.close()

    def until(self, is_so: Any) -> bool:
        with self._changed:
            return bool(self._changed.wait_for(lambda: is_so(self), timeout=10))

    def is_over(self) -> bool:
        self._thread.join(10)
        return not self._thread.is_alive()


@pytest.mark.answers("poke.poke", 200)
def test_a_stream_says_at_once_where_things_stand_shows_life_and_ends_by_itself(world: World, pokes: Pokes) -> None:
    phone = world.phone("inspector_a")
    phone.record("problem.report", ("finding", make.new_id()), make.report(world.site()))
    answer = phone.ask("GET", PATH)
    assert answer.status_code == 200 and answer.mimetype == "text/event-stream" and answer.headers["Cache-Control"] == "no-store"
    retry, first, *rest = answer.text.strip().split("\n\n")
    assert retry == "retry: 5000" and set(rest) == {": alive"}
    name, data = first.split("\n")
    said = json.loads(data.removeprefix("data: "))
    assert name == "event: poke" and said["epoch"] == phone.epoch and 0 < said["clock"] <= phone.pull()["as_of"]
    assert pokes.count == 0


def test_a_change_in_ones_buckets_is_told_and_one_elsewhere_is_not(world: World, pokes: Pokes) -> None:
    pokes.life_s = 60.0
    phone, colleague, stranger = world.phone("inspector_a"), world.phone("expert"), world.phone("inspector_b")
    ear = Ear(world, pokes, phone)
    begun = ear.told[0]["clock"]
    stranger.record("problem.report", ("finding", make.new_id()), make.report(world.site(B)))
    assert ear.until(lambda e: e.beats >= 3) and [t["clock"] for t in ear.told] == [begun]
    colleague.record("problem.report", ("finding", make.new_id()), make.report(world.site(A)))
    assert ear.until(lambda e: len(e.told) == 2) and ear.told[1]["clock"] > begun
    assert phone.pull()["as_of"] >= ear.told[1]["clock"]
    pokes._end_all()
    assert ear.is_over() and pokes.count == 0


def test_a_change_between_asking_and_listening_is_not_missed(world: World, pokes: Pokes) -> None:
    pokes.life_s = 60.0
    first = Ear(world, pokes, world.phone("inspector_b"))  # the watcher is at work and has seen all there is
    assert first.until(lambda e: e.beats >= 2)
    phone = world.phone("inspector_a")
    late = Listener(phone.device, frozenset({"district:370303"}), (phone.epoch, 0))
    pokes.join(late)
    assert late.wake.wait(10) and late.told[1] > 0
    pokes._end_all()
    pokes.leave(late)
    assert first.is_over()


def test_who_joins_while_the_watcher_looks_is_looked_at_the_next_time(
    world: World, pokes: Pokes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pokes.life_s, phone, real = 60.0, world.phone("inspector_a"), poke.clock
    late = Listener(phone.device, frozenset({"district:370303"}), (phone.epoch, 0))
    is_there = threading.Event()

    def meanwhile(session: Any) -> int:
        if threading.current_thread().name == "huyuan-pokes" and not is_there.is_set():
            pokes.join(late)
            is_there.set()
        return real(session)

    monkeypatch.setattr(poke, "clock", meanwhile)
    first = Ear(world, pokes, world.phone("inspector_b"))
    assert is_there.wait(10) and late.wake.wait(10) and late.told[1] > 0
    pokes._end_all()
    pokes.leave(late)
    assert first.is_over()


def test_a_device_that_is_revoked_or_whose_person_leaves_hears_no_more(world: World, pokes: Pokes) -> None:
    pokes.life_s = 60.0
    phone = world.phone("inspector_a")
    ear = Ear(world, pokes, phone)
    world.change(update(Device).where(Device.id == phone.device).values(is_revoked=True))
    assert ear.is_over() and told(phone.ask("GET", PATH)) == (401, "device_revoked")


def test_a_change_of_buckets_is_news(world: World, pokes: Pokes) -> None:
    pokes.life_s = 60.0
    ear = Ear(world, pokes, world.phone("inspector_a"))
    (listener,) = pokes._listeners.values()
    listener.buckets = frozenset({"team:none"})  # as they were before a team was formed
    listener.told = (listener.told[0], 0)
    assert ear.until(lambda e: len(e.told) >= 2) and "district:370303" in listener.buckets
    pokes._end_all()
    assert ear.is_over()


@pytest.mark.answers("poke.poke", 401, 503)
def test_who_finds_no_place_is_told_when_to_come_back_and_who_comes_again_takes_their_own(world: World, pokes: Pokes) -> None:
    pokes.life_s, pokes.most = 60.0, 1
    phone, other = world.phone("inspector_a"), world.phone("inspector_a")
    ear = Ear(world, pokes, phone)
    answer = other.ask("GET", PATH)
    assert told(answer) == (503, "overloaded") and 60 <= int(answer.headers["Retry-After"]) <= 300
    again = Ear(world, pokes, phone)
    assert ear.is_over() and pokes.count == 1
    pokes._end_all()
    assert again.is_over() and pokes.count == 0
    assert told(world.anonymous().get(PATH)) == (401, "unauthenticated")


@pytest.mark.answers("poke.poke", 403)
def test_a_desks_device_that_may_not_sync_may_not_listen(world: World, pokes: Pokes) -> None:
    assert told(world.phone("auditor").ask("GET", PATH)) == (403, "forbidden")


def test_asking_for_the_head_keeps_no_place(world: World, pokes: Pokes) -> None:
    pokes.life_s, pokes.most = 60.0, 1
    phones = [world.phone("inspector_a") for _ in range(3)]
    assert [phone.ask("HEAD", PATH).status_code for phone in phones] == [200, 200, 200] and pokes.count == 0


def test_a_listener_keeps_no_connection_and_no_place_in_a_lane_and_nobody_looks_when_nobody_listens(world: World, pokes: Pokes) -> None:
    pokes.life_s, pokes.beat_s = 60.0, (30.0, 40.0)
    with world.app.app_context():
        engine = db.engine
    looks: list[str] = []
    event.listen(engine, "before_cursor_execute", note := lambda _c, _k, statement, *_: looks.append(statement))
    try:
        ears = [Ear(world, pokes, world.phone("inspector_a")) for _ in range(4)]
        pool: Any = engine.pool
        assert pokes._thread is not None and not any(lane.inside for lane in world.app.extensions["admission"].lanes.values())
        with pokes._mutex:  # the watcher is between two looks
            assert pool.checkedout() <= 1
        pokes._end_all()
        assert all(ear.is_over() for ear in ears)
        watcher = pokes._thread
        if watcher is not None:
            watcher.join(10)
        assert pokes._thread is None
        count = len(looks)
        assert not threading.Event().wait(0.3) and len(looks) == count
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_a_database_in_trouble_ends_no_watching(world: World, pokes: Pokes, monkeypatch: pytest.MonkeyPatch) -> None:
    pokes.life_s, pokes.beat_s = 60.0, (30.0, 40.0)
    phone = world.phone("inspector_a")
    ear = Ear(world, pokes, phone)
    failed = threading.Event()

    def broken(*_: Any) -> Any:
        failed.set()
        raise RuntimeError("no database")

    with monkeypatch.context() as trouble:
        trouble.setattr(poke, "clock", broken)
        assert failed.wait(10)
    phone.record("problem.report", ("finding", make.new_id()), make.report(world.site(A)))
    assert ear.until(lambda e: len(e.told) == 2)
    pokes._end_all()
    assert ear.is_over()


def test_a_server_that_stops_lets_everybody_go_and_nobody_in(world: World, pokes: Pokes) -> None:
    pokes.life_s = 60.0
    phone = world.phone("inspector_a")
    ear = Ear(world, pokes, phone)
    world.app.extensions["draining"] = True
    try:
        assert ear.is_over() and told(phone.ask("GET", PATH)) == (503, "overloaded")
    finally:
        world.app.extensions["draining"] = False
