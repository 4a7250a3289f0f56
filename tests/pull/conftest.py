"""Small servers on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.pull.ground import Ground, config, ground


@pytest.fixture(scope="session")
def pull_cluster() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as made:
        yield made


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A small server of its own for one file, on SQLite and then on PostgreSQL."""
    folder, url = tmp_path_factory.mktemp("town"), None
    if request.param == "postgres":
        url = request.getfixturevalue("pull_cluster").database(f"town{abs(hash(str(folder))) % 10**9}")
    with ground(config(folder, url)) as made:
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where a phone keeps what it has."""
    return tmp_path / "phone"
