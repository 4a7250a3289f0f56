"""`python -m backend worker`: jobs in a process of their own beside a real server, on both databases."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select, update

from backend.app import create_app
from backend.cli.field_day import Server
from backend.database import close_app, transaction
from backend.now import now_utc
from backend.ops.jobs import MAX_ATTEMPTS, claim, enqueue
from backend.ops.models import Job
from backend.photos.models import Photo
from tests import contract, make
from tests.cast import World
from tests.conftest import DATABASES, Prepared
from tests.journeys.stage import until

_numbers = count(1)


@dataclass
class Place:
    """A database of its own, looked into by `world`; processes find it through the environment."""

    world: World
    environment: dict[str, str]

    def start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "backend", "worker"]
        said = Path(self.environment["HUYUAN_DATA"]) / f"worker-{next(_numbers)}.log"  # a pipe that nobody reads would end it
        with open(said, "w", encoding="utf-8") as log:
            made = subprocess.Popen(command, stderr=log, text=True, env={**os.environ, **self.environment})
        assert until(lambda: "ready" in said.read_text(encoding="utf-8"), 30)
        return made

    def drain(self) -> int:
        """Run what is due, and end."""
        command = [sys.executable, "-m", "backend", "worker", "--drain"]
        return subprocess.run(command, env={**os.environ, **self.environment}, check=False, timeout=60).returncode

    def is_held(self, *shas: str) -> bool:
        """Whether a worker has one of these photos in hand."""
        return any(job.lease_until and job.key in [f"photo.derive:{sha}" for sha in shas] for job in self.jobs())

    def jobs(self) -> list[Any]:
        return self.world.look(select(Job.key, Job.done_at, Job.lease_until, Job.attempts, Job.is_dead, Job.last_error).order_by(Job.id))

    def is_done(self, sha: str) -> bool:
        return any(job.key == f"photo.derive:{sha}" and job.done_at for job in self.jobs())


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, prepared: Prepared) -> Iterator[Place]:
    config, name = prepared.copy(request.param)
    app = create_app(config)
    app.test_client_class = contract.Client
    environment = {"HUYUAN_DATA": str(config.data), "HUYUAN_DATABASE_URL": config.database_url, "HUYUAN_SECRET_KEY": config.secret_key, "HUYUAN_WORKER": "off"}
    yield Place(World(app, request.param), environment)
    close_app(app)
    prepared.drop(name)


def ended(process: "subprocess.Popen[str]") -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(30)


def large() -> bytes:
    """A picture that takes a while to shrink, and like no other."""
    buffer = io.BytesIO()
    Image.effect_noise((4000, 3000), 64).save(buffer, "JPEG", quality=85)
    return buffer.getvalue() + os.urandom(16)  # behind the picture's end


def test_a_worker_beside_the_server_makes_what_the_server_does_not(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in place.environment.items():
        monkeypatch.setenv(key, value)
    server = Server()
    process = place.start()
    try:
        shas = [make.upload(place.world.phone("inspector_a"), make.picture(1600, 1200)) for _ in range(3)]
        assert server.ask("GET", "/readyz")[0] == 200
        assert until(lambda: all(place.is_done(sha) for sha in shas), 30)
        assert server.ask("GET", "/readyz")[0] == 200, "the gate is shared, not kept"
    finally:
        rc = ended(process)
        server.stop()
    assert rc == 0
    assert [row.derived_at is not None for row in place.world.look(select(Photo.derived_at).where(Photo.sha256.in_(shas)))] == [True] * 3


def test_sigterm_lets_the_job_in_hand_finish_and_takes_no_other(place: Place) -> None:
    phone = place.world.phone("inspector_a")
    first, second = make.upload(phone, large()), make.upload(phone, large())
    process = place.start()
    assert until(lambda: place.is_held(first, second), 30)
    begun = time.monotonic()
    assert ended(process) == 0 and time.monotonic() - begun < 20
    assert place.is_done(first) and not place.is_done(second)
    assert not place.is_held(first, second), "nobody is left waiting for a lease to run out"


def test_a_job_of_a_worker_that_was_killed_is_taken_up_by_the_next(place: Place) -> None:
    sha = make.upload(place.world.phone("inspector_a"), large())
    process = place.start()
    assert until(lambda: place.is_held(sha), 30)
    process.kill()
    process.wait()
    assert not place.is_done(sha)
    assert place.drain() == 0
    assert not place.is_done(sha), "its lease has not run out"
    place.world.change(update(Job).values(lease_until=now_utc() - timedelta(seconds=1)).where(Job.lease_until.is_not(None)))
    assert place.drain() == 0
    assert place.is_done(sha)


def test_a_job_that_takes_its_worker_down_each_time_is_dead_after_the_last_attempt(place: Place) -> None:
    at = now_utc()
    place.world.change(update(Job).values(done_at=at))
    with place.world.app.app_context():
        with transaction() as session:
            enqueue(session, "photo.derive", "photo.derive:poison", {"sha256": "x"}, at)
        for n in range(MAX_ATTEMPTS):
            taken = claim(at + timedelta(hours=n))
            assert taken is not None and taken.attempts == n + 1
        assert claim(at + timedelta(hours=MAX_ATTEMPTS)) is None
    (job,) = (job for job in place.jobs() if job.key == "photo.derive:poison")
    assert job.is_dead and "ended each time" in job.last_error
