"""POST /sync/v1/ops/status and GET /sync/v1/attention: what became of one's own ops, and of nobody else's."""

from typing import Any

import pytest

from tests import make
from tests.cast import World, told


def outcomes(phone: Any, world: World) -> dict[str, str]:
    """Ops of a phone, by what became of them."""
    good = phone.record("problem.report", ("finding", make.new_id()), make.report(world.site()))
    bad = phone.record("inspection.frobnicate", ("inspection", make.new_id()), {})
    return {"applied": good["op"], "parked": bad["op"]}


@pytest.mark.answers("sync.ops_status", 200)
def test_the_status_of_own_ops_is_told_and_what_is_not_named_is_not_here(world: World) -> None:
    phone = world.phone("inspector_a")
    ops, unknown = outcomes(phone, world), make.new_id()
    answer = phone.post("/sync/v1/ops/status", {"op_ids": [*ops.values(), unknown]}).json
    assert {op["op"]: op["status"] for op in answer["ops"]} == {op: status for status, op in ops.items()}
    assert next(op for op in answer["ops"] if op["status"] == "parked")["reason"] == "unknown_type"


def test_the_status_of_somebody_elses_op_is_not_told(world: World) -> None:
    ops = outcomes(world.phone("inspector_a"), world)
    assert world.phone("inspector_b").post("/sync/v1/ops/status", {"op_ids": list(ops.values())}).json["ops"] == []


@pytest.mark.parametrize("wrong", [{}, {"op_ids": "x"}, {"op_ids": [1]}, {"op_ids": None}, {"op_ids": ["x"] * 501}])
@pytest.mark.answers("sync.ops_status", 422)
def test_what_is_no_list_of_at_most_five_hundred_ids_is_named(world: World, wrong: Any) -> None:
    assert told(world.any_phone("inspector_a").post("/sync/v1/ops/status", wrong)) == (422, "invalid")


@pytest.mark.answers("sync.attention", 200)
def test_ops_that_wait_for_a_person_are_told_to_their_author_alone(world: World) -> None:
    mine, theirs = world.phone("inspector_a"), world.phone("inspector_b")
    ops = outcomes(mine, world)
    waiting = {op["op"] for op in mine.ask("GET", "/sync/v1/attention").json["ops"]}
    assert ops["parked"] in waiting and ops["applied"] not in waiting
    assert ops["parked"] not in {op["op"] for op in theirs.ask("GET", "/sync/v1/attention").json["ops"]}
