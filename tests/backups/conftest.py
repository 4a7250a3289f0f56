"""Both databases for the tests of backups; a settled server is made once and copied."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.config import Config
from tests.backups.grounds import config_of, settle
from tests.postgres import server


@pytest.fixture(scope="session")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the demo city."""
    folder = tmp_path_factory.mktemp("settled")
    settle(config_of(folder))
    return folder


@pytest.fixture
def ground(settled: Path, tmp_path: Path) -> Config:
    """A copy of the settled server that a test may break."""
    shutil.copytree(settled, tmp_path / "data")
    return config_of(tmp_path / "data")


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with server() as url:
        yield url
