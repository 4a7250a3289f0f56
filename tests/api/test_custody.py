"""Custody, on both databases: ops wait for others, stand or fall together, are repaired by people and tried again by the server."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

import sync_protocol
from backend.access.scope import SYSTEM, Actor
from backend.accounts import queries as accounts
from backend.database import snapshot
from backend.errors import Problem
from backend.now import now_utc
from backend.ops import jobs, queries, unpark
from backend.ops.apply import submit
from backend.ops.models import LoggedOp
from backend.ops.table import VERBS
from backend.ops.upcasts import upcast
from backend.ops.work import JOBS
from backend.problems.models import ProblemReport
from backend.sweeps import queries as sweeps
from backend.sync import push as pushes
from backend.territory import queries as territory
from sync_protocol import replica as rules
from tests.api.bare import Phone, config_of, opened, settle
from tests.postgres import server

VECTORS = Path(sync_protocol.__file__).parent / "vectors" / "upcasts.json"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("custody")
    if request.param == "sqlite":
        settle(config_of(folder))
        with opened(config_of(folder)) as made:
            yield made
    else:
        with server() as url:
            settle(config_of(folder, url))
            with opened(config_of(folder, url)) as made:
                yield made


@pytest.fixture
def phone() -> Phone:
    return Field(f"r-{uuid.uuid4().hex[:12]}")


class Field(Phone):
    """A phone that records with a base, deps or a txn, and learns outcomes from the op log."""

    def act(self, verb: str, ent: tuple[str, str], args: Any, v: int = 1, **more: Any) -> str:
        op = str(uuid.uuid4())
        body = {"op": op, "verb": verb, "v": v, "actor": self.actor.id, "ent": {"t": ent[0], "id": ent[1]}, "args": args,
                "at": {"wall": now_utc().isoformat()}, **more}  # fmt: skip
        rules.record(self.state, op, json.dumps(body, ensure_ascii=False), f"{ent[0]}:{ent[1]}")
        return op

    def hazard(self, **more: Any) -> str:
        args = {"item": "A213", "programme": "campus-perimeter", "template_version": 1, "site_id": None,
                "fix": {"lon": 118.05 + uuid.uuid4().int % 1000 / 1e4, "lat": 36.81, "accuracy_m": 5, "crs": "wgs84"}}  # fmt: skip
        return self.act("problem.report", ("finding", str(uuid.uuid4())), args, **more)

    def inspect(self, site: str, v: int = 1, template: int = 1, **more: Any) -> str:
        args = {"site_id": site, "programme": "campus-perimeter", "template_version": template, "answers": {"A101": "fail"}}
        return self.act("inspection.submit", ("inspection", str(uuid.uuid4())), args, v, **more)

    def look(self) -> None:
        """The person with the teams they have now."""
        with snapshot() as session:
            user = accounts.user_of_id(session, self.actor.id)
            assert user is not None
            self.actor = sweeps.with_teams(session, user, self.actor.device_id)


def site_in(district: str) -> str:
    with snapshot() as session:
        return next(s.id for s in territory.sites_of_kinds(session, SYSTEM, ("school",)) if s.district_id == district)


def work(app: Flask, later: timedelta = timedelta()) -> None:
    while jobs.run_one(JOBS, now_utc() + later):
        continue


def state(*ops: str) -> list[tuple[str, str | None]]:
    with snapshot() as session:
        rows = {r.op_id: (r.status, r.reason) for r in session.scalars(select(LoggedOp).where(LoggedOp.op_id.in_(ops)))}
        return [rows[op] for op in ops]


def effects(op: str) -> int:
    with snapshot() as session:
        return len(session.scalars(select(ProblemReport).where(ProblemReport.op_id == op)).all())


def body(op: str) -> str:
    with snapshot() as session:
        return session.scalars(select(LoggedOp.body).where(LoggedOp.op_id == op)).one()


def desk(login: str) -> Actor:
    with snapshot() as session:
        user = accounts.user_by_login(session, login)
        assert user is not None
        return accounts.actor_of(user)


def test_an_op_waits_for_the_one_it_follows_whichever_comes_first(app: Flask, phone: Field) -> None:
    other = Field(f"r-{uuid.uuid4().hex[:12]}")
    first = other.hazard()
    second = phone.hazard(deps=[first])
    third = phone.hazard(base={"after": second})
    free = phone.hazard()
    phone.push(app)
    assert state(second, third, free) == [("blocked", "dep_missing"), ("blocked", "dep_missing"), ("applied", None)]
    other.push(app)
    work(app)
    assert state(first, second, third) == [("applied", None)] * 3
    assert [effects(op) for op in (first, second, third, free)] == [1, 1, 1, 1]
    assert phone.push(app) == phone.push(app), "nothing is left to send"


def test_a_chain_behind_a_parked_op_is_freed_when_a_person_settles_it(app: Flask, phone: Field) -> None:
    parked = phone.act("problem.frobnicate", ("problem", "x"), {})
    after = phone.hazard(base={"after": parked})
    phone.push(app)
    assert state(parked, after) == [("parked", "unknown_type"), ("blocked", "dep_missing")]
    submit("op.discard", {"reason": "误操作"}, SYSTEM, ent=("op", parked))
    work(app)
    assert state(parked, after) == [("discarded", "unknown_type"), ("blocked", "dep_missing")], "what was discarded was not carried out"
    submit("op.edit", {"args": json.loads(body(after))["args"], "note": "不再等待"}, SYSTEM, ent=("op", after))
    assert state(after) == [("superseded", None)]


def test_an_op_whose_predecessor_never_comes_is_handed_to_a_person(app: Flask, phone: Field) -> None:
    lonely = phone.hazard(deps=[str(uuid.uuid4())])
    phone.push(app)
    assert unpark.give_up(now_utc() + timedelta(days=13)) == 0
    assert unpark.give_up(now_utc() + timedelta(days=15)) >= 1
    assert state(lonely) == [("parked", "dep_missing")]


def test_ops_of_one_txn_stand_or_fall_together(app: Flask, phone: Field) -> None:
    good = [phone.hazard(txn="t-good"), phone.hazard(txn="t-good")]
    bad = [phone.hazard(txn="t-bad"), phone.inspect(site_in("370303"), template=99, txn="t-bad"), phone.hazard(txn="t-bad")]
    alone = phone.hazard()
    phone.push(app)
    assert state(*good, alone) == [("applied", None)] * 3
    assert state(*bad) == [("parked", "txn_failed"), ("parked", "unknown_type"), ("parked", "txn_failed")]
    assert [effects(op) for op in (*good, *bad)] == [1, 1, 0, 0, 0]
    with pytest.raises(Problem, match="txn"):
        submit("op.edit", {"args": {}, "note": "x"}, SYSTEM, ent=("op", bad[1]))
    with pytest.raises(Problem, match="not installed"):
        submit("op.retry", {}, SYSTEM, ent=("op", bad[0]))
    assert state(*bad)[1] == ("parked", "unknown_type"), "a retry that fails leaves everything as it was"


def test_a_txn_may_follow_its_own_ops_and_is_never_parted(app: Flask, phone: Field) -> None:
    for _ in range(98):
        phone.hazard()
    first = phone.hazard(txn="t-own")
    rest = [phone.hazard(txn="t-own", base={"after": first}) for _ in range(3)]
    answer = phone.push(app)
    assert {r["status"] for r in answer["results"]} == {"applied"} and len({r["clock"] for r in answer["results"][98:]}) == 1
    assert state(first, *rest) == [("applied", None)] * 4


def test_an_op_in_a_district_that_was_never_granted_waits_for_the_grant(app: Flask, phone: Field) -> None:
    away = site_in("370304")
    op = phone.inspect(away)
    phone.push(app)
    assert state(op) == [("parked", "scope_lost")] and effects(op) == 0
    submit("team.change", {"areas": ["370303", "370302", "370304"]}, SYSTEM, ent=("team", "t1"))
    work(app)
    assert state(op) == [("applied", None)] and effects(op) == 1
    submit("team.change", {"areas": ["370303", "370302"]}, SYSTEM, ent=("team", "t1"))
    phone.look()
    late = phone.inspect(away)
    answer = phone.push(app)
    assert answer["results"][-1]["status"] == "applied" and answer["results"][-1]["flags"] == ["out_of_scope"]
    assert effects(late) == 1


def test_grace_ends_after_thirty_days_and_the_op_is_kept(app: Flask, phone: Field) -> None:
    submit("team.change", {"areas": ["370303", "370302", "370305"]}, SYSTEM, ent=("team", "t1"))
    submit("team.change", {"areas": ["370303", "370302"]}, SYSTEM, ent=("team", "t1"))
    phone.look()
    op = phone.inspect(site_in("370305"))
    request = {"epoch": phone.state["epoch"], "replica": phone.state["replica"], "ops": rules.wire(phone.state, 9)}
    pushes.receive(request, phone.actor, now_utc() + timedelta(days=31), app.extensions["config"])
    assert state(op) == [("parked", "scope_lost")]
    submit("op.redirect", {"site_id": site_in("370303")}, SYSTEM, ent=("op", op))
    assert state(op) == [("redirected", None)]


def test_a_person_who_has_left_hands_over_what_their_phone_holds(app: Flask, phone: Field) -> None:
    """L5."""
    op = phone.hazard()
    submit("user.change", {"is_active": False}, SYSTEM, ent=("user", phone.actor.id))
    phone.look()
    phone.push(app)
    assert state(op) == [("parked", "forbidden")] and "A213" in body(op)
    submit("user.change", {"is_active": True}, SYSTEM, ent=("user", phone.actor.id))
    work(app)
    assert state(op) == [("applied", None)] and effects(op) == 1
    phone.look()


def test_a_release_that_knows_the_verb_carries_out_what_waited_for_it(app: Flask, phone: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    """L3."""
    args = {"item": "A213", "programme": "campus-perimeter", "template_version": 1, "site_id": None, "fix": None}
    op = phone.act("hazard.shout", ("finding", str(uuid.uuid4())), args)
    newer = phone.act("problem.report", ("finding", str(uuid.uuid4())), {**args, "item": "A210"}, v=7)
    phone.push(app)
    assert state(op, newer) == [("parked", "unknown_type"), ("parked", "schema_too_new")]
    monkeypatch.setitem(VERBS, "hazard.shout", VERBS["problem.report"])  # type: ignore[arg-type]
    monkeypatch.setitem(VERBS, "problem.report", replace(VERBS["problem.report"], v=7))  # type: ignore[arg-type]
    unpark.look_again(now_utc())
    unpark.look_again(now_utc())
    assert state(op, newer) == [("applied", None)] * 2 and (effects(op), effects(newer)) == (1, 1)


def test_a_handler_with_a_fault_parks_the_op_and_a_release_without_it_carries_it_out(
    app: Flask, phone: Field, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as bug:
        bug.setitem(VERBS, "problem.report", replace(VERBS["problem.report"], handler=broken))  # type: ignore[arg-type]
        op = phone.hazard()
        phone.push(app)
    assert state(op) == [("parked", "handler_error")]
    unpark.look_again(now_utc())
    assert state(op) == [("applied", None)] and effects(op) == 1


def test_an_edit_is_the_editors_op_and_the_original_stays_word_for_word(app: Flask, phone: Field) -> None:
    op = phone.act("problem.report", ("finding", str(uuid.uuid4())), {"item": "Z9", "programme": "campus-perimeter", "template_version": 1,
                   "remark": "门口摊点占道", "fix": {"lon": 118.05, "lat": 36.81}})  # fmt: skip
    phone.push(app)
    before = body(op)
    assert state(op) == [("parked", "invalid")]
    supervisor = desk("zhangdian")
    right = json.loads(before)["args"] | {"item": "A213"}
    with pytest.raises(Problem, match="no such item"):
        submit("op.edit", {"args": {**right, "item": "Z8"}, "note": "x"}, SYSTEM, ent=("op", op))
    done = submit("op.edit", {"args": right, "note": "改正检查项"}, supervisor if phone.actor.areas[0].endswith("370303") else SYSTEM, ent=("op", op))
    assert state(op, done.op_id) == [("superseded", None), ("applied", None)]
    assert body(op) == before and "门口摊点占道" in before
    assert effects(op) == 0 and effects(done.op_id) == 1
    with pytest.raises(Problem, match="superseded already"):
        submit("op.retry", {}, SYSTEM, ent=("op", op))


def test_a_supervisor_repairs_only_what_lies_in_their_area(app: Flask, phone: Field) -> None:
    op = phone.inspect(site_in("370303"), template=98)
    phone.push(app)
    with snapshot() as session:
        assert op in {r.op_id for r in queries.held(session, desk("zhangdian"), "unknown_type", None, 500)}
        counts = {(c["status"], c["reason"]): c["count"] for c in queries.held_counts(session, desk("zhangdian"))}
    assert counts["parked", "unknown_type"] >= 1
    elsewhere = replace(desk("zhangdian"), areas=("370300/370305",))
    with pytest.raises(Problem) as refused:
        submit("op.discard", {"reason": "不归我管"}, elsewhere, ent=("op", op))
    assert refused.value.code == "not_found"
    with pytest.raises(Problem) as refused:
        submit("op.discard", {"reason": "自己删掉"}, phone.actor, ent=("op", op))
    assert refused.value.code == "forbidden"
    submit("op.discard", {"reason": "重复"}, desk("zhangdian"), ent=("op", op))
    assert state(op) == [("discarded", "unknown_type")]


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text(encoding="utf-8")), ids=lambda v: f"{v['verb']} v{v['v']}: {v['why']}")
def test_args_of_an_older_client_are_brought_to_the_newest_version(vector: dict[str, Any]) -> None:
    """L2."""
    assert upcast(vector["verb"], vector["v"], VERBS[vector["verb"]].v, vector["args"]) == vector["newest"]


def test_an_old_client_and_a_new_one_both_hand_in_what_was_fixed_on_the_spot(app: Flask, phone: Field) -> None:
    site, ent = site_in("370302"), ("inspection", str(uuid.uuid4()))
    args = {"site_id": site, "programme": "campus-perimeter", "template_version": 1, "answers": {"A103": "fail"}}
    old = phone.act("inspection.submit", ent, {**args, "on_the_spot": ["A103"]}, 1)
    new = phone.act("inspection.submit", ("inspection", str(uuid.uuid4())), {**args, "on_the_spot": {"A103": {"note": "已清理"}}}, 2)
    phone.push(app)
    assert state(old, new) == [("applied", None)] * 2
