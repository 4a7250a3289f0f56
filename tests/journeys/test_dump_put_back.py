"""A server that an administrator put back with PostgreSQL's own tools, past our `restore` (P4 of sync.md §4.3; P62, P63):
nothing that it acknowledged is lost. Real server, real phones, `pg_dump` and `pg_restore` of the test cluster."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.access.scope import SYSTEM
from backend.database import snapshot
from backend.feed.log import epochs as histories
from tests.faults.rig import Place
from tests.journeys.backstage import inspect, stage
from tests.journeys.test_back_in_time import logged, once, shot, verified, view


@pytest.mark.slow  # what follows a going back is played by test_back_in_time and test_standing at each run
@pytest.mark.parametrize("is_mirrored", [True, False])
def test_a_dump_that_is_put_back_begins_an_epoch_and_every_phone_gives_back_what_came_after_it(
    place_of: Callable[[str], Place], tmp_path: Path, is_mirrored: bool
) -> None:
    """P4: dumped while phones push. The server sees it by what it mirrored outside of the database (P63); where that is
    gone too (another machine), the first phone whose cursor is ahead proves it (P62)."""
    place = place_of("postgres")
    assert place.cluster is not None
    with stage(place, tmp_path / "stage") as running:
        one, two = running.phone(1), running.phone(2)
        early = inspect(one, 1, ["A101"], [shot(tmp_path, "early")])
        assert one.sync(tries=5)
        during = [inspect(two, 2, ["A201"] if n % 2 else []) for n in range(6)]
        pushing = threading.Thread(target=two.sync)
        pushing.start()
        dump = place.cluster.dump(place.name)
        pushing.join()

        running.later(hours=2)
        ops = [inspect(one, 1, ["A104"], [shot(tmp_path, "later")]), inspect(two, 2, ["A105"])]
        ops.append(one.record("inspection.frobnicate", ("inspection", "x"), {"note": "写下的话"}))
        assert all(phone.sync(tries=6) for phone in (one, two)) and all(phone.sync() for phone in (one, two))
        assert {early, *during, *ops} <= set(logged(place))
        shas = {sha for phone in (one, two) for (sha,) in phone.store._db.execute("SELECT sha256 FROM photos")}
        ledger, shown, statuses = running.ledger(), [view(phone) for phone in (one, two)], logged(place)
        running.server.kill()

        place.cluster.put_back(place.name, dump)
        assert early in logged(place) and not set(ops) & set(logged(place))
        if not is_mirrored:
            (place.folder / "epoch.json").unlink()
        running.start()
        assert all(phone.sync(tries=8) for phone in (one, two)) and all(phone.sync() for phone in (one, two))

        assert logged(place) == statuses and once(place), "each op is there, once, with the outcome it had"
        assert verified(place, shas)
        assert running.ledger() == ledger and [view(phone) for phone in (one, two)] == shown
        report = running.run("verify")
        assert report["ok"], report["broken"]
        with place.app(), snapshot() as session:
            assert [e.reason for e in histories(session, SYSTEM)] == ["new", "database_older" if is_mirrored else "cursor_ahead"]
