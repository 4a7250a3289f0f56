"""The feed under concurrency: whoever follows it loses nothing and sees nothing backwards (F16; P1, P2, P3 of sync.md
§4.3; I7). The writers are real ops through the one door, the reader is the real page; the mutant is a plain sequence."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import SYSTEM, Actor
from backend.accounts import queries as accounts
from backend.database import before_commit, db, snapshot
from backend.feed.models import FeedRow
from backend.now import now_utc
from backend.ops import apply as ops
from backend.ops.op import Op, framed_op
from backend.sweeps import queries as sweeps
from backend.sync import ask, pull
from backend.sync import scope as scopes
from sync_protocol.cursor import decode
from sync_protocol.envelope import frames
from sync_protocol.identity import GENESIS
from sync_protocol.limits import PROTO_MIN, SCHEMA_MIN
from tests.faults.phones import op_body, sites
from tests.faults.rig import SECRET, Place

WRITERS = 16
KEY = SECRET.encode()


class Rollback(Exception):
    """A writer that thinks better of it."""


class Follower:
    """Follows the feed of one person by pages of 50, as a device does; keeps what it was told, in order."""

    def __init__(self, app: Flask, actor: Actor) -> None:
        self._app, self._actor = app, actor
        self.cursor: str | None = None
        self.rows: dict[tuple[str, str, str], int | None] = {}
        self.inversions: list[str] = []
        self.as_of, self.pages = 0, 0

    def page(self) -> bool:
        """Take one page; whether it was the last."""
        asked = {"cursor": self.cursor, "resetting": {}, "unacked": [], "limit": 50, "schema": SCHEMA_MIN, "proto": PROTO_MIN,
                 "accept_bundles": False, "taken": [], "mismatched": {}}  # fmt: skip
        with self._app.app_context(), snapshot() as session:
            found = pull.page(session, ask.read(asked), self._actor, KEY, self._app.extensions["bundle_store"])
        if found["as_of"] < self.as_of:
            self.inversions.append(f"clock {self.as_of} → {found['as_of']}")
        self.as_of, self.cursor, self.pages = found["as_of"], found["cursor"], self.pages + 1
        for row in found["rows"]:
            key, ver = (row["b"], row["t"], row["id"]), row.get("ver")
            before = self.rows.get(key)
            if before is not None and ver is not None and ver <= before:
                self.inversions.append(f"{key}: version {before} → {ver}")
            self.rows[key] = ver
        return bool(found["complete"])

    def lost(self) -> list[str]:
        """Rows of this person's buckets that stand in the feed and were never told, or not in their last version."""
        with self._app.app_context(), snapshot() as session:
            buckets = scopes.buckets(session, self._actor)
            there = session.execute(select(FeedRow).where(FeedRow.bucket.in_(buckets), FeedRow.is_member)).scalars()
            return [f"{r.bucket} {r.type}:{r.id}" for r in there if self.rows.get((r.bucket, r.type, r.id)) != r.ver]


def write(app: Flask, actor: Actor, count: int, dice: Random, schools: list[str], hold_s: float) -> int:
    """`count` ops, one a transaction, held open at random before and after the books; a tenth is rolled back."""
    done = 0
    for _ in range(count):
        site, pauses = dice.choice(schools), [dice.uniform(0, hold_s) for _ in range(2)]
        gives_up, body = dice.random() < 0.1, op_body(actor.id, actor.teams[0], site, dice)

        def work(session: Session, site: str = site, pauses: list[float] = pauses, gives_up: bool = gives_up,
                 body: str = body) -> None:  # fmt: skip
            ops.lock(session, [site])
            ops.apply(session, [op_of(body, actor)], actor, now_utc())
            time.sleep(pauses[0])
            before_commit(session, "hold", lambda _: time.sleep(pauses[1]))  # behind the books: the clock is taken
            if gives_up:
                raise Rollback

        with app.app_context():
            try:
                rows.run(work)
            except Rollback:
                continue
        done += 1
    return done


def op_of(text_: str, actor: Actor) -> Op:
    """An op as push makes it of a body, but for the replica: the order of a replica is not what is raced here."""
    framed = frames([{"seq": 1, "prev": GENESIS, "body": text_}])[0]
    return framed_op(framed, actor.id, None, None, now_utc())


def people(app: Flask, count: int) -> list[Actor]:
    """Inspectors with their teams and areas, as a request would find them."""
    with app.app_context(), snapshot() as session:
        found = [u for u in accounts.users(session, SYSTEM) if u.login.startswith("f")][:count]
        return [sweeps.with_teams(session, user) for user in found]


def race(app: Flask, schools: list[str], count: int, seed: int, hold_s: float = 0.004) -> tuple[Follower, int]:
    """WRITERS threads of `count` ops each against one follower, who looks once more when all is still."""
    inspectors = people(app, 8)
    follower, still, done = Follower(app, inspectors[0]), threading.Event(), []
    while not follower.page():
        continue

    def follow() -> None:
        while not still.is_set():
            follower.page()

    def writer(n: int) -> None:
        done.append(write(app, inspectors[n % 2], count, Random(f"{seed}:{n}"), schools, hold_s))

    reader = threading.Thread(target=follow)
    writers = [threading.Thread(target=writer, args=(n,)) for n in range(WRITERS)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    still.set()
    reader.join()
    while not follower.page():
        continue
    assert len(done) == WRITERS, "a writer failed"
    return follower, sum(done)


@pytest.mark.parametrize("count", [6, pytest.param(40, marks=pytest.mark.slow)])
def test_p1_a_follower_of_sixteen_writers_loses_no_row_and_sees_none_backwards(place: Place, count: int) -> None:
    with place.app() as app:
        follower, done = race(app, sites(place), count, seed=1)
        assert done > WRITERS * count * 0.7 and follower.pages > 10
        assert (follower.lost(), follower.inversions) == ([], [])
        assert decode(str(follower.cursor), KEY).since["global"][0] == follower.as_of


@contextmanager
def plain_sequence(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mutant: the clock is a sequence. Its numbers are taken in one order and committed in another."""
    with app.app_context(), db.engine.begin() as line:
        line.execute(text("CREATE SEQUENCE mutant_clock"))
        line.execute(text("SELECT setval('mutant_clock', (SELECT v FROM commit_clock))"))

    def tick(session: Session) -> int:
        if "clock" not in session.info:
            session.info["clock"] = session.execute(text("SELECT nextval('mutant_clock')")).scalar_one()
        return int(session.info["clock"])

    def clock(session: Session) -> int:
        return int(session.execute(text("SELECT last_value FROM mutant_clock")).scalar_one())

    monkeypatch.setattr("backend.ops.custody.tick", tick)
    monkeypatch.setattr("backend.sync.pull.clock", clock)
    monkeypatch.setattr("backend.journal.book.append", lambda *_: None)  # its head row would keep the order by chance
    yield


def test_p2_with_a_plain_sequence_for_a_clock_the_same_follower_loses_rows(
    place_of: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of("postgres")
    with place.app() as app, plain_sequence(app, monkeypatch):
        follower, _ = race(app, sites(place), 6, seed=1, hold_s=0.02)
        assert follower.lost() != []


def latency_s(app: Flask, actor: Actor, schools: list[str]) -> float:
    """From the commit of an op to the page that tells of it, the longest of ten."""
    follower, longest = Follower(app, actor), 0.0
    while not follower.page():
        continue
    for n in range(10):
        assert write(app, actor, 1, Random(f"latency{n}:3"), schools, 0.0) in (0, 1)
        with app.app_context(), snapshot() as session:
            at = pull.clock(session)
        started = time.monotonic()
        while follower.as_of < at and time.monotonic() - started < 5:
            follower.page()
        longest = max(longest, time.monotonic() - started)
    assert follower.lost() == []
    return longest


def test_p3_an_idle_write_transaction_elsewhere_does_not_hold_the_feed_up(place: Place) -> None:
    with place.app() as app:
        actor, schools = people(app, 1)[0], sites(place)
        with idle(place):
            assert latency_s(app, actor, schools) < 1.0


@contextmanager
def idle(place: Place) -> Iterator[Any]:
    """PostgreSQL: transactions that have written and then do nothing, in another database of the cluster and in this one.
    SQLite, which has one writer: somebody reads, and does not end."""
    if place.cluster is None:
        with place.app() as app, app.app_context(), db.engine.connect() as line:
            line.execute(text("SELECT count(*) FROM feed_rows")).scalar()
            yield
            line.rollback()
        return
    with place.cluster.connect("postgres") as other, place.cluster.connect(place.name) as here:
        for line in (other, here):
            line.execute("BEGIN")
            line.execute("CREATE TABLE idle_writer (n int)")
            line.execute("SELECT pg_current_xact_id()")
        yield
        for line in (other, here):
            line.execute("ROLLBACK")
