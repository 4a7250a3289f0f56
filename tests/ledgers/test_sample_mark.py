"""Names of sites say （示例） where the loaded city is a sample, and nowhere else: it is the city's data that says so."""

from typing import Any

from backend.access.scope import SYSTEM
from backend.cli.city import load_city
from backend.database import snapshot
from backend.documents import facts
from backend.ledgers.words import Words
from backend.ops.apply import submit
from backend.packs import shipped_city
from backend.sweeps import queries as sweeps
from backend.territory.city_files import read_city
from tests.cast import A_SITE, CAST, World


def named(world: World) -> tuple[str, str]:
    """A school as exports and lists name it, and as the office that issues a document."""
    with world.app.app_context(), snapshot() as session:
        safety_officer = sweeps.field_actor(session, CAST["kindergarten"].id)
        assert safety_officer is not None
        return Words(session, SYSTEM).sites[A_SITE], facts.office(session, safety_officer)


def loaded(world: World, body: dict[str, Any]) -> str:
    with world.app.app_context():
        return submit("city.load", body, SYSTEM, ent=("city", body["id"])).status


def test_a_real_city_switches_the_mark_off_by_its_own_data(world: World) -> None:
    city = read_city(shipped_city())
    assert city.sample and all(name.endswith("（示例）") for name in named(world))
    real = {**city.body(), "sample": False}
    assert [loaded(world, real), loaded(world, real)] == ["applied", "noop"]
    assert not any("示例" in name for name in named(world)) and all(named(world))
    with world.app.app_context():
        assert load_city(shipped_city())["status"] == "applied"
    assert all(name.endswith("（示例）") for name in named(world))
