"""`evaluation.weigh`, `evaluation.publish` and GET /v1/evaluations…: by published weights, from the record, each score opened."""

from datetime import timedelta
from typing import Any

import pytest

from backend.ledgers.models import LedgerLine
from backend.now import now_utc
from backend.workdays import local_date
from tests import make
from tests.cast import A, B, World, told

WEIGHTS = {"coverage": 20, "on_time": 50, "reinspection": 10, "lasting": 10, "reply": 5, "evidence": 5}


def do(world: World, verb: str, login: str = "city", **args: Any) -> Any:
    return world.desk(login).post("/v1/ops", json={"verb": f"evaluation.{verb}", "ent": {"t": "evaluation", "id": "city"}, "args": args})


def get(world: World, number: str, login: str = "city", **query: str) -> Any:
    return world.desk(login).get(f"/v1/evaluations/{number}", query_string=query)


def month() -> str:
    today = local_date(now_utc())
    return f"{today - timedelta(days=20)}/{today + timedelta(days=20)}"


@pytest.mark.answers("evaluation.evaluation", 200, 403, 404)
@pytest.mark.answers("evaluation.listed", 200, 403, 422)
def test_subjects_are_scored_by_the_published_weights_and_each_score_opens_its_cases(world: World) -> None:
    early = do(world, "publish", kind="district", period=month())
    assert (early.status_code, early.json["reason"]) == (409, "guard_failed") and "weights" in early.json["detail"]
    assert told(do(world, "weigh", "zhangdian", weights=WEIGHTS)) == (403, "forbidden")
    assert do(world, "weigh", weights={"charm": 5}).status_code == 422
    assert do(world, "weigh", weights=WEIGHTS).json["result"]["version"] == 1
    phone = world.any_phone("inspector_a")
    fixed, late, running = (make.problem(world, phone, world.site(A)) for _ in range(3))
    world.change(LedgerLine.__table__.update().where(LedgerLine.problem_id == late.id).values(due_on=local_date(now_utc()) - timedelta(days=1)))
    other = make.problem(world, world.any_phone("inspector_b"), world.site(B))
    photo = make.upload(phone, make.picture())
    act = {"base": {"ver": fixed.ver}, "blobs": [{"sha256": photo, "size": 10, "mime": "image/jpeg"}]}
    assert phone.record("problem.act", ("problem", fixed.id), make.act("report_fixed", note="已清理（示例）", photos=[photo]), **act)["status"] == "applied"
    done = do(world, "publish", kind="district", period=month())
    assert done.status_code == 200, done.text
    number = done.json["result"]["number"]
    made = get(world, number).json
    rows = {row["subject"]: row for row in made["rows"]}
    assert made["is_intact"] and made["weights"] == WEIGHTS and rows[A]["is_small"]
    assert rows[A]["figures"]["on_time"] == [1, 2] and "on_time" not in rows[B]["figures"], "what still has time is not judged"
    assert rows[A]["figures"]["coverage"][0] == 3 and 0 < rows[A]["score"] < 100
    cases = get(world, number, subject=A, indicator="on_time").json["cases"]
    assert {case["ref"]: case["is_good"] for case in cases} == {fixed.id: True, late.id: False} and running.id
    assert all(case["days_late"] == 0 for case in cases)
    assert sum(case["is_good"] for case in get(world, number, subject=A).json["cases"]) == sum(good for good, _ in rows[A]["figures"].values())
    make.problem(world, phone, world.site(A))
    assert get(world, number, subject=A, indicator="on_time").json["cases"] == cases, "as of its moment, whatever came later"
    mine = get(world, number, "zichuan").json
    assert {row["subject"] for row in mine["rows"]} == {B} and get(world, number, "zichuan", subject=A).status_code == 404 and other.number
    assert told(world.any_phone("inspector_a").ask("GET", f"/v1/evaluations/{number}")) == (403, "forbidden")
    assert told(get(world, "KP-1999-0001")) == (404, "not_found")
    for kind in ("department", "school"):
        assert do(world, "publish", kind=kind, period=month()).json["result"]["subjects"] >= 1
    listed = world.desk("auditor").get("/v1/evaluations")
    assert [each["kind"] for each in listed.json["evaluations"]] == ["school", "department", "district"]
    assert told(world.desk("city").get("/v1/evaluations", query_string={"limit": "x"})) == (422, "invalid")
    assert told(world.any_phone("inspector_a").ask("GET", "/v1/evaluations")) == (403, "forbidden")
    assert do(world, "publish", kind="district", period="2026-W77").status_code == 422
