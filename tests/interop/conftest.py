"""One prepared city and one real server for the stock clients; it may be killed and started again under its port."""

from collections.abc import Iterator

import pytest

from tests.faults.audit import words_of
from tests.faults.phones import Pusher
from tests.faults.rig import Place, Server, prepare, serving


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Server, str]]:
    """(place, server, token of an enrolled phone)."""
    folder = tmp_path_factory.mktemp("interop") / "place"
    url = f"sqlite:///{folder / 'huyuan.db'}"
    prepare(folder, url)
    place = Place(folder, url)
    with serving(place) as server:
        yield place, server, Pusher.enrol(place, server).token
        assert words_of(server) == []
