"""`sweep.close` and GET /v1/sweeps/{id}: closed only when tasks and handovers are, coverage stated; late arrivals are taken and shown."""

from typing import Any

import pytest

from backend.sweeps.models import Task
from tests import make
from tests.cast import SWEEP, A, World, told

SAID = "两区学校全部排查，示例三所因停课未进校"


def close(world: World, login: str = "city", said: str = SAID) -> Any:
    op = {"verb": "sweep.close", "ent": {"t": "sweep", "id": SWEEP}, "args": {"coverage": said}}
    return world.desk(login).post("/v1/ops", json=op)


def standing(world: World, login: str = "city") -> Any:
    answer = world.desk(login).get(f"/v1/sweeps/{SWEEP}")
    assert answer.status_code == 200, answer.text
    return answer.json


def excuse(world: World, task: str) -> Any:
    op = {"verb": "task.excuse", "ent": {"t": "task", "id": task}, "args": {"note": "停课（示例）"}}
    return world.desk("city").post("/v1/ops", json=op)


@pytest.mark.answers("rings.sweep", 200)
def test_a_sweep_closes_when_its_rings_have_and_what_comes_late_is_taken_and_shown(world: World) -> None:
    refused = close(world)
    assert (refused.status_code, refused.json["reason"]) == (409, "guard_failed") and "排查任务" in refused.json["detail"]
    assert close(world, said="  ").status_code == 422 and close(world, "zhangdian").status_code == 403
    phone, site = world.any_phone("inspector_a"), world.site(A)
    task = f"{SWEEP}:{site}:{make.PROGRAMME}"
    world.change(Task.__table__.update().where(Task.id != task).values(state="excused", note="示例"))
    assert task in close(world).json["detail"]
    problem = make.problem(world, phone, site, task_id=task, team_id="ta")
    assert standing(world)["tasks"]["open"] == 0
    slip = {"to": {"area": A}, "due_on": "2099-12-31", "problems": [problem.number], "part_of": {"t": "sweep", "id": SWEEP}}
    desk, op = world.desk("city"), {"verb": "handover.issue", "ent": {"t": "handover", "id": "of-sweep"}, "args": slip}
    number = desk.post("/v1/ops", json=op).json["result"]["number"]
    assert number in close(world).json["detail"] and [h["number"] for h in standing(world)["handovers"]] == [number]
    withdrawn = {"verb": "handover.withdraw", "ent": {"t": "handover", "id": "of-sweep"}, "args": {"note": "示例"}}
    assert desk.post("/v1/ops", json=withdrawn).status_code == 200
    done = close(world)
    assert done.status_code == 200 and done.json["result"]["inspected"] == 1, done.text
    assert close(world).status_code == 409, "once is enough"
    made = standing(world)
    figures = made["coverage"]
    assert made["coverage_said"] == SAID and made["sweep"]["state"] == "closed" and made["late"] == []
    assert figures["with_task"] + figures["without_task"] == figures["sites"] and figures["excused"] == figures["with_task"] - 1
    late = world.site(A)
    done_late = phone.record(
        "inspection.submit", ("inspection", make.new_id()), make.inspection(late, task_id=f"{SWEEP}:{late}:{make.PROGRAMME}", team_id="ta")
    )
    assert done_late["status"] == "applied"
    assert [row["site_id"] for row in standing(world)["late"]] == [late]
    assert standing(world)["coverage"] == figures, "what was stated stands; the late ones stand beside it"
    assert standing(world, "zichuan")["late"] == []
    again = desk.post("/v1/ops", json={**op, "ent": {"t": "handover", "id": "too-late"}})
    assert (again.status_code, again.json["reason"]) == (409, "guard_failed"), "a closed sweep takes no new handover"


@pytest.mark.answers("rings.sweep", 403)
@pytest.mark.answers("rings.sweep", 404)
def test_a_sweep_that_is_not_there_and_a_role_without_ledgers_are_refused(world: World) -> None:
    assert told(world.desk("city").get("/v1/sweeps/nobody")) == (404, "not_found")
    assert told(world.any_phone("inspector_a").ask("GET", f"/v1/sweeps/{SWEEP}")) == (403, "forbidden")
    op = {"verb": "sweep.close", "ent": {"t": "sweep", "id": "nobody"}, "args": {"coverage": SAID}}
    assert told(world.desk("city").post("/v1/ops", json=op)) == (404, "not_found")
