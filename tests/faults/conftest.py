"""Prepared cities for the fault tests, one of each database and worker; every test gets its own copy."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.rig import Place, Template, prepare
from tests.postgres import Cluster, cluster

DATABASES = ("sqlite", "postgres")


# For long tests that look at nothing in which the databases differ: on PostgreSQL in `make test-full`.
POSTGRES_IN_FULL = pytest.mark.parametrize("place", ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)], indirect=True)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("prepared") / "sqlite"
    prepare(folder, f"sqlite:///{folder / 'huyuan.db'}")
    return Template(folder)


@pytest.fixture(scope="session")
def postgres_template(tmp_path_factory: pytest.TempPathFactory, postgres_cluster: Cluster) -> Template:
    folder = tmp_path_factory.mktemp("prepared") / "postgres"
    prepare(folder, postgres_cluster.url)
    return Template(folder, postgres_cluster)


@pytest.fixture
def place_of(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Place]]:
    """`place_of("sqlite")`: a fresh copy of the prepared city, gone after the test."""
    made: list[Place] = []

    def copy(database: str) -> Place:
        template: Template = request.getfixturevalue(f"{database}_template")
        made.append(template.copy(tmp_path / f"{database}{len(made)}"))
        return made[-1]

    yield copy
    for place in made:
        place.remove()


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, place_of: Callable[[str], Place]) -> Place:
    """A fresh copy of the prepared city, once on SQLite and once on PostgreSQL."""
    return place_of(request.param)
