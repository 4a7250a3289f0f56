"""Five hundred phones at 17:30, and the server killed twice in the middle of it: all is in custody, once, and nobody
was kept waiting for the others (P84–P87, F13, issue of the storm)."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from sqlalchemy import func, select

from backend.access.scope import SYSTEM
from backend.database import snapshot
from backend.ops.models import LoggedOp
from backend.photos import queries as photos
from tests.faults.audit import faults_of, words_of
from tests.faults.conftest import POSTGRES_IN_FULL
from tests.faults.crowd import Phone, crowd, storm
from tests.faults.rig import Place, Server, serving

KILLS = (0.2, 0.55)  # shares of the ops in custody at which the server is killed
UNFAIR = 10.0
END_S = 600.0


@dataclass
class Outages:
    """Kills a server when so many ops are in custody, starts it again, and knows when nobody could be served."""

    server: Server
    phones: list[Phone]
    at_ops: list[int]
    spans: list[tuple[float, float]] = field(default_factory=list)

    async def run(self) -> None:
        """Until every kill is done."""
        for wanted in self.at_ops:
            while sum(len(phone.acks) for phone in self.phones) < wanted:
                await asyncio.sleep(0.005)
            begun = time.monotonic()
            await asyncio.to_thread(self.server.kill)
            await asyncio.to_thread(self.server.start)
            self.spans.append((begun, time.monotonic()))

    def off(self, until: float) -> float:
        """Seconds before `until` in which no server stood."""
        return sum(max(0.0, min(end, until) - begun) for begun, end in self.spans)


def weather(place: Place, count: int, ops: int, seed: int = 1) -> str:
    """`count` devices with `ops` each, two kills; everything is checked. Returns what was seen, in a sentence."""
    with serving(place) as server:
        phones = crowd(place, server.port, count, ops, seed)
        outages = Outages(server, phones, [int(share * count * ops) for share in KILLS])

        async def both() -> float:
            async with asyncio.timeout(END_S):
                return await storm(phones, outages.run)

        started = asyncio.run(both())
        took = time.monotonic() - started
        assert words_of(server) == []
    assert len(outages.spans) == len(KILLS)
    statuses = sum((phone.statuses for phone in phones), Counter[str]())
    assert all(int(status[:3]) < 500 or status == "503" for status in statuses), statuses
    for phone in phones:
        assert set(phone.acks) == set(phone.recorded) and len(phone.recorded) == ops
    check(place, phones)
    # A device's wait is from the beginning of the storm to the last of its ops in custody, refusals, pauses that it was
    # told to make and its own backoff included. Only the time in which no server stood is taken off: it is
    # everybody's, and would make long waits look alike.
    waits = [phone.waits["ops"] - outages.off(phone.over_at) for phone in phones]
    longest, middle = max(waits), statistics.median(waits)
    assert longest / middle < UNFAIR, (longest, middle)
    down = sum(end - begun for begun, end in outages.spans)
    seen = f"{count} × {ops} ops: {took:.1f} s of which {down:.1f} s down; waits: median {middle:.1f} s, longest {longest:.1f} s"
    return f"{seen} ({longest / middle:.1f}×); answers {dict(sorted(statuses.items()))}"


def check(place: Place, phones: list[Phone]) -> None:
    """Every op of every device once, with the outcome that was told; chains; photos whole."""
    acks = {op: told for phone in phones for op, told in phone.acks.items()}
    shas = {sha for phone in phones for sha in phone.photos}
    assert faults_of(place, acks, shas) == []
    with place.app(), snapshot() as session:
        mine = LoggedOp.replica.in_([phone.state["replica"] for phone in phones])
        found = session.execute(
            select(func.count(), func.count(LoggedOp.op_id.distinct())).where(
                mine, LoggedOp.verb == "inspection.submit"
            )
        ).one()
        assert tuple(found) == (len(acks), len(acks)), "every op once, and none that nobody recorded"
        statuses = set(session.scalars(select(LoggedOp.status).where(mine).distinct()))
        assert statuses == {"applied"}, statuses
        assert photos.verified(session, SYSTEM, sorted(shas)) == shas


@POSTGRES_IN_FULL
def test_f13_sixty_phones_at_once_and_two_kills_lose_nothing_and_starve_nobody(place: Place) -> None:
    print(weather(place, 60, 20))


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_f13_five_hundred_phones_at_half_past_five_and_two_kills(
    place_of: Callable[[str], Place], database: str
) -> None:
    print(weather(place_of(database), 500, 60))
