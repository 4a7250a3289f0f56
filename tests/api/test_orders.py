"""`order.…`, `year.close`, GET /v1/orders…: the year's four orders, replied to, and closed only after everything in them."""

from datetime import date
from typing import Any

import pytest

from backend.now import now_utc
from backend.rings.models import YearOrder
from backend.rings.rules import EVERY_YEAR
from backend.sweeps.models import Sweep
from tests import make
from tests.cast import CITY, SWEEP, A, B, World, told

LATER = "2099-12-31"


def do(world: World, login: str, verb: str, name: str, **args: Any) -> Any:
    return world.desk(login).post("/v1/ops", json={"verb": verb, "ent": {"t": verb.split(".")[0], "id": name}, "args": args})


def order(world: World, *to: Any, kind: str = "special", year: int = 2026, **more: Any) -> str:
    name = make.new_id()
    args = {"kind": kind, "year": year, "title": "护校安园（示例）", "content": "请按职责落实（示例）", "due_on": LATER}
    offices = [each if isinstance(each, dict) else {"area": each} for each in to]
    answer = do(world, "city", "order.issue", name, **{**args, "to": offices, **more})
    assert answer.status_code == 200, answer.text
    return name


def shown(world: World, name: str, login: str = "city") -> Any:
    answer = world.desk(login).get(f"/v1/orders/{name}")
    assert answer.status_code == 200, answer.text
    return answer.json


@pytest.mark.answers("rings.order", 200)
def test_an_order_closes_when_all_have_replied_and_its_handovers_and_sweeps_are_closed(world: World) -> None:
    sweep = {"id": "of-order", "title": "示例", "programmes": [], "opened_at": now_utc(), "state": "open", "ver": 1}
    world.change(Sweep.__table__.insert().values(**sweep))
    name = order(world, A, {"area": CITY, "department": "education"}, sweeps=["of-order"])
    problem = make.problem(world, world.any_phone("inspector_a"), world.site())
    slip = {"to": {"area": A}, "due_on": LATER, "problems": [problem.number], "part_of": {"t": "order", "id": name}}
    number = do(world, "city", "handover.issue", make.new_id(), **slip).json["result"]["number"]
    refused = do(world, "city", "order.close", name)
    assert (refused.status_code, refused.json["reason"]) == (409, "guard_failed")
    assert all(word in refused.json["detail"] for word in (A, "education", "of-order", number))
    assert {(each["ring"], each["name"]) for each in shown(world, name)["open"]} == {
        ("reply", A), ("reply", f"{CITY}/education"), ("sweep", "of-order"), ("handover", number),
    }  # fmt: skip
    for login in ("zhangdian", "education"):
        assert do(world, login, "order.reply", name, text="已部署（示例）").status_code == 200
    assert do(world, "zhangdian", "order.reply", name, text="补充（示例）").status_code == 200
    assert [len(a["replies"]) for a in shown(world, name)["addressees"]] == [2, 1]
    assert "education" not in do(world, "city", "order.close", name).json["detail"]
    assert do(world, "city", "handover.withdraw", number, note="示例").status_code == 200
    assert "of-order" in do(world, "city", "order.close", name).json["detail"]
    assert do(world, "city", "sweep.close", "of-order", coverage="示例").status_code == 200
    assert do(world, "city", "order.close", name, note="办结").status_code == 200
    assert shown(world, name)["open"] == [] and not shown(world, name)["order"]["is_open"]
    for verb, args in (("order.reply", {"text": "迟到（示例）"}), ("order.close", {}), ("order.take", {"sweeps": [SWEEP]})):
        assert do(world, "zhangdian" if verb == "order.reply" else "city", verb, name, **args).status_code == 409
    again = do(world, "city", "handover.issue", make.new_id(), **slip)
    assert (again.status_code, again.json["reason"]) == (409, "guard_failed"), "a closed order takes no new handover"


@pytest.mark.answers("rings.listed", 200)
def test_an_addressee_sees_its_orders_and_its_own_reply_and_nobody_elses(world: World) -> None:
    name = order(world, A, {"area": CITY, "department": "education"})
    do(world, "education", "order.reply", name, text="教育口已落实（示例）")
    seen = {login: {o["id"] for o in world.desk(login).get("/v1/orders?year=2026&state=open").json["orders"]} for login in
            ("city", "auditor", "zhangdian", "education", "zichuan", "nanding")}  # fmt: skip
    assert {login for login, orders in seen.items() if name in orders} == {"city", "auditor", "zhangdian", "education"}
    assert [a["department_id"] for a in shown(world, name, "zhangdian")["addressees"]] == [None]
    assert [a["department_id"] for a in shown(world, name, "education")["addressees"]] == ["education"]
    assert len(shown(world, name, "auditor")["addressees"]) == 2
    for login, status in (("zichuan", 404), ("city", 403)):
        assert do(world, login, "order.reply", name, text="冒名（示例）").status_code == status
    assert do(world, "zhangdian", "order.close", name).status_code == 403


def test_a_sweep_is_in_one_order_at_most_and_a_closed_one_in_none(world: World) -> None:
    first, second = order(world, A), order(world, B)
    assert do(world, "city", "order.take", first, sweeps=[SWEEP]).status_code == 200
    assert do(world, "city", "order.take", first, sweeps=[SWEEP]).status_code == 200, "twice is once"
    assert do(world, "city", "order.take", second, sweeps=[SWEEP]).status_code == 409
    assert do(world, "city", "order.take", second, sweeps=["nobody"]).status_code == 409
    assert SWEEP in do(world, "city", "order.close", first).json["detail"] and "任务" in do(world, "city", "order.close", first).json["detail"]


def test_a_year_closes_when_its_ordinary_orders_were_given_and_every_order_is_closed(world: World) -> None:
    for kind in EVERY_YEAR:
        assert (refused := do(world, "city", "year.close", "2031")).status_code == 409, refused.text
        listed = world.desk("city").get("/v1/orders?year=2031").json
        assert kind in listed["missing"]
        order(world, A, kind=kind, year=2031)
    listed = world.desk("city").get("/v1/orders?year=2031&state=all").json
    assert listed["missing"] == [] and listed["closed_at"] is None and [o["kind"] for o in listed["orders"]] == list(EVERY_YEAR)
    refused = do(world, "city", "year.close", "2031")
    assert refused.status_code == 409 and all(o["number"] in refused.json["detail"] for o in listed["orders"])
    for one in listed["orders"]:
        do(world, "zhangdian", "order.reply", one["id"], text="完成（示例）")
        assert do(world, "city", "order.close", one["id"]).status_code == 200
    assert do(world, "city", "year.close", "2031", note="全年完成").status_code == 200
    assert do(world, "city", "year.close", "2031").status_code == 409
    assert world.desk("city").get("/v1/orders?year=2031").json["closed_at"]
    late = {"kind": "special", "year": 2031, "title": "迟", "content": "迟", "due_on": LATER, "to": [{"area": A}]}
    assert do(world, "city", "order.issue", make.new_id(), **late).status_code == 409
    assert do(world, "city", "year.close", "20x1").status_code == 422


def test_an_order_is_on_the_list_of_whoever_replies_and_then_of_who_closes(world: World) -> None:
    name = order(world, A)
    world.change(YearOrder.__table__.update().where(YearOrder.id == name).values(due_on=date(2026, 1, 1)))

    def acts(login: str) -> list[tuple[str, str]]:
        rows = world.desk(login).get("/v1/mine").json["acts"]["rows"]
        return [(row["what"], row["urgency"]) for row in rows if row["id"] == name]

    assert (acts("zhangdian"), acts("city"), acts("zichuan")) == ([("reply", "overdue")], [], [])
    assert shown(world, name)["order"]["is_overdue"]
    do(world, "zhangdian", "order.reply", name, text="完成（示例）")
    assert (acts("zhangdian"), acts("city")) == ([], [("close", "overdue")])


@pytest.mark.answers("rings.listed", 403)
@pytest.mark.answers("rings.listed", 422)
@pytest.mark.answers("rings.order", 403)
@pytest.mark.answers("rings.order", 404)
def test_what_cannot_be_meant_and_what_is_not_theirs_is_refused(world: World) -> None:
    desk, phone = world.desk("city"), world.any_phone("inspector_a")
    assert told(desk.get("/v1/orders?year=x")) == told(desk.get("/v1/orders?state=x")) == (422, "invalid")
    assert told(desk.get("/v1/orders/nobody")) == (404, "not_found")
    assert told(phone.ask("GET", "/v1/orders")) == told(phone.ask("GET", "/v1/orders/x")) == (403, "forbidden")
    base = {"kind": "special", "year": 2026, "title": "x", "content": "x", "due_on": LATER}
    for to in ([{"area": "999999"}], [{"area": A, "department": "nobody"}], [{"area": A}, {"area": A}]):
        assert do(world, "city", "order.issue", make.new_id(), **base, to=to).status_code == 422
    assert do(world, "zhangdian", "order.issue", make.new_id(), **base, to=[{"area": A}]).status_code == 403
    name = order(world, A)
    assert do(world, "city", "order.issue", name, **base, to=[{"area": A}]).status_code == 409
