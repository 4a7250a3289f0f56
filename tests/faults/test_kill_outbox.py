"""Killed on the way of what is told: between marking and sending, between a receiver's yes and our note of it (F2, F17). Nothing is
lost; nothing is told twice but what is documented: a webhook comes again under the same id, a mail under the same Message-ID, an
inbox line never.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from backend.access.scope import SYSTEM
from backend.config import Mail, Webhooks
from backend.database import snapshot, transaction
from backend.notices import fanout, mail, outbox, webhooks
from backend.notices.facts import leave
from backend.notices.models import MailAddress, Notice, NoticeFact, Outgoing, Webhook
from backend.now import now_utc
from tests.faults.rig import Place
from tests.faults.test_kill_points import OUT, killed
from tests.notices.postbox import Postbox, postbox
from tests.notices.receiver import Receiver, receiver

FACTS = 3
LATER = timedelta(seconds=200)  # the lease has run out by then


class Way:
    """Where messages arrive, and the settings that lead there."""

    def __init__(self, hook: Receiver, box: Postbox) -> None:
        self.hook, self.box = hook, box
        self.more: dict[str, Any] = {
            "webhooks": Webhooks((ip_network("127.0.0.0/8"),), 5),
            "mail": Mail(sender="huyuan@example.test", host="127.0.0.1", port=box.port, tls="off", user="", password="", digest_hour=8),
        }

    def came(self) -> dict[str, Counter[str]]:
        """How often each message arrived, by its id."""
        hooks = Counter(headers["webhook-id"] for headers, _ in self.hook.seen)
        return {"webhook": hooks, "mail": Counter(str(m["Message-ID"]) for m in self.box.taken)}


@pytest.fixture
def way() -> Iterator[Way]:
    with ExitStack() as stack:
        yield Way(stack.enter_context(receiver()), stack.enter_context(postbox()))


def begin(place: Place, way: Way) -> None:
    """Three urgent facts wait; the city has a subscription and an address."""
    with place.app(**way.more), transaction() as session:
        person = next(p for p in fanout.sweeps.field_actors(session) if p.role == "city")
        session.add(Webhook(id="w1", owner_id=person.id, url=way.hook.url, events=["order.overdue"], generation=1, created_at=now_utc()))
        session.add(MailAddress(user_id=person.id, address="city@example.test"))
        for n in range(FACTS):
            leave(session, "order.overdue", ("order", f"o{n}"), SYSTEM.id, now_utc(), "370300", document=f"BSD-{n}")


def send_all(now: datetime) -> None:
    """Hand out and send whatever is due, as the server's threads do."""
    fanout.deliver(now)
    for send in (webhooks.send_one, mail.send_one):
        while send(now):
            continue


def work(app: Flask) -> None:
    send_all(now_utc())


@pytest.mark.slow  # fourteen starts of a server of its own: some twenty seconds
@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("point", OUT)
def test_after_a_kill_everything_is_told_once_and_what_went_out_comes_again_under_its_id(place: Place, way: Way, point: str, n: int) -> None:
    if point == "out.told" and n > 1:
        pytest.skip("all facts are one lot")
    begin(place, way)
    killed(place, f"{point}:{n}", work, **way.more)
    before = {name: sum(found.values()) for name, found in way.came().items()}
    with place.app(**way.more):
        send_all(now_utc() + LATER)
        send_all(now_utc() + 2 * LATER)
        with snapshot() as session:
            waiting = session.execute(select(func.count()).select_from(NoticeFact)).scalar_one()
            states = Counter(session.scalars(select(Outgoing.state)))
            lines = [(row.user_id, row.ent_id, row.count) for row in session.scalars(select(Notice).where(Notice.ent_type == "order"))]
    came = way.came()
    assert waiting == 0 and states == {"sent": 2 * FACTS}, "nothing is lost, nothing waits for ever"
    assert {count for *_, count in lines} == {1} and len(set(lines)) == len(lines), "an inbox line is told once"
    assert {name: len(found) for name, found in came.items()} == {"webhook": FACTS, "mail": FACTS}
    twice = sum(sum(found.values()) - len(found) for found in came.values())
    assert twice == (1 if point == "out.sent" else 0), "only what was sent and not noted, and that once more"
    assert before == {"webhook": 0, "mail": 0} or point != "out.told"


@pytest.mark.slow
def test_the_body_that_comes_again_is_the_same(place: Place, way: Way) -> None:
    begin(place, way)
    killed(place, "out.sent:1", work, **way.more)
    with place.app(**way.more):
        send_all(now_utc() + LATER)
    (name, _), *_ = Counter(headers["webhook-id"] for headers, _ in way.hook.seen).most_common(1)
    bodies = [body for headers, body in way.hook.seen if headers["webhook-id"] == name]
    assert len(bodies) == 2 and bodies[0] == bodies[1] and json.loads(bodies[0])["type"] == "order.overdue"
    assert outbox.LEASE < LATER
