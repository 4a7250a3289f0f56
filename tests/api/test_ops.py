"""POST /v1/ops: one op from a desk, applied at once or refused with a word; nothing is half done."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from backend.accounts.models import Holding, User
from backend.database import snapshot
from backend.journal import book
from backend.ops.models import LoggedOp, OpIncident
from backend.problems.models import Problem, ProblemEvent
from backend.sweeps.models import Task
from tests import make
from tests.cast import SWEEP, World, told


@pytest.fixture
def raised(world: World) -> Any:
    return make.problem(world, world.any_phone("inspector_a"), world.site())


def post(world: World, login: str, verb: str, ent: tuple[str, str], args: dict[str, Any], **more: Any) -> Any:
    return world.desk(login).post("/v1/ops", json={"verb": verb, "ent": {"t": ent[0], "id": ent[1]}, "args": args, **more})


@pytest.mark.answers("ops.apply_op", 200)
def test_a_supervisor_gives_a_problem_to_another_department(world: World, raised: Any) -> None:
    answer = post(world, "zhangdian", "problem.assign", ("problem", raised.number), make.assign("market", note="改派"))
    assert (answer.json["status"], answer.json["op"] != "") == ("applied", True)
    (now,) = world.look(select(Problem.department_id, Problem.ver).where(Problem.id == raised.id))
    assert now.department_id == "market" and now.ver > raised.ver
    (logged,) = world.look(select(LoggedOp.actor_id, LoggedOp.status, LoggedOp.clock).where(LoggedOp.op_id == answer.json["op"]))
    assert tuple(logged) == ("u-zhangdian", "applied", answer.json["clock"])


def test_what_was_applied_is_there(world: World) -> None:
    post(world, "admin", "user.add", ("user", "u-li"), make.user("li", role="district"))
    assert world.look(select(User.role).where(User.id == "u-li")) == [("district",)]
    post(world, "admin", "post.hold", ("post", "city"), {"person": "李某（示例）", "from_on": "2027-06-01"})
    assert (("李某（示例）",) in world.look(select(Holding.person).where(Holding.post_id == "city")))
    assert post(world, "admin", "user.change", ("user", "u-li"), {"name": "李某某（示例）"}).status_code == 200
    assert world.look(select(User.name).where(User.id == "u-li")) == [("李某某（示例）",)]
    assert "tasks" in post(world, "city", "sweep.open", ("sweep", "s-extra"), make.sweep("t-extra")).json["result"]
    task = f"{SWEEP}:ZB-370303-0003:campus-perimeter"
    post(world, "zhangdian", "task.excuse", ("task", task), {"note": "校舍停用"})
    assert world.look(select(Task.state, Task.note).where(Task.id == task)) == [("excused", "校舍停用")]


def test_the_same_op_sent_again_is_told_the_same_and_done_once(world: World, raised: Any) -> None:
    op, args = make.new_id(), make.assign("urban", note="一次")
    first, again = (post(world, "zhangdian", "problem.assign", ("problem", raised.id), args, op=op) for _ in range(2))
    assert first.status_code == again.status_code == 200 and first.json == again.json
    steps = select(func.count()).select_from(ProblemEvent).where(ProblemEvent.problem_id == raised.id, ProblemEvent.note == "一次")
    assert world.look(steps) == [(1,)]


def test_the_same_op_sent_many_times_at_once_is_done_once(world: World, raised: Any) -> None:
    op, args = make.new_id(), make.assign("urban", note="齐发")
    with ThreadPoolExecutor(6) as crowd:
        answers = list(crowd.map(lambda _: post(world, "zhangdian", "problem.assign", ("problem", raised.id), args, op=op), range(6)))
    assert {(a.status_code, a.json.get("clock")) for a in answers} == {(200, answers[0].json["clock"])}
    steps = select(func.count()).select_from(ProblemEvent).where(ProblemEvent.problem_id == raised.id, ProblemEvent.note == "齐发")
    assert world.look(steps) == [(1,)]


@pytest.mark.answers("ops.apply_op", 409)
def test_the_id_of_an_op_is_not_taken_for_another_content_nor_by_another_person(world: World, raised: Any) -> None:
    op = make.new_id()
    assert post(world, "zhangdian", "problem.assign", ("problem", raised.id), make.assign("urban"), op=op).status_code == 200
    assert told(post(world, "zhangdian", "problem.assign", ("problem", raised.id), make.assign("market"), op=op)) == (409, "op_id_reused")
    assert told(post(world, "city", "problem.assign", ("problem", raised.id), make.assign("urban"), op=op)) == (409, "op_id_reused")
    assert world.look(select(Problem.department_id).where(Problem.id == raised.id)) == [("urban",)]


@pytest.mark.answers("ops.apply_op", 409)
def test_what_the_present_state_does_not_allow_is_refused_and_changes_nothing(world: World, raised: Any) -> None:
    before = world.look(select(func.count()).select_from(LoggedOp))
    answer = post(world, "zhangdian", "problem.act", ("problem", raised.id), make.act("close"))
    assert told(answer) == (409, "refused") and answer.json["reason"] == "conflict", "P73: who does not say what they saw closes nothing"
    assert world.look(select(func.count()).select_from(LoggedOp)) == before, "nothing of a refused op is kept: its author is there"
    assert world.look(select(Problem.state, Problem.ver).where(Problem.id == raised.id)) == [(raised.state, raised.ver)]


@pytest.mark.answers("ops.apply_op", 403)
def test_what_a_role_may_not_is_forbidden(world: World, raised: Any) -> None:
    assert told(post(world, "auditor", "problem.assign", ("problem", raised.id), make.assign())) == (403, "forbidden")
    assert told(post(world, "city", "photo.receive", ("photo", "0" * 64), {"size": 1})) == (403, "forbidden")


@pytest.mark.answers("ops.apply_op", 404)
@pytest.mark.parametrize("name", ["p-nobody:A101", "ZB-1999-000001", "n" * 100])
def test_what_is_not_there_is_not_found(world: World, name: str) -> None:
    assert told(post(world, "zhangdian", "problem.assign", ("problem", name), make.assign())) == (404, "not_found")


@pytest.mark.answers("ops.apply_op", 404)
def test_what_lies_in_another_district_is_not_found_either(world: World, raised: Any) -> None:
    there = post(world, "zichuan", "problem.assign", ("problem", raised.id), make.assign())
    nowhere = post(world, "zichuan", "problem.assign", ("problem", "p-nobody:A101"), make.assign())
    assert told(there) == told(nowhere) and there.json["detail"] == nowhere.json["detail"], "the two cannot be told apart"


@pytest.mark.parametrize(("wrong", "pointer"), [
    ({"verb": 5}, "/verb"), ({"ent": {"t": "problem"}}, "/ent/id"), ({"ent": []}, "/ent/_schema"), ({"base": {"ver": "7"}}, "/base/ver"),
    ({"args": "no"}, "/args"), ({"op": "short"}, "/op"), ({"actor": "u-city"}, "/actor"), ({"args": {"department_id": 7}}, "/department_id"),
    ({"args": {"department_id": "market", "status": "closed"}}, "/status"), ({"verb": "problem.vanish"}, None),
])  # fmt: skip
@pytest.mark.answers("ops.apply_op", 422)
def test_what_is_wrong_in_it_is_named(world: World, raised: Any, wrong: dict[str, Any], pointer: str | None) -> None:
    good = {"verb": "problem.assign", "ent": {"t": "problem", "id": raised.id}, "args": make.assign()}
    answer = world.desk("zhangdian").post("/v1/ops", json=good | wrong)
    assert told(answer) == (422, "invalid")
    assert pointer is None or pointer in str(answer.json), answer.text
    assert world.look(select(Problem.ver).where(Problem.id == raised.id)) == [(raised.ver,)]


@pytest.mark.answers("ops.apply_op", 415)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_of_another_site_cannot_speak_for_who_is_signed_in(world: World, raised: Any, kind: str) -> None:
    body = b'{"verb": "problem.assign", "ent": {"t": "problem", "id": "x"}, "args": {}}'
    assert told(world.desk("zhangdian").post("/v1/ops", data=body, content_type=kind)) == (415, "bad_encoding")


def test_nobody_adds_members_that_the_server_owns(world: World, raised: Any) -> None:
    owned = {"state": "closed", "area_path": "370300", "is_open": False, "due_on": "2030-01-01", "number": "X", "created_by": "u-city"}
    for name, value in owned.items():
        for verb, args in (("problem.assign", make.assign()), ("problem.act", make.act("accept"))):
            answer = post(world, "zhangdian", verb, ("problem", raised.id), {**args, name: value})
            assert told(answer) == (422, "invalid"), name
    assert world.look(select(Problem.ver).where(Problem.id == raised.id)) == [(raised.ver,)]


def test_a_phone_speaks_at_the_desk_too(world: World) -> None:
    phone, ent = world.any_phone("inspector_a"), make.new_id()
    op = {"verb": "problem.report", "ent": {"t": "finding", "id": ent}, "args": make.report(world.site())}
    assert phone.post("/v1/ops", op).status_code == 200
    assert world.look(select(Problem.team_id).where(Problem.id == f"p-{ent}:{make.ITEM}")) == [(None,)]


def test_the_journal_is_whole_after_all_this_and_nothing_was_put_aside(world: World) -> None:
    with world.app.app_context(), snapshot() as session:
        assert list(book.verify(session)) == []
    assert world.look(select(func.count()).select_from(OpIncident)) == [(0,)], "a desk is told at once; nothing is put aside"
