"""What every test may ask for: the demo city with its cast on both databases, loaded once a session and copied for each file.

Also held here: a test marked `answers(operation, status…)` must have seen these answers, so that the mark is no mere claim.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture import engine

from backend.app import create_app
from backend.cli import setup
from backend.config import Config
from backend.database import close_app
from tests import cast, contract, order, postgres
from tests.cast import World

# HUYUAN_SHRINK=0: tell what failed as it was, at once (so does `make mutants`)
PHASES = tuple(Phase) if os.environ.get("HUYUAN_SHRINK", "1") == "1" else (Phase.explicit, Phase.generate)
# No test is judged by the clock of a busy machine.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True, phases=PHASES)
settings.load_profile("suite")

# A run that fails must say so within the time that a run may take: the example found so far is told when this is over.
# (Hypothesis has no setting for it; its own limit is five minutes for each test.)
SHRINK_S = 40
engine.MAX_SHRINKING_SECONDS = SHRINK_S

DATABASES = ("sqlite", "postgres")
TEMPLATE = "huyuan"


class Prepared:
    """The loaded city on each database, made when it is first asked for."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack, self._count = folder, stack, 0
        self._cluster: postgres.Cluster | None = None

    def copy(self, database: str) -> tuple[Config, str | None]:
        """Settings of a server with a database of its own, and the name by which `drop` knows it."""
        self._count += 1
        folder = self._folder / f"{database}-{self._count}"
        folder.mkdir()
        if database == "sqlite":
            shutil.copyfile(self._sqlite(), folder / "huyuan.db")
            return _config(folder, f"sqlite:///{folder / 'huyuan.db'}"), None
        name = f"copy{self._count}"
        return _config(folder, self._postgres().database(name, TEMPLATE)), name

    @property
    def cluster(self) -> postgres.Cluster:
        """The cluster that holds the copies on PostgreSQL."""
        return self._postgres()

    def drop(self, name: str | None) -> None:
        """Give a copy's room back."""
        if name is not None:
            self._postgres().drop(name)

    def _sqlite(self) -> Path:
        whole = self._folder / "city" / "huyuan.db"
        if not whole.exists():
            whole.parent.mkdir()
            _load(_config(whole.parent, f"sqlite:///{whole}"))
        return whole

    def _postgres(self) -> postgres.Cluster:
        if self._cluster is None:
            self._cluster = self._stack.enter_context(postgres.cluster())
            _load(_config(self._folder, self._cluster.url))
        return self._cluster


def _config(folder: Path, url: str) -> Config:
    return Config(
        data=folder, database_url=url, secret_key="for-tests-only", worker="off", log_level="CRITICAL"
    )


def _load(config: Config) -> None:
    setup.migrate(config)
    app = create_app(config)
    with app.app_context():
        cast.arrive()
    close_app(
        app
    )  # the last connection folds the write-ahead log back, so that the file alone is the database


def pytest_configure(config: pytest.Config) -> None:
    """xdist would give out the files with the most tests first; the longest of all have two or three."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After pytest-randomly has shuffled."""
    items[:] = order.longest_first(items)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """The city, loaded once on each database that is asked for."""
    with ExitStack() as stack:
        yield Prepared(tmp_path_factory.mktemp("prepared"), stack)


@pytest.fixture(scope="module", params=DATABASES)
def world(request: pytest.FixtureRequest, prepared: Prepared) -> Iterator[World]:
    """An app over a fresh copy of the city, on SQLite and then on PostgreSQL; shared by the tests of one file."""
    config, name = prepared.copy(request.param)
    app = create_app(replace(config, min_free_bytes=0))
    app.test_client_class = contract.Client
    yield World(app, request.param)
    close_app(app)
    prepared.drop(name)


@pytest.fixture(autouse=True)
def _keeps_its_promise(request: pytest.FixtureRequest) -> Iterator[None]:
    """`@pytest.mark.answers("sync.push", 200, 413)`: the test must have had these answers."""
    begun = len(contract.SEEN)
    yield
    promised = {
        (mark.args[0], status) for mark in request.node.iter_markers("answers") for status in mark.args[1:]
    }
    missing = promised - set(contract.SEEN[begun:])
    assert not missing or _has_failed(request), f"marked as answered, and never seen: {sorted(missing)}"


def _has_failed(request: pytest.FixtureRequest) -> bool:
    return bool(getattr(request.node, "has_failed", False))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A test that failed need not be told that it saw too little besides."""
    report = yield
    if report.when == "call" and not report.passed:
        item.has_failed = True  # type: ignore[attr-defined]
    return report
