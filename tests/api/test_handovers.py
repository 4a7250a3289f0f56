"""`handover.…` and GET /v1/handovers…: who gives what to whom, one problem in one open handover, closed only when all is settled."""

import threading
from datetime import date
from typing import Any

import pytest

from backend.handovers.models import Handover, HandoverItem
from backend.problems.models import Problem
from tests import make
from tests.cast import CITY, A, B, World, told

LATER = "2099-12-31"


def do(world: World, login: str, verb: str, name: str, **args: Any) -> Any:
    return world.desk(login).post("/v1/ops", json={"verb": f"handover.{verb}", "ent": {"t": "handover", "id": name}, "args": args})


def give(world: World, problems: list[Any], to: str = A, login: str = "city", name: str = "", **more: Any) -> tuple[str, Any]:
    """A handover's id, and the answer."""
    name = name or make.new_id()
    args = {"to": {"area": to}, "due_on": LATER, "problems": [p.number for p in problems], **more}
    return name, do(world, login, "issue", name, **args)


def given(world: World, problems: list[Any], **more: Any) -> str:
    name, answer = give(world, problems, **more)
    assert answer.status_code == 200, answer.text
    return name


def problems(world: World, count: int, district: str = A) -> list[Any]:
    phone = world.any_phone("inspector_a" if district == A else "inspector_b")
    return [make.problem(world, phone, world.site(district)) for _ in range(count)]


def ended(world: World, problem: Any) -> None:
    """As if it had been closed: what this room looks at is the problem's row."""
    world.change(Problem.__table__.update().where(Problem.id == problem.id).values(state="closed", is_open=False))


def shown(world: World, name: str, login: str = "city") -> Any:
    return world.desk(login).get(f"/v1/handovers/{name}").json


@pytest.mark.answers("handovers.handover", 200)
def test_a_handover_closes_only_when_each_problem_has_ended_or_its_reason_is_accepted(world: World) -> None:
    one, two, three = problems(world, 3)
    name = given(world, [one, two, three])
    early = do(world, "zhangdian", "reply", name, results=[{"problem": one.number, "result": "fixed"}])
    assert (early.status_code, early.json["reason"]) == (409, "guard_failed"), "who answers has signed"
    assert do(world, "zhangdian", "sign", name).json["result"]["state"] == "signed"
    results = [{"problem": one.number, "result": "fixed"}, {"problem": two.id, "result": "not_ours", "note": "属市管道路（示例）"}]
    assert do(world, "zhangdian", "reply", name, results=results).status_code == 200
    refused = do(world, "city", "close", name)
    assert refused.status_code == 409 and all(p.number in refused.json["detail"] for p in (one, two, three))
    ended(world, one)
    assert do(world, "city", "judge", name, problems=[two.number], accepted=True).status_code == 200
    refused = do(world, "city", "close", name)
    assert three.number in refused.json["detail"] and one.number not in refused.json["detail"]
    ended(world, three)
    assert do(world, "city", "close", name, note="全部办结").json["result"]["state"] == "closed"
    made = shown(world, name)
    assert (made["handover"]["problems"], made["handover"]["settled"]) == (3, 3)
    assert [item["state"] for item in made["problems"]] == ["answered", "accepted", "waiting"]


def test_a_reason_that_is_not_accepted_keeps_it_open_and_may_be_given_anew(world: World) -> None:
    (one,) = problems(world, 1)
    name = given(world, [one])
    do(world, "zhangdian", "sign", name)
    assert do(world, "zhangdian", "reply", name, results=[{"problem": one.number, "result": "cannot"}]).status_code == 422
    for note, is_accepted in (("没钱（示例）", False), ("已列入明年计划（示例）", True)):
        do(world, "zhangdian", "reply", name, results=[{"problem": one.number, "result": "cannot", "note": note}])
        assert do(world, "city", "judge", name, problems=[one.number], accepted=is_accepted, note="见说明").status_code == 200
        assert do(world, "city", "close", name).status_code == (200 if is_accepted else 409)
    assert do(world, "city", "judge", name, problems=[one.number], accepted=True).status_code == 409


def test_not_accepting_a_reason_says_why_and_a_fix_that_is_claimed_is_no_reason(world: World) -> None:
    one, two = problems(world, 2)
    name = given(world, [one, two])
    do(world, "zhangdian", "sign", name)
    results = [{"problem": one.number, "result": "cannot", "note": "停工（示例）"}, {"problem": two.number, "result": "fixed"}]
    do(world, "zhangdian", "reply", name, results=results)
    assert do(world, "city", "judge", name, problems=[one.number], accepted=False).status_code == 422
    assert do(world, "city", "judge", name, problems=[two.number], accepted=True).status_code == 409
    assert do(world, "city", "close", name).status_code == 409


def test_a_problem_is_in_one_open_handover_at_most(world: World) -> None:
    one, two = problems(world, 2)
    first = given(world, [one])
    _, answer = give(world, [one, two])
    assert answer.status_code == 409 and one.number in answer.json["detail"] and two.number not in answer.json["detail"]
    assert do(world, "city", "withdraw", first, note="发错单位（示例）").status_code == 200
    given(world, [one, two])


def test_two_who_give_the_same_problem_at_once_make_one_handover(world: World) -> None:
    (one,) = problems(world, 1)
    answers: list[int] = []
    desks = [world.desk("city"), world.desk("zhangdian")]

    def ask(n: int) -> None:
        args = {"to": {"area": A}, "due_on": LATER, "problems": [one.number]}
        op = {"verb": "handover.issue", "ent": {"t": "handover", "id": make.new_id()}, "args": args}
        answers.append(desks[n].post("/v1/ops", json=op).status_code)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409]
    assert len(world.look(HandoverItem.__table__.select().where(HandoverItem.open_key == one.id))) == 1


def test_a_merged_problem_is_settled_when_what_it_became_has_ended(world: World) -> None:
    one, into = problems(world, 2)
    name = given(world, [one])
    do(world, "zhangdian", "sign", name)
    merged = {"state": "merged", "is_open": False, "merged_into": into.id}
    world.change(Problem.__table__.update().where(Problem.id == one.id).values(**merged))
    assert do(world, "city", "close", name).status_code == 409
    ended(world, into)
    assert do(world, "city", "close", name).status_code == 200


def test_chosen_are_those_that_are_open_and_free_at_that_moment(world: World) -> None:
    mine = problems(world, 3, B)
    given(world, mine[:1], to=B)
    ended(world, mine[1])
    name = make.new_id()
    answer = do(world, "zichuan", "issue", name, to={"area": B}, due_on=LATER, chosen={"node": B, "grade": "general"})
    assert answer.status_code == 200
    numbers = {item["number"] for item in shown(world, name, "zichuan")["problems"]}
    assert mine[2].number in numbers and not {mine[0].number, mine[1].number} & numbers
    again = do(world, "zichuan", "issue", make.new_id(), to={"area": B}, due_on=LATER, chosen={"node": B, "grade": "general"})
    assert (again.status_code, again.json["reason"]) == (409, "guard_failed")
    none = do(world, "zichuan", "issue", make.new_id(), to={"area": B}, due_on=LATER, chosen={"node": A})
    assert none.status_code == 409, "another district's problems are not theirs to give"
    for more in ({"overdue": True}, {"department": "market", "category": "food", "programme": "campus-perimeter"}):
        asked = do(world, "city", "issue", make.new_id(), to={"area": CITY}, due_on=LATER, chosen={"node": CITY, **more})
        assert asked.status_code == 409, asked.text


@pytest.mark.parametrize(("args", "status"), [
    ({"due_on": "2020-01-01"}, 422), ({"to": {"area": "999999"}}, 422), ({"to": {"area": A, "department": "nobody"}}, 422),
    ({"chosen": {"node": A}}, 422), ({"problems": ["ZB-1999-000001"]}, 404), ({"to": {"area": B}}, 409), ({"to": {"area": A, "department": "market"}}, 200),
])  # fmt: skip
def test_what_cannot_be_given_is_refused_with_its_reason(world: World, args: dict[str, Any], status: int) -> None:
    (one,) = problems(world, 1)
    base = {"to": {"area": A}, "due_on": LATER, "problems": [one.number]}
    answer = do(world, "city", "issue", make.new_id(), **{**base, **args})
    assert answer.status_code == status, answer.text


def test_neither_a_list_nor_a_filter_and_a_node_nobody_knows_are_invalid(world: World) -> None:
    assert do(world, "city", "issue", make.new_id(), to={"area": A}, due_on=LATER).status_code == 422
    chosen = {"node": "999999"}
    assert do(world, "city", "issue", make.new_id(), to={"area": A}, due_on=LATER, chosen=chosen).status_code == 422


@pytest.mark.answers("handovers.handover", 404)
def test_only_the_receiver_signs_and_answers_and_only_the_issuer_judges_and_closes(world: World) -> None:
    (one,) = problems(world, 1)
    name = given(world, [one])
    for login in ("zichuan", "nanding", "education"):
        assert do(world, login, "sign", name).status_code == 404
        assert world.desk(login).get(f"/v1/handovers/{name}").status_code == 404
    assert do(world, "city", "sign", name).status_code == 403
    assert do(world, "auditor", "sign", name).status_code == 403
    assert do(world, "zhangdian", "sign", name).status_code == 200
    assert do(world, "zhangdian", "sign", name).status_code == 409
    assert do(world, "zhangdian", "withdraw", name, note="不想办").status_code == 403
    assert do(world, "zhangdian", "close", name).status_code == 403
    assert shown(world, name, "auditor")["handover"]["state"] == "signed"


def test_a_department_answers_what_is_given_to_it_in_any_district(world: World) -> None:
    (one,) = problems(world, 1)
    name = make.new_id()
    args = {"to": {"area": A, "department": "education"}, "due_on": LATER, "problems": [one.number]}
    assert do(world, "zhangdian", "issue", name, **args).status_code == 200
    assert do(world, "education", "sign", name).status_code == 200
    result = [{"problem": one.number, "result": "fixing"}]
    assert do(world, "zhangdian", "reply", name, results=result).status_code == 403
    assert do(world, "education", "reply", name, results=result).status_code == 200
    stranger = [{"problem": "ZB-1999-000001", "result": "fixing"}]
    assert do(world, "education", "reply", name, results=stranger).status_code == 409
    ended(world, one)
    assert do(world, "zhangdian", "close", name).status_code == 200


def test_a_handover_sent_again_is_one_handover_and_its_name_is_taken(world: World) -> None:
    one, two = problems(world, 2)
    name, args = make.new_id(), {"to": {"area": A}, "due_on": LATER, "problems": [one.number]}
    op = {"op": make.new_id(), "verb": "handover.issue", "ent": {"t": "handover", "id": name}, "args": args}
    first, again = (world.desk("city").post("/v1/ops", json=op).json for _ in range(2))
    assert first["result"] == again["result"]
    assert do(world, "city", "issue", name, to={"area": A}, due_on=LATER, problems=[two.number]).status_code == 409


@pytest.mark.answers("handovers.listed", 200)
def test_pages_hold_each_handover_once_and_say_which_is_late(world: World) -> None:
    for one in problems(world, 5):
        given(world, [one])
    desk, found, after = world.desk("zhangdian"), list[dict[str, Any]](), None
    while True:
        page = desk.get("/v1/handovers", query_string={"limit": 2, **({"after": after} if after else {})}).json
        found += page["handovers"]
        after = page["next"]
        if after is None:
            break
    assert len({h["id"] for h in found}) == len(found) >= 5 and not any(h["is_overdue"] for h in found)
    late = found[0]["id"]
    world.change(Handover.__table__.update().where(Handover.id == late).values(due_on=date(2026, 1, 2)))
    listed = desk.get("/v1/handovers?state=overdue").json["handovers"]
    assert [h["id"] for h in listed] == [late] and listed[0]["is_overdue"]
    assert {h["id"] for h in desk.get("/v1/handovers?state=all&limit=500").json["handovers"]} >= {h["id"] for h in found}


@pytest.mark.answers("handovers.listed", 422)
@pytest.mark.answers("handovers.listed", 403)
@pytest.mark.answers("handovers.handover", 403)
def test_a_query_that_cannot_be_meant_and_a_role_without_a_desk_are_refused(world: World) -> None:
    assert told(world.desk("city").get("/v1/handovers?state=lost")) == (422, "invalid")
    assert told(world.desk("city").get("/v1/handovers?after=x")) == (400, "bad_cursor")
    assert told(world.desk("kindergarten").get("/v1/handovers")) == (403, "forbidden")
    assert told(world.desk("kindergarten").get("/v1/handovers/x")) == (403, "forbidden")
