"""Webhooks: subscribed by an op, a secret shown once, signed messages within their owner's scope, faults, dead letters, the end."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import orjson
import pytest
from sqlalchemy import delete, update

from backend.config import Webhooks
from backend.notices import fanout, outbox, webhooks
from backend.notices.models import Notice, NoticeFact, Outgoing, Webhook
from backend.now import now_utc
from backend.ops import endings
from backend.problems.models import Problem
from tests import make
from tests.cast import CAST, B, World, told
from tests.notices.receiver import Receiver, is_signed, receiver

EVENTS = ["problem.assigned", "problem.work_stopped"]


@pytest.fixture(scope="module", autouse=True)
def _loopback(world: World) -> None:
    config = world.app.extensions["config"]
    world.app.extensions["config"] = replace(config, webhooks=Webhooks((ip_network("127.0.0.0/8"),), 5))


@pytest.fixture(autouse=True)
def _nothing_is_left(world: World) -> None:
    world.change(delete(Outgoing), delete(NoticeFact), delete(Notice), delete(Webhook))


@pytest.fixture
def made() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def subscribe(world: World, login: str, url: str, events: list[str] = EVENTS) -> str:
    name = f"w-{make.new_id()[-12:]}"
    op = {"verb": "webhook.subscribe", "ent": {"t": "webhook", "id": name}, "args": {"url": url, "events": events}}
    answer = world.desk(login).post("/v1/ops", json=op)
    assert answer.status_code == 200, answer.text
    return name


def take_secret(world: World, login: str, name: str) -> str:
    answer = world.desk(login).post(f"/v1/webhooks/{name}/secret", json={})
    assert answer.status_code == 200, answer.text
    return str(answer.json["secret"])


def work(world: World, later_s: float = 0.0) -> int:
    """Hand out and send all that is due by then; how many were sent or tried."""
    with world.app.app_context():
        now, tries = now_utc() + timedelta(seconds=later_s), 0
        fanout.deliver(now)
        while webhooks.send_one(now):
            tries += 1
        return tries


def states(world: World) -> list[str]:
    return sorted(row.state for row in world.look(Outgoing.__table__.select()))


@pytest.mark.answers("notices.webhook_list", 200)
@pytest.mark.answers("notices.webhook_secret", 200)
def test_a_subscriber_is_sent_signed_facts_and_no_more_than_they_say(world: World, made: Receiver) -> None:
    name = subscribe(world, "city", made.url)
    make.problem(world, world.any_phone("inspector_a"), world.site())
    assert work(world) == 0 and made.seen == [], "nobody has taken a secret yet"
    secret = take_secret(world, "city", name)
    problem = make.problem(world, world.any_phone("inspector_a"), world.site())
    assert work(world) == 1
    ((headers, body),) = made.seen
    assert is_signed(secret, headers, body) and not is_signed(secret, headers, body + b" ")
    said = orjson.loads(body)
    assert said["type"] == "problem.assigned" and said["data"]["number"] == problem.number
    assert set(said["data"]) == {"type", "id", "area", "problem", "url", "number", "grade", "state", "due_on"}
    assert problem.description not in body.decode()
    listed = world.desk("city").get("/v1/webhooks").json
    assert [(w["id"], w["has_secret"], w["failing_since"]) for w in listed["webhooks"]] == [(name, True, None)] and listed["dead"] == []
    assert world.desk("admin").get("/v1/webhooks").json["webhooks"] and work(world, 10**6) == 0


def test_the_secret_is_in_no_table_and_the_one_before_it_signs_for_a_day(world: World, made: Receiver) -> None:
    name = subscribe(world, "city", made.url)
    first, second = take_secret(world, "city", name), take_secret(world, "city", name)
    assert first != second
    for table in (Webhook, Outgoing, Notice):
        assert not any(first[6:20] in str(row) for row in world.look(table.__table__.select()))
    make.problem(world, world.any_phone("inspector_a"), world.site())
    assert work(world) == 1
    assert is_signed(first, *made.seen[0]) and is_signed(second, *made.seen[0])
    world.change(update(Webhook).values(rotated_at=now_utc() - timedelta(days=2)))
    make.problem(world, world.any_phone("inspector_a"), world.site())
    assert work(world) == 1
    assert not is_signed(first, *made.seen[1]) and is_signed(second, *made.seen[1])


@pytest.mark.parametrize("fault", [500, 404, "reset", "garbage", (302, "Location: /x\r\n")])
def test_a_fault_is_tried_again_under_the_same_id_until_it_is_taken(world: World, made: Receiver, fault: Any) -> None:
    secret = take_secret(world, "city", subscribe(world, "city", made.url))
    made.answers = [fault, fault, 204]
    make.problem(world, world.any_phone("inspector_a"), world.site())
    assert work(world) == 1 and work(world) == 0, "not before its time"
    assert world.look(Webhook.__table__.select())[0].failing_since is not None
    assert work(world, 100) == 1 and work(world, 1000) == 1 and work(world, 10**6) == 0
    assert states(world) == ["sent"] and world.look(Webhook.__table__.select())[0].failing_since is None
    assert len({headers["webhook-id"] for headers, _ in made.seen}) == 1 and len({body for _, body in made.seen}) == 1
    assert all(is_signed(secret, *each) for each in made.seen)


def test_a_receiver_that_asks_for_time_gets_it(world: World, made: Receiver) -> None:
    take_secret(world, "city", subscribe(world, "city", made.url))
    made.answers = [(503, "Retry-After: 900\r\n"), 200]
    make.problem(world, world.any_phone("inspector_a"), world.site())
    assert work(world) == 1 and work(world, 800) == 0 and work(world, 1000) == 1


@pytest.mark.answers("notices.redeliver", 200, 404)
def test_what_is_given_up_is_a_dead_letter_that_its_owner_sends_again(world: World, made: Receiver) -> None:
    take_secret(world, "city", subscribe(world, "city", made.url))
    made.answers = [500]
    make.problem(world, world.any_phone("inspector_a"), world.site())
    later, tries = 0.0, 0
    while states(world) != ["dead"]:
        later += 10**5
        tries += work(world, later)
        assert tries <= outbox.MAX_ATTEMPTS
    (dead,) = world.desk("city").get("/v1/webhooks").json["dead"]
    assert (dead["attempts"], dead["last_status"]) == (outbox.MAX_ATTEMPTS, 500) and tries == outbox.MAX_ATTEMPTS
    where = f"/v1/deliveries/{dead['id']}/redeliver"
    made.answers = [200]
    assert world.desk("city").post(where, json={}).json == {"redelivered": True}
    assert work(world) == 1 and states(world) == ["sent"]
    assert told(world.desk("city").post(where, json={})) == (404, "not_found"), "it is not dead any more"
    assert {headers["webhook-id"] for headers, _ in made.seen} == {dead["id"]}


def test_gone_is_gone(world: World, made: Receiver) -> None:
    take_secret(world, "city", subscribe(world, "city", made.url))
    made.answers = [410]
    make.problem(world, world.any_phone("inspector_a"), world.site())
    assert work(world) == 1 and states(world) == ["dead"]


def test_a_sender_that_was_killed_after_the_yes_sends_again_under_the_same_id(world: World, made: Receiver) -> None:
    take_secret(world, "city", subscribe(world, "city", made.url))
    make.problem(world, world.any_phone("inspector_a"), world.site())
    with world.app.app_context():
        fanout.deliver(now_utc())
        row = outbox.claim("webhook", now_utc())
        assert row is not None and outbox.claim("webhook", now_utc()) is None, "leased"
        webhooks._send(row, now_utc(), *webhooks.send_one.__defaults__)
    assert work(world) == 0 and work(world, 200) == 1
    assert len(made.seen) == 2 and len({headers["webhook-id"] for headers, _ in made.seen}) == 1


def test_what_its_owner_may_no_longer_see_is_not_sent(world: World, made: Receiver) -> None:
    """The subject lies elsewhere by now; the owner has lost their area; the owner is a city's, so everything else is theirs."""
    take_secret(world, "city", subscribe(world, "city", made.url))
    problem = make.problem(world, world.any_phone("inspector_a"), world.site())
    with world.app.app_context():
        fanout.deliver(now_utc())
    world.change(update(Problem).where(Problem.id == problem.id).values(area_path="999999"))
    assert work(world) == 1 and states(world) == ["withdrawn"] and made.seen == []


def test_a_webhook_that_fails_for_days_ends_and_its_owner_is_told(world: World, made: Receiver) -> None:
    name = subscribe(world, "city", made.url)
    take_secret(world, "city", name)
    made.answers = ["reset"]
    make.problem(world, world.any_phone("inspector_a"), world.site())
    work(world)
    with world.app.app_context():
        endings.end_failing_webhooks(now_utc() + timedelta(days=4))
        assert world.desk("city").get("/v1/webhooks").json["webhooks"][0]["ended_at"] is None
        for _ in range(2):
            endings.end_failing_webhooks(now_utc() + timedelta(days=6))
        fanout.deliver(now_utc())
    (ended,) = world.desk("city").get("/v1/webhooks").json["webhooks"]
    assert ended["ended_why"] == "failing" and states(world) == ["dead"]
    lines = [n for n in world.desk("city").get("/v1/inbox").json["notices"] if n["kind"] == "webhook.ended"]
    assert [n["count"] for n in lines] == [1]


@pytest.mark.answers("notices.webhook_list", 403)
@pytest.mark.answers("notices.webhook_secret", 403, 404, 422)
@pytest.mark.answers("notices.redeliver", 403, 404, 422)
def test_only_a_city_and_who_keeps_the_server_subscribe_and_each_their_own(world: World, made: Receiver) -> None:
    name = subscribe(world, "city", made.url)
    for login, person in CAST.items():
        if person.role in ("city", "admin"):
            continue
        desk = world.desk(login)
        op = {"verb": "webhook.subscribe", "ent": {"t": "webhook", "id": "w-x"}, "args": {"url": made.url, "events": EVENTS}}
        assert told(desk.post("/v1/ops", json=op)) == (403, "forbidden"), login
        assert told(desk.get("/v1/webhooks")) == told(desk.post(f"/v1/webhooks/{name}/secret", json={})) == (403, "forbidden")
        assert told(desk.post("/v1/deliveries/x/redeliver", json={})) == (403, "forbidden")
    assert told(world.desk("admin").post(f"/v1/webhooks/{name}/secret", json={})) == (404, "not_found"), "not theirs"
    assert told(world.desk("city").post("/v1/webhooks/nobody/secret", json={})) == (404, "not_found")
    assert told(world.desk("city").post(f"/v1/webhooks/{name}/secret", json={"a": 1})) == (422, "invalid")
    assert told(world.desk("city").post("/v1/deliveries/x/redeliver", json={"a": 1})) == (422, "invalid")
    assert told(world.desk("city").post("/v1/deliveries/x/redeliver", json={})) == (404, "not_found")
    end = {"verb": "webhook.end", "ent": {"t": "webhook", "id": name}, "args": {}}
    assert [world.desk(login).post("/v1/ops", json=end).json["status"] for login in ("admin", "city")] == ["applied", "noop"]
    assert told(world.desk("city").post(f"/v1/webhooks/{name}/secret", json={})) == (404, "not_found"), "over"


@pytest.mark.parametrize("url", ["http://example.com/", "https://user:pw@example.com/", "ftp://example.com/", "https://example.com/#x"])
def test_an_address_that_is_never_called_is_refused_at_once(world: World, url: str) -> None:
    world.app.extensions["config"] = replace(world.app.extensions["config"], webhooks=Webhooks())
    op = {"verb": "webhook.subscribe", "ent": {"t": "webhook", "id": "w-y"}, "args": {"url": url, "events": EVENTS}}
    answer = world.desk("city").post("/v1/ops", json=op)
    _loopback_again(world)
    assert told(answer) == (422, "invalid")


def _loopback_again(world: World) -> None:
    world.app.extensions["config"] = replace(world.app.extensions["config"], webhooks=Webhooks((ip_network("127.0.0.0/8"),), 5))


def test_a_message_to_an_address_inside_never_leaves(world: World, made: Receiver) -> None:
    take_secret(world, "city", subscribe(world, "city", made.url))
    make.problem(world, world.any_phone("inspector_b"), world.site(B))
    world.app.extensions["config"] = replace(world.app.extensions["config"], webhooks=Webhooks((ip_network("192.0.2.0/24"),), 5))
    tries = work(world)
    _loopback_again(world)
    assert tries == 1 and made.seen == [] and "inside" in world.look(Outgoing.__table__.select())[0].last_error
