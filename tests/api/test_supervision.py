"""GET /v1/desk and /v1/transfers, and a problem with its proceedings: the acts of supervision as a desk sees them."""

from typing import Any

import pytest

from tests import make
from tests.cast import A, World, told


def op(world: World, login: str, verb: str, ent: tuple[str, str], **args: Any) -> Any:
    return world.desk(login).post("/v1/ops", json={"verb": verb, "ent": {"t": ent[0], "id": ent[1]}, "args": args})


@pytest.fixture
def raised(world: World) -> Any:
    return make.problem(world, world.any_phone("inspector_a"), world.site(A))


@pytest.mark.answers("supervision.desk", 200)
@pytest.mark.answers("supervision.transfers", 200)
def test_a_transfer_is_seen_by_both_sides_and_counted_until_it_is_answered(world: World, raised: Any) -> None:
    before = {login: world.desk(login).get("/v1/desk").json["counts"] for login in ("education", "zhangdian", "zichuan")}
    sent = op(world, "zhangdian", "transfer.send", ("problem", raised.id), kind="inform", department_id="education", note="请知悉（示例）")
    name = sent.json["result"]["proceeding"]
    mine = world.desk("education").get("/v1/transfers?state=unreplied").json["transfers"]
    assert [
        (t["problem"]["number"], t["transfer"]["said"]["note"], t["transfer"]["due_reason"]["basis"]["title"])
        for t in mine if t["transfer"]["id"] == name
    ] == [
        (raised.number, "请知悉（示例）", "安全生产隐患抄告表（宁波）")
    ]
    assert world.desk("education").get(f"/v1/problems/{raised.id}").status_code == 404, "the lead is another department's"

    def gained(login: str, count: str) -> int:
        now: int = world.desk(login).get("/v1/desk").json["counts"][count]
        return now - int(before[login][count])

    assert (gained("education", "received_unreplied"), gained("zhangdian", "sent_unreplied"), gained("zichuan", "received_unreplied")) == (1, 1, 0)
    assert op(world, "education", "transfer.receive", ("transfer", name), opinion="已收到（示例）").json["status"] == "applied"
    assert (gained("education", "received_unreplied"), gained("education", "received_unanswered")) == (0, 1)
    assert op(world, "education", "transfer.answer", ("transfer", name), result="已处理（示例）").json["status"] == "applied"
    assert (gained("education", "received_unanswered"), gained("zhangdian", "sent_unanswered")) == (0, 0)
    (kept,) = world.desk("zhangdian").get(f"/v1/problems/{raised.id}").json["proceedings"]
    assert (kept["id"], kept["status"], kept["answer"]["result"]) == (name, "answered", "已处理（示例）")


@pytest.mark.answers("supervision.transfers", 422)
def test_a_box_or_a_state_that_there_is_not_is_named(world: World) -> None:
    for asked in ("box=lost", "state=gone"):
        assert told(world.desk("city").get(f"/v1/transfers?{asked}")) == (422, "invalid")


def test_transfers_are_read_page_by_page_and_none_is_missed(world: World, raised: Any) -> None:
    for _ in range(3):
        assert op(world, "zhangdian", "transfer.send", ("problem", raised.id), kind="inform", department_id="education", note="示例").json
    seen, after = [], ""
    while True:
        page = world.desk("zhangdian").get(f"/v1/transfers?box=sent&limit=2{after}").json
        seen += [t["transfer"]["id"] for t in page["transfers"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert len(seen) == len(set(seen)) >= 3
