"""The server goes back two hours, and nothing that it acknowledged is lost (D7, I1, I14, V10; F22). Real
servers, real phones, both databases."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from backend.access.scope import SYSTEM
from backend.cli.field_team import picture
from backend.database import snapshot
from backend.feed.log import epochs as histories
from backend.inspections.models import Inspection
from backend.ops.models import LoggedOp
from backend.photos import queries as photos
from sync_protocol.client.session import FieldClient
from sync_protocol.client.transport import Refused
from tests.faults.conftest import POSTGRES_IN_FULL
from tests.faults.rig import Place
from tests.journeys.backstage import inspect, report, stage


def shot(folder: Path, name: str, lon: float = 118.05, lat: float = 36.81) -> Path:
    """A photo that no other name gives, with its place in EXIF."""
    path = folder / f"{name}.jpg"
    path.write_bytes(picture(name, lon, lat))
    return path


def logged(place: Place) -> dict[str, str]:
    with place.app(), snapshot() as session:
        return dict(
            session.execute(
                select(LoggedOp.op_id, LoggedOp.status).where(LoggedOp.replica.is_not(None))
            ).all()
        )


def once(place: Place) -> bool:
    """Whether each applied checklist has one inspection."""
    with place.app(), snapshot() as session:
        rows = session.execute(select(Inspection.op_id, func.count()).group_by(Inspection.op_id)).all()
        return all(n == 1 for _, n in rows) and {op for op, _ in rows} <= set(logged(place))


def verified(place: Place, shas: set[str]) -> bool:
    with place.app(), snapshot() as session:
        here = photos.verified(session, SYSTEM, sorted(shas))
    return here == shas and all((place.folder / "photos" / sha[:2] / sha).is_file() for sha in shas)


def view(client: FieldClient) -> dict[str, object]:
    """What a phone shows of its districts and its teams."""
    state = client.store.state("base", "outbox")
    assert state["outbox"] == []
    return {key: row["data"] for key, row in state["base"].items() if not key.startswith("problem:")}


@pytest.fixture
def elsewhere(place: Place, place_of: Callable[[str], Place], tmp_path: Path) -> Place:
    """An empty place of the same kind."""
    if place.is_sqlite:
        return Place(tmp_path / "new", f"sqlite:///{tmp_path / 'new' / 'huyuan.db'}")
    name = f"{place.name}_new"
    return Place(tmp_path / "new", place.cluster.database(name), place.cluster, name)


@POSTGRES_IN_FULL
def test_two_hours_are_lost_and_every_phone_gives_them_back(
    place: Place, elsewhere: Place, tmp_path: Path
) -> None:
    """P4, I14, on both databases."""
    with stage(place, tmp_path / "stage") as running:
        one, two = running.phone(1), running.phone(2)
        inspect(one, 1, ["A101"], [shot(tmp_path, "early")])
        assert one.sync(tries=5) and two.sync(tries=5)
        made = running.run("backup", "--out", str(tmp_path / "backups"))
        assert made["noted"] and made["durable_clock"] == made["backup"]["clock"]
        assert one.sync() and one.store.state("acked")["acked"], "told durable: to be asked about"
        assert one.sync() and not one.store.state("acked")["acked"], "named again: let go"

        running.later(hours=2)
        late = running.phone(3)  # enrolled after the backup: the restored server will not know it
        ops = [
            inspect(one, 1, ["A104"], [shot(tmp_path, "later")]),
            inspect(two, 2),
            inspect(two, 2, ["A201", "A202"]),
        ]
        ops += [
            inspect(late, 3, ["A105"], [shot(tmp_path, "latest")]),
            report(two, 2, shot(tmp_path, "road")),
        ]
        ops += [one.record("inspection.frobnicate", ("inspection", "x"), {"note": "写下的话"})]
        everybody = (one, two, late)
        assert all(phone.sync(tries=6) for phone in everybody) and all(phone.sync() for phone in everybody)
        assert set(ops) <= set(logged(place))
        shas = {sha for phone in everybody for (sha,) in phone.store._db.execute("SELECT sha256 FROM photos")}
        ledger, shown, statuses = running.ledger(), [view(phone) for phone in everybody], logged(place)
        running.server.kill()

        put_back = running.restored(made["path"], elsewhere)
        assert put_back["ok"] and put_back["photos_squared"]["lost"] == 1, (
            "the backup held no photos: they are awaited"
        )
        running.move_to(elsewhere)
        running.start()
        assert set(logged(elsewhere)).isdisjoint(ops)
        with pytest.raises(Refused) as unknown:
            late.sync(tries=2)
        assert unknown.value.code == "unauthenticated"
        late.renew(elsewhere.code(3))
        assert all(phone.sync(tries=8) for phone in everybody) and all(phone.sync() for phone in everybody)

        assert logged(elsewhere) == statuses, "each op is there, once, with the outcome it had"
        assert once(elsewhere)
        assert verified(elsewhere, shas)
        assert running.ledger() == ledger
        assert [view(phone) for phone in everybody] == shown
        report_of = running.run("verify")
        assert report_of["ok"], report_of["broken"]
        with elsewhere.app(), snapshot() as session:
            assert [e.reason for e in histories(session, SYSTEM)] == ["new", "restored"]
