"""Laws of a push that no single answer shows: I18 a retry is an op that comes then, I20 a replay changes nothing, I24 no client is too old."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.access.scope import SYSTEM
from backend.accounts import tokens
from backend.database import Base, snapshot, transaction
from backend.inspections.models import Inspection
from backend.now import now_utc
from backend.ops.apply import submit
from backend.problems.models import ProblemEvent, ProblemReport
from backend.sync import push as pushes
from backend.sync.models import DeviceContact, Replica
from backend.territory import queries as territory
from sync_protocol import replica as rules
from tests.api.test_custody import Field, app, phone, site_in, state  # noqa: F401 - fixtures

EXCEPT_WHEN_SEEN = {"last_seen_at", "outbox_len", "last_pull_clock", "pushed_at", "held_since"}


def whole_record() -> dict[str, list[Any]]:
    """Every row of every table, but for when a replica or a device was last heard of."""
    found = {}
    with snapshot() as session:
        for table in Base.metadata.sorted_tables:
            if table is DeviceContact.__table__:
                continue
            columns = [c for c in table.c if not (table is Replica.__table__ and c.name in EXCEPT_WHEN_SEEN)]
            found[table.name] = sorted(map(repr, session.execute(select(*columns)).all()))
    return found


def request_of(phone: Field, limit: int = 50) -> dict[str, Any]:  # noqa: F811
    return {"proto": 1, "epoch": phone.state["epoch"], "replica": phone.state["replica"], "ops": rules.wire(phone.state, limit)}


def test_i20_the_same_request_bytes_at_any_later_time_leave_the_record_as_it_is(app: Flask, phone: Field) -> None:  # noqa: F811
    phone.inspect(site_in("370303"))
    phone.act("problem.frobnicate", ("problem", "x"), {})
    phone.hazard(deps=[str(uuid.uuid4())])
    sent = json.dumps(request_of(phone))
    first = pushes.receive(json.loads(sent), phone.actor, now_utc(), app.extensions["config"])
    before = whole_record()
    for later in (timedelta(0), timedelta(seconds=1), timedelta(hours=1), timedelta(days=400)):
        again = pushes.receive(json.loads(sent), phone.actor, now_utc() + later, app.extensions["config"])
        assert [{**r, "dup": False} for r in again["results"]] == first["results"] and all(r["dup"] for r in again["results"])
    assert whole_record() == before


@pytest.mark.parametrize("hint", [1, 2, 2**53, None])
def test_i20_where_a_replica_is_thought_to_stand_decides_nothing(app: Flask, phone: Field, hint: int | None) -> None:  # noqa: F811
    """Another process may have taken its ops, or the database may be an older one."""
    phone.inspect(site_in("370303"))
    first = pushes.receive(request_of(phone), phone.actor, now_utc(), app.extensions["config"])
    sent, before = request_of(phone), whole_record()
    pushes.turns._reached.clear()
    if hint is not None:
        pushes.turns.reach(sent["replica"], hint)
    again = pushes.receive(sent, phone.actor, now_utc(), app.extensions["config"])
    assert [r["status"] for r in again["results"]] == [r["status"] for r in first["results"]] and all(r["dup"] for r in again["results"])
    assert whole_record() == before and again["next_seq"] == first["next_seq"]


def test_i18_an_op_that_is_tried_again_is_as_one_that_comes_then(app: Flask, phone: Field) -> None:  # noqa: F811
    with snapshot() as session:
        first, second = [s.id for s in territory.sites_of_kinds(session, SYSTEM, ("school",)) if s.district_id == "370305"][:2]
    late = phone.inspect(first)
    phone.push(app)
    assert state(late) == [("parked", "scope_lost")]
    submit("team.change", {"areas": ["370303", "370302", "370305"]}, SYSTEM, ent=("team", "t1"))
    phone.look()
    try:
        submit("op.retry", {}, SYSTEM, ent=("op", late))
        prompt = phone.inspect(second)
        phone.push(app)
        assert state(late, prompt) == [("applied", None)] * 2
        assert effect_of(late) == effect_of(prompt) and effect_of(late)[0] == [phone.actor.id]
    finally:
        submit("team.change", {"areas": ["370303", "370302"]}, SYSTEM, ent=("team", "t1"))


def effect_of(op: str) -> tuple[list[str], int, list[str]]:
    """Whose inspection, how many reports, in whose name the steps were taken."""
    with snapshot() as session:
        return (
            list(session.scalars(select(Inspection.inspector_id).where(Inspection.op_id == op))),
            len(session.scalars(select(ProblemReport.op_id).where(ProblemReport.op_id == op)).all()),
            sorted(set(session.scalars(select(ProblemEvent.actor_id).where(ProblemEvent.op_id == op)))),
        )


@pytest.mark.parametrize("proto", [1, 0, 7, None])
def test_i24_a_client_of_any_version_hands_over_its_whole_outbox(app: Flask, phone: Field, proto: int | None) -> None:  # noqa: F811
    ops = [phone.hazard() for _ in range(3)]
    with app.test_client() as client:
        token = enrolled(app, client)
        answer = client.post("/sync/v1/push", json={**request_of(phone), "proto": proto}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    assert state(*ops) == [("applied", None)] * 3


def enrolled(app: Flask, client: Any) -> str:  # noqa: F811
    """A token of the same person."""
    with transaction() as session:
        code = tokens.make_code(session, "u-ins1", now_utc())
    answer = client.post("/sync/v1/enrol", json={"code": code, "install_id": uuid.uuid4().hex})
    found: str = answer.json["token"]
    return found

