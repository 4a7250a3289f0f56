"""GET /v1/problems/{id} and /v1/map: a problem with who answers for it and why; the map of what one sees."""

import json
from typing import Any

import pytest

from tests import make
from tests.cast import A, B, World, told
from tests.contract import plain_body


@pytest.fixture
def raised(world: World) -> Any:
    return make.problem(world, world.any_phone("inspector_a"), world.site(A))


@pytest.mark.answers("problems.problem", 200)
def test_a_problem_is_shown_with_its_chain_its_history_and_the_reason_of_its_deadline(world: World, raised: Any) -> None:
    desk = world.desk("zhangdian")
    by_id, by_number = (desk.get(f"/v1/problems/{name}").json for name in (raised.id, raised.number))
    assert by_id == by_number
    layers = [link["layer"] for link in by_id["responsibility"]]
    assert layers[0] == "city" and layers[-3:] == ["district", "township", "unit"]
    assert [link["department_id"] for link in by_id["responsibility"] if link["is_lead"]] == [by_id["problem"]["department_id"]]
    assert all(link["reason"]["rule"] and (link["holder"] or link["is_gap"]) for link in by_id["responsibility"])
    assert [step["action"] for step in by_id["history"]] == ["raise", "assign"]
    assert by_id["problem"]["due_on"] and by_id["deadline_reason"]


@pytest.mark.answers("problems.problem", 404)
def test_a_problem_of_another_district_cannot_be_told_from_none(world: World, raised: Any) -> None:
    desk = world.desk("zichuan")
    answers = [desk.get(f"/v1/problems/{name}") for name in (raised.id, raised.number, "p-nobody:A101", "ZB-1999-000001")]
    assert {told(answer) for answer in answers} == {(404, "not_found")}
    assert len({answer.data for answer in answers}) == 1


def test_a_department_sees_the_problems_of_its_own_line(world: World, raised: Any) -> None:
    """A101 is led by the police; the education department has nothing to do with it until it is given to it."""
    assert world.desk("education").get(f"/v1/problems/{raised.id}").status_code == 404
    op = {"verb": "problem.assign", "ent": {"t": "problem", "id": raised.id}, "args": make.assign("education")}
    assert world.desk("zhangdian").post("/v1/ops", json=op).status_code == 200
    assert world.desk("education").get(f"/v1/problems/{raised.id}").status_code == 200


def shown(world: World, login: str) -> set[str]:
    answer = world.desk(login).get("/v1/map")
    features = json.loads(plain_body(answer.headers, answer.data))["features"]
    return {feature["id"] for feature in features if feature["geometry"]["type"] == "Point"}


@pytest.mark.answers("problems.map_data", 200)
def test_the_map_holds_the_problems_that_one_sees_and_the_districts(world: World, raised: Any) -> None:
    other = make.problem(world, world.any_phone("inspector_b"), world.site(B))
    assert raised.id in shown(world, "zhangdian") and other.id not in shown(world, "zhangdian")
    assert {raised.id, other.id} <= shown(world, "city")
    answer = world.desk("zhangdian").get("/v1/map")
    districts = [f for f in answer.json["features"] if f["geometry"]["type"] != "Point"] if answer.is_json else []
    assert answer.headers["Content-Type"].startswith("application/geo+json")
    assert not districts or len(districts) == 8


@pytest.mark.parametrize(("accepted", "kind"), [
    ("application/json", "application/json"), ("application/geo+json", "application/geo+json"), ("*/*", "application/geo+json"),
    ("application/json, */*;q=0.1", "application/json"), ("text/html, application/json;q=0.5", "application/json"),
])  # fmt: skip
def test_the_map_is_called_what_the_asker_wants(world: World, accepted: str, kind: str) -> None:
    assert world.desk("city").get("/v1/map", headers={"Accept": accepted}).headers["Content-Type"].split(";")[0] == kind
