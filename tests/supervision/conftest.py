"""The ground for these tests: a copy of the loaded city for each file, on SQLite and then on PostgreSQL."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.problems.ground import Ground, opened
from tests.supervision.acts import TODAY, noon


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def both(request: pytest.FixtureRequest, prepared: Any) -> Iterator[Ground]:
    """SQLite and then PostgreSQL."""
    config, name = prepared.copy(request.param)
    try:
        with opened(config) as made:
            made.now = noon(TODAY)
            yield made
    finally:
        prepared.drop(name)


@pytest.fixture(scope="module")
def ground(prepared: Any) -> Iterator[Ground]:
    """SQLite alone."""
    config, name = prepared.copy("sqlite")
    try:
        with opened(config) as made:
            made.now = noon(TODAY)
            yield made
    finally:
        prepared.drop(name)
