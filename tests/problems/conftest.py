"""The ground for these tests: a copy of the loaded city for each file, on SQLite or on both databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.problems.ground import Ground, opened


@contextmanager
def _copy(prepared: Any, database: str) -> Iterator[Ground]:
    config, name = prepared.copy(database)
    try:
        with opened(config) as made:
            yield made
    finally:
        prepared.drop(name)


@pytest.fixture(scope="module")
def ground(prepared: Any) -> Iterator[Ground]:
    """SQLite."""
    with _copy(prepared, "sqlite") as made:
        yield made


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def both(request: pytest.FixtureRequest, prepared: Any) -> Iterator[Ground]:
    """SQLite and then PostgreSQL."""
    with _copy(prepared, request.param) as made:
        yield made
