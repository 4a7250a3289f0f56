"""The demo city for the tests of backups: a copy for each test, on both databases or on SQLite alone."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from backend.config import Config

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
