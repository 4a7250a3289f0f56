"""GET /healthz, /readyz, /version: for who runs the server. (Without a database: test_outage.py.)"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from backend import __version__
from backend.feed.models import ServerMeta
from tests.cast import World, told


@pytest.fixture
def config_of(world: World) -> Iterator[Flask]:
    """The app, whose settings come back afterwards."""
    kept = world.app.extensions["config"]
    yield world.app
    world.app.extensions["config"] = kept
    world.app.extensions.pop("draining", None)


@pytest.mark.answers("health.healthz", 200)
@pytest.mark.answers("health.version", 200)
def test_it_lives_and_says_its_version(world: World) -> None:
    assert world.anonymous().get("/healthz").json == {"status": "ok"}
    assert world.anonymous().get("/version").json == {"version": __version__}


@pytest.mark.answers("health.readyz", 200)
def test_it_is_ready_with_the_history_that_it_has(world: World) -> None:
    answer = world.anonymous().get("/readyz").json
    assert world.look(select(ServerMeta.epoch)) == [(answer["epoch"],)] and answer["free_bytes"] > 0


@pytest.mark.answers("health.readyz", 503)
def test_it_is_not_ready_with_too_little_disk_or_while_it_stops(world: World, config_of: Flask) -> None:
    kept = config_of.extensions["config"]
    config_of.extensions["config"] = replace(kept, min_free_bytes=1 << 62)
    low = world.anonymous().get("/readyz")
    assert told(low) == (503, "not_ready") and low.json["detail"] == "storage_full"
    config_of.extensions["config"] = kept
    config_of.extensions["draining"] = True
    assert world.anonymous().get("/readyz").json["detail"] == "draining"
