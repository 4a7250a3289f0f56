"""`sample.draw`, `sample.result` and GET /v1/samples…: drawn from a seed, judged by others, a danger never stays closed."""

from typing import Any

import pytest

from backend.now import now_utc
from backend.problems.models import Problem
from backend.sampling import rules
from backend.workdays import local_date
from tests import make
from tests.cast import CITY, A, B, World, told

SEED = "202611240815"


def do(world: World, login: str, verb: str, name: str, **args: Any) -> Any:
    return world.desk(login).post("/v1/ops", json={"verb": f"sample.{verb}", "ent": {"t": "sample", "id": name}, "args": args})


def closed(world: World, count: int, district: str = A) -> list[Any]:
    """Problems that stand closed: what this room looks at is their rows and histories."""
    phone = world.any_phone("inspector_a" if district == A else "inspector_b")
    made = [make.problem(world, phone, world.site(district)) for _ in range(count)]
    for one in made:
        world.change(Problem.__table__.update().where(Problem.id == one.id).values(state="closed", is_open=False, closed_at=now_utc()))
    return made


def drawn(world: World, node: str, percent: int = 100, seed: str = SEED) -> Any:
    today = local_date(now_utc())
    return do(world, "city", "draw", node, node=node, period=f"{today}/{today}", seed=seed, percent=percent)


def show(world: World, number: str, login: str = "city") -> Any:
    return world.desk(login).get(f"/v1/samples/{number}").json


@pytest.mark.answers("sampling.sample", 200)
@pytest.mark.answers("sampling.listed", 200)
def test_a_draw_is_published_reproduced_and_judged_by_somebody_else(world: World) -> None:
    mine, other = closed(world, 3), closed(world, 2, B)
    done = drawn(world, CITY)
    assert done.status_code == 200, done.text
    made = show(world, done.json["result"]["number"])
    assert made["published"]["digest"] == made["sample"]["digest"] == done.json["result"]["digest"] and rules.faults(made["published"]) == []
    items = {row["problem_id"]: row for row in made["items"]}
    assert {p.id for p in (*mine, *other)} <= set(items)
    assert all(items[p.id]["inspector_id"] not in (None, "u-inspector_a") for p in mine), "who found it does not judge it"
    again = drawn(world, CITY)
    assert show(world, again.json["result"]["number"])["published"] == made["published"], "the same seed and list, the same draw"
    sight = show(world, made["sample"]["number"], "zhangdian")
    assert {row["problem_id"] for row in sight["items"]} >= {p.id for p in mine} and sight["published"] is None
    assert not {p.id for p in other} & {row["problem_id"] for row in sight["items"]}
    listed = world.desk("auditor").get("/v1/samples").json["samples"]
    assert listed[0]["number"] == again.json["result"]["number"]


def test_what_is_not_fixed_is_reopened_before_its_result_is_taken_and_a_result_is_given_once(world: World) -> None:
    one, two = closed(world, 2)
    number = drawn(world, A).json["result"]["number"]
    refused = do(world, "city", "result", number, problem_id=one.id, result="not_fixed", note="仍在（示例）")
    assert (refused.status_code, refused.json["reason"]) == (409, "guard_failed") and "reopen" in refused.json["detail"]
    act = {"verb": "problem.act", "ent": {"t": "problem", "id": one.id}, "base": {"ver": one.ver}, "args": make.act("reopen", note="仍在（示例）")}
    assert world.desk("city").post("/v1/ops", json=act).status_code == 200
    assert do(world, "city", "result", number, problem_id=one.id, result="not_fixed", note="仍在（示例）").status_code == 200
    assert do(world, "city", "result", number, problem_id=one.id, result="fixed").status_code == 409
    assert do(world, "city", "result", number, problem_id=two.id, result="fixed").status_code == 200
    results = {row["problem_id"]: row["result"] for row in show(world, number)["items"]}
    assert results[one.id] == "not_fixed" and results[two.id] == "fixed"


def test_only_the_city_draws_and_only_who_was_drawn_answers(world: World) -> None:
    (one,) = closed(world, 1)
    number = drawn(world, A).json["result"]["number"]
    today = local_date(now_utc())
    args = {"node": A, "period": f"{today}/{today}", "seed": SEED, "percent": 10}
    assert told(do(world, "zhangdian", "draw", A, **args)) == (403, "forbidden")
    who = next(row["inspector_id"] for row in show(world, number)["items"] if row["problem_id"] == one.id)
    assert who in ("u-expert", "u-inspector_b")
    body = {"problem_id": one.id, "result": "fixed", "note": ""}
    assert world.any_phone("inspector_a").record("sample.result", ("sample", number), body)["status"] == "parked"
    assert world.any_phone(who.removeprefix("u-")).record("sample.result", ("sample", number), body)["status"] == "applied"
    assert told(do(world, "city", "result", number, problem_id="p-nobody:A101", result="fixed")) == (404, "not_found")


@pytest.mark.parametrize(("args", "status"), [
    ({"node": "999999"}, 422), ({"period": "2026-W60"}, 422), ({"seed": "a|b|c|d"}, 422), ({"percent": 0}, 422), ({"inspectors": ["u-city"]}, 422),
    ({"period": "2020-01"}, 409), ({"inspectors": ["u-expert"]}, 200),
])  # fmt: skip
def test_what_cannot_be_drawn_is_refused_with_its_reason(world: World, args: dict[str, Any], status: int) -> None:
    closed(world, 1)
    today = local_date(now_utc())
    answer = do(world, "city", "draw", A, **{"node": A, "period": f"{today}/{today}", "seed": SEED, "percent": 10, **args})
    assert answer.status_code == status, answer.text


@pytest.mark.answers("sampling.sample", 404)
@pytest.mark.answers("sampling.listed", 422)
def test_a_draw_that_is_not_there_and_a_wrong_page_are_refused(world: World) -> None:
    assert told(world.desk("city").get("/v1/samples/SJ-1999-0001")) == (404, "not_found")
    assert told(world.desk("city").get("/v1/samples", query_string={"limit": "x"})) == (422, "invalid")
