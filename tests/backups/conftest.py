"""The demo city for the tests of backups: a copy for each test, on both databases or on SQLite alone; and a filled record
to be broken."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from backend.config import Config
from tests.backups.grounds import fill, opened

if TYPE_CHECKING:
    from tests.conftest import Prepared

DATABASES = ("sqlite", "postgres")


@pytest.fixture(params=DATABASES)
def ground(request: pytest.FixtureRequest, prepared: "Prepared") -> Iterator[Config]:
    """Settings of a server with the city, which a test may break; once on each database."""
    config, name = prepared.copy(request.param)
    yield config
    prepared.drop(name)


@pytest.fixture
def sqlite(prepared: "Prepared") -> Config:
    """The same on SQLite alone."""
    return prepared.copy("sqlite")[0]


@pytest.fixture
def postgres(prepared: "Prepared") -> Iterator[Config]:
    """The same on PostgreSQL alone."""
    config, name = prepared.copy("postgres")
    yield config
    prepared.drop(name)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def full(request: pytest.FixtureRequest, prepared: "Prepared") -> Iterator[tuple[Config, str | None, str]]:
    """A filled record that nobody breaks."""
    config, name = prepared.copy(request.param)
    with opened(config) as app:
        sha = fill(app)
    yield config, name, sha
    prepared.drop(name)


@pytest.fixture
def filled(
    full: tuple[Config, str | None, str], prepared: "Prepared", tmp_path: Path
) -> Iterator[tuple[Config, Flask, str]]:
    """A copy of the filled record that a test may break: (settings, app, hash of its photo)."""
    whole, name, sha = full
    shutil.copytree(whole.data, tmp_path / "data")
    copied = None
    url = f"sqlite:///{tmp_path / 'data' / 'huyuan.db'}"
    if name is not None:
        copied = f"{name}_{tmp_path.name}"[:60].lower()
        url = prepared.cluster.database(copied, name)
    config = replace(whole, data=tmp_path / "data", database_url=url)
    with opened(config) as app:
        yield config, app, sha
    prepared.drop(copied)
