"""POST /sync/v1/push: custody. Whatever a person entered is there afterwards, word for word, or the phone is told that it is not."""

import gzip
import io
import json
from typing import Any

import pytest
from sqlalchemy import func, select, update

from backend import rows
from backend.accounts.models import User
from backend.inspections.models import Inspection
from backend.ops.models import LoggedOp, OpIncident
from backend.sync.models import Replica, UnreadablePush
from sync_protocol.identity import fingerprint
from tests import make
from tests.cast import CAST, World, told

TYPED = "门口积水，三处护栏松动（现场记录）"


def logged(world: World, body: str) -> Any:
    """Status and reason of the op with this very text."""
    (row,) = world.look(select(LoggedOp.status, LoggedOp.reason, LoggedOp.body).where(LoggedOp.fp == fingerprint(body)))
    assert row.body == body
    return row.status, row.reason


def report(world: World, **more: Any) -> str:
    return make.body("problem.report", ("finding", make.new_id()), make.report(world.site(), remark=TYPED), actor="u-inspector_a", **more)


def unreadable(world: World) -> list[bytes]:
    return [bytes(row.body) for row in world.look(select(UnreadablePush.body))]


@pytest.mark.answers("sync.push", 200)
def test_good_and_bad_ops_of_one_push_each_have_their_outcome_and_none_is_lost(world: World) -> None:
    phone = world.phone("inspector_a")
    bodies = {
        "applied": report(world),
        "unknown_type": make.body("inspection.frobnicate", ("inspection", make.new_id()), {"note": TYPED}, actor="u-inspector_a"),
        "invalid": make.body("inspection.submit", ("inspection", make.new_id()), {"answers": TYPED}, actor="u-inspector_a"),
        "no json": f"{{{TYPED}",
        "no op": json.dumps({"note": TYPED}, ensure_ascii=False),
        "schema_too_new": make.body("problem.report", ("finding", make.new_id()), make.report(None, remark=TYPED), v=99, actor="u-inspector_a"),
        "target_missing": make.body("problem.report", ("finding", make.new_id()), make.report("ZB-000000-0000", remark=TYPED), actor="u-inspector_a"),
        "forbidden": make.body("problem.assign", ("problem", "p-x"), make.assign(note=TYPED), actor="u-inspector_a"),
        "last": report(world),
    }  # fmt: skip
    results = dict(zip(bodies, phone.push(*bodies.values()), strict=True))
    assert [results[name]["status"] for name in ("applied", "last")] == ["applied", "applied"]
    parked = {name: result.get("reason") for name, result in results.items() if result["status"] == "parked"}
    assert parked == {"unknown_type": "unknown_type", "invalid": "invalid", "no json": "invalid", "no op": "invalid",
                      "schema_too_new": "schema_too_new", "target_missing": "target_missing", "forbidden": "forbidden"}  # fmt: skip
    for name, body in bodies.items():
        assert logged(world, body) == (results[name]["status"], results[name].get("reason"))


def test_an_empty_push_says_where_the_replica_stands(world: World) -> None:
    phone = world.phone("inspector_a")
    phone.push(report(world))
    answer = phone.post("/sync/v1/push", phone.frame()).json
    assert (answer["results"], answer["next_seq"], answer["head"]) == ([], 2, phone.head)


def test_a_push_sent_again_is_told_the_same_and_changes_nothing(world: World) -> None:
    phone = world.phone("inspector_a")
    push = phone.frame(report(world), report(world))
    first = phone.post("/sync/v1/push", push).json["results"]
    before = world.look(select(func.count()).select_from(LoggedOp))
    again = phone.post("/sync/v1/push", push).json["results"]
    assert [r | {"dup": True} for r in first] == again and [r["dup"] for r in first] == [False, False]
    assert world.look(select(func.count()).select_from(LoggedOp)) == before


def test_ops_that_another_replica_brought_first_are_told_again_without_a_turn_at_writing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other, bodies = world.phone("inspector_a"), world.phone("inspector_a"), [report(world), "no json at all", report(world)]
    first = one.push(*bodies)
    push = other.frame(bodies[2], bodies[0], report(world), bodies[1])
    told_first = other.post("/sync/v1/push", push).json["results"]
    assert [r["op"] for r in told_first if r["dup"]] == [first[2]["op"], first[0]["op"], first[1]["op"]]
    assert [r["status"] for r in told_first] == ["applied", "applied", "applied", "parked"]
    monkeypatch.setattr(rows, "run", None)
    assert other.post("/sync/v1/push", push).json["results"] == [r | {"dup": True} for r in told_first]


def test_the_id_of_an_op_with_another_content_is_put_aside_whole(world: World) -> None:
    phone, op = world.phone("inspector_a"), make.new_id()
    first, other = report(world, op=op), report(world, op=op, at={})
    assert [r["status"] for r in phone.push(first, other)] == ["applied", "incident"]
    assert logged(world, first) == ("applied", None)
    assert [row.body for row in world.look(select(OpIncident.body).where(OpIncident.op_id == op))] == [other]


def test_five_hundred_ops_are_refused_whole_with_the_limit(world: World) -> None:
    phone = world.phone("inspector_a")
    answer = phone.post("/sync/v1/push", phone.frame(*(json.dumps({"n": n}) for n in range(500))))
    assert told(answer) == (413, "too_large") and answer.json["limits"]["max_ops"] == 200
    assert world.look(select(Replica.next_seq).where(Replica.id == phone.replica)) == [(1,)]
    for half in (range(200), range(200, 400), range(400, 500)):
        assert len(phone.push(*(json.dumps({"n": n}) for n in half))) == len(half)
    assert world.look(select(func.count()).select_from(LoggedOp).where(LoggedOp.replica == phone.replica)) == [(500,)]


def test_an_op_larger_than_an_op_may_be_is_refused_with_the_limit(world: World) -> None:
    phone = world.phone("inspector_a")
    answer = phone.post("/sync/v1/push", phone.frame(json.dumps({"note": "x" * 70_000})))
    assert told(answer) == (413, "too_large") and answer.json["limits"]["max_op_bytes"] == 65_536


@pytest.mark.parametrize("spoil", [
    {"seq": 0}, {"seq": "1"}, {"seq": 2**53}, {"seq": True}, {"prev": "0" * 63}, {"prev": "G" * 64}, {"prev": None}, {"body": None}, {"body": {"op": 1}},
    {"body": "a\0b"}, {"more": 1},
])  # fmt: skip
def test_a_badly_framed_op_refuses_the_push_whole_and_the_bytes_are_kept(world: World, spoil: dict[str, Any]) -> None:
    phone, good = world.phone("inspector_a"), report(world)
    push = phone.frame(good, good.replace(TYPED, f"{TYPED}二"))
    push["ops"][1] |= spoil
    raw = json.dumps(push).encode()
    answer = phone.ask("POST", "/sync/v1/push", data=raw, content_type="application/json")
    assert told(answer) == (400, "bad_frame")
    assert world.look(select(func.count()).select_from(LoggedOp).where(LoggedOp.replica == phone.replica)) == [(0,)], "nothing of it is in custody"
    assert raw in unreadable(world)


@pytest.mark.parametrize("lacking", ["replica", "epoch", "ops"])
def test_a_push_without_its_members_is_refused_and_kept(world: World, lacking: str) -> None:
    phone = world.phone("inspector_a")
    raw = json.dumps({name: value for name, value in phone.frame(report(world)).items() if name != lacking}).encode()
    assert told(phone.ask("POST", "/sync/v1/push", data=raw)) == (400, "bad_frame")
    assert raw in unreadable(world)


def test_an_unreadable_push_is_kept_once_however_often_it_comes(world: World) -> None:
    phone = world.phone("inspector_a")
    raw = f'{{"ops": [{{"body": "{make.new_id()}'.encode()
    for _ in range(3):
        assert told(phone.ask("POST", "/sync/v1/push", data=raw)) == (400, "bad_frame")
    assert unreadable(world).count(raw) == 1


def test_a_push_that_the_line_cut_is_kept_as_far_as_it_came_and_may_be_sent_again(world: World) -> None:
    phone, body = world.phone("inspector_a"), report(world)
    whole = json.dumps(phone.frame(body)).encode()
    cut = phone.ask("POST", "/sync/v1/push", input_stream=io.BytesIO(whole[:-40]), environ_overrides={"CONTENT_LENGTH": str(len(whole))})
    assert told(cut) == (400, "bad_frame") and cut.json["retryable"]
    assert whole[:-40] in unreadable(world)
    assert phone.push(body)[0]["status"] == "applied"


def test_a_stranger_cannot_fill_the_disk_with_unreadable_pushes(world: World) -> None:
    raw = f"no push {make.new_id()}".encode()
    assert told(world.anonymous().post("/sync/v1/push", data=raw)) == (401, "unauthenticated")
    assert raw not in unreadable(world)


def test_neither_content_type_nor_a_query_stands_between_a_phone_and_custody(world: World) -> None:
    phone, body = world.phone("inspector_a"), report(world)
    raw = gzip.compress(json.dumps({**phone.frame(body), "colour": "green", "proto": 1}).encode())
    answer = phone.ask("POST", "/sync/v1/push?via=proxy", data=raw, headers={"Content-Type": "text/plain", "Content-Encoding": "gzip"})
    assert answer.status_code == 200 and logged(world, body) == ("applied", None)


@pytest.mark.parametrize("proto", [1, 0, -5, 99, "old", None])
def test_pushing_never_gets_too_old(world: World, proto: object) -> None:
    phone, body = world.phone("inspector_a"), report(world)
    assert phone.post("/sync/v1/push", phone.frame(body) | {"proto": proto}).status_code == 200
    assert logged(world, body) == ("applied", None)


@pytest.mark.parametrize("said", ["many", -1, 2**40, None, True])
def test_a_count_that_cannot_be_meant_costs_nobody_their_push(world: World, said: object) -> None:
    phone, body = world.phone("inspector_a"), report(world)
    assert phone.post("/sync/v1/push", phone.frame(body) | {"outbox_len": said}).status_code == 200
    assert world.look(select(Replica.outbox_len).where(Replica.id == phone.replica)) == [(0,)]


@pytest.mark.answers("sync.push", 409)
def test_another_history_is_told_by_name_and_takes_nothing(world: World) -> None:
    phone = world.phone("inspector_a")
    answer = phone.post("/sync/v1/push", phone.frame(report(world)) | {"epoch": "of a backup"})
    assert told(answer) == (409, "epoch_changed") and answer.json["epoch"] == phone.epoch


@pytest.mark.answers("sync.push", 409)
def test_a_log_that_does_not_go_on_where_it_stands_has_forked(world: World) -> None:
    phone = world.phone("inspector_a")
    phone.push(report(world))
    clone = phone.frame(report(world))
    phone.push(report(world))
    answer = phone.post("/sync/v1/push", clone)
    assert told(answer) == (409, "replica_forked")
    assert (answer.json["next_seq"], answer.json["head"]) == (3, phone.head)


@pytest.mark.answers("sync.push", 409)
def test_the_replica_of_somebody_else_is_no_replica(world: World) -> None:
    mine, theirs = world.phone("inspector_a"), world.phone("inspector_b")
    theirs.push(make.body("problem.report", ("finding", make.new_id()), make.report(world.site()), actor="u-inspector_b"))
    answer = mine.post("/sync/v1/push", mine.frame(report(world)) | {"replica": theirs.replica})
    nobody = mine.post("/sync/v1/push", mine.frame(report(world)) | {"replica": "r-nobody"})
    assert told(answer) == told(nobody) == (409, "replica_forked")
    assert answer.json["next_seq"] == nobody.json["next_seq"] == 1, "nothing is told of theirs"


@pytest.mark.answers("sync.push", 403)
def test_a_replica_that_was_stopped_takes_nothing_and_keeps_what_it_has(world: World) -> None:
    phone = world.phone("inspector_a")
    world.change(update(Replica).where(Replica.id == phone.replica).values(status="revoked"))
    assert told(phone.post("/sync/v1/push", phone.frame(report(world)))) == (403, "replica_revoked")


@pytest.mark.parametrize("login", sorted(CAST))
def test_whoever_has_a_phone_hands_over_what_it_holds_and_each_op_is_judged_by_itself(world: World, login: str) -> None:
    phone = world.phone(login)
    body = make.body("problem.report", ("finding", make.new_id()), make.report(world.site(), remark=TYPED), actor=CAST[login].id)
    status = phone.push(body)[0]["status"]
    assert status == ("applied" if CAST[login].role in ("inspector", "expert") else "parked")
    assert logged(world, body)[0] == status


def test_somebody_who_has_left_still_hands_over_what_the_phone_holds(world: World) -> None:
    phone, body = world.phone("expert"), make.body("problem.report", ("finding", make.new_id()), make.report(world.site()), actor="u-expert")
    world.change(update(User).where(User.id == "u-expert").values(is_active=False))
    try:
        assert phone.push(body)[0]["status"] in ("applied", "parked")
        logged(world, body)
    finally:
        world.change(update(User).where(User.id == "u-expert").values(is_active=True))


def test_nobody_speaks_in_the_name_of_another(world: World) -> None:
    phone, ent = world.phone("inspector_b"), make.new_id()
    body = make.body("inspection.submit", ("inspection", ent), make.inspection(world.site()), actor="u-inspector_a")
    assert phone.push(body)[0]["reason"] == "forbidden"
    assert world.look(select(Inspection.id).where(Inspection.id == ent)) == []
    (row,) = world.look(select(LoggedOp.actor_id, LoggedOp.custodian).where(LoggedOp.fp == fingerprint(body)))
    assert row.custodian == "u-inspector_b", "who really sent it is kept"
