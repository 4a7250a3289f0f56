"""`ledger.publish`, `ledger.restate` and GET /v1/periods…: published once, read by scope, never changed, restated with reasons."""

from datetime import date, timedelta
from typing import Any

import pytest

from backend.now import now_utc
from backend.workdays import local_date
from tests import make
from tests.cast import A, B, World, told

DAYS = iter(range(40, 400))


def fresh() -> str:
    """A period that reaches to today and that nobody has published."""
    today = local_date(now_utc())
    return f"{today - timedelta(days=next(DAYS))}/{today}"


def do(world: World, verb: str, name: str = "city", login: str = "city", **args: Any) -> Any:
    op = args.pop("op", None)
    return world.desk(login).post("/v1/ops", json={**({"op": op} if op else {}), "verb": f"ledger.{verb}", "ent": {"t": "ledger", "id": name}, "args": args})


def get(world: World, path: str, login: str = "city", **query: str) -> Any:
    return world.desk(login).get(f"/v1/periods{path}", query_string=query)


@pytest.mark.answers("periods.listed", 200)
@pytest.mark.answers("periods.period", 200)
@pytest.mark.answers("periods.check", 200)
@pytest.mark.answers("periods.restatement", 200)
@pytest.mark.answers("periods.changes", 200)
def test_a_period_is_published_once_kept_as_it_was_and_restated_with_reasons(world: World) -> None:
    phone = world.any_phone("inspector_a")
    one = make.problem(world, phone, world.site(A))
    period, op = fresh(), make.new_id()
    done, again = (do(world, "publish", period=period, op=op, note="周报（示例）") for _ in range(2))
    assert done.status_code == 200 and again.json["result"] == done.json["result"], done.text
    number = done.json["result"]["number"]
    twice = do(world, "publish", period=period)
    assert (twice.status_code, twice.json["reason"]) == (409, "guard_failed") and number in twice.json["detail"]
    before = get(world, f"/{number}").json
    assert before["period"]["digest"] == done.json["result"]["digest"] and before["period"]["completeness"]["tasks"]["total"] > 0
    assert before["period"]["completeness"]["devices"]["devices"] >= 1
    make.problem(world, phone, world.site(A))
    gone = {"verb": "problem.act", "ent": {"t": "problem", "id": one.id}, "base": {"ver": one.ver}, "args": make.act("delete", note="误报（示例）")}
    assert world.desk("city").post("/v1/ops", json=gone).status_code == 200
    live = get(world, f"/{number}/restatement", by="department").json
    assert live["edition"] is None and live["total"]["why"]["deleted"]["found"] == -1 and live["total"]["why"]["late"]["found"] == 1
    made = do(world, "restate", number)
    assert made.json["result"]["number"] == f"{number}-R1", made.text
    same = do(world, "restate", number)
    assert (same.status_code, same.json["reason"]) == (409, "guard_failed"), "nothing has changed since"
    assert get(world, f"/{number}/restatement", edition="1").json["total"] == get(world, f"/{number}/restatement").json["total"]
    rows = get(world, f"/{number}/changes", edition="1", reason="late", by="grade", key="general").json["rows"]
    assert len(rows) == 1 and rows[0]["told"]["replica"] == phone.replica and rows[0]["told"]["person"] == "u-inspector_a"
    after = get(world, f"/{number}").json
    assert after["figures"] == before["figures"] and after["period"] == before["period"]
    assert [p["number"] for p in after["restatements"]] == [f"{number}-R1"]
    assert get(world, f"/{number}/check").json["is_intact"] and get(world, f"/{number}-R1/check").json["is_reproduced"]
    page = get(world, "", limit="1").json
    rest = get(world, "", after=page["next"]).json["periods"]
    assert page["periods"][0]["number"] == f"{number}-R1" and rest[0]["number"] == number


def test_each_reader_sees_their_own_part_of_what_was_published(world: World) -> None:
    make.problem(world, world.any_phone("inspector_a"), world.site(A))
    make.problem(world, world.any_phone("inspector_b"), world.site(B))
    number = do(world, "publish", period=fresh()).json["result"]["number"]
    city, mine, other = (get(world, f"/{number}", login).json for login in ("city", "zhangdian", "zichuan"))
    districts = {row["id"]: row["found"] for row in city["figures"]["rows"]}
    assert mine["figures"]["node"] == A and mine["figures"]["total"]["found"] == districts[A]
    assert other["figures"]["total"]["found"] == districts[B]
    assert sum(districts.values()) == city["figures"]["total"]["found"] >= 2
    assert set(mine["period"]["completeness"]["districts"]) <= {A} and mine["period"]["completeness"]["devices"]["silent_devices"] is None
    assert get(world, f"/{number}", "zhangdian", node=B).status_code == 404
    line = get(world, f"/{number}", "education", by="department").json["figures"]["rows"]
    assert {row["id"] for row in line} <= {"education"}


@pytest.mark.parametrize(("args", "pointer"), [
    ({"period": "2026-W54"}, "/period"), ({"period": "2026-13"}, "/period"), ({"period": "2099-01"}, "/period"), ({"period": "last week"}, "/period"),
    ({"period": "2026-11-09/2026-11-01"}, "/period"), ({"period": "2026-10", "as_of": "2020-01-01"}, "/as_of"),
    ({"period": "2026-10", "as_of": "2099-01-01"}, "?as_of"), ({}, "/period"),
])  # fmt: skip
def test_what_is_no_period_or_moment_is_refused(world: World, args: dict[str, Any], pointer: str) -> None:
    answer = do(world, "publish", **args)
    assert answer.status_code == 422 and pointer in answer.text, answer.text


def test_a_period_is_published_as_of_an_earlier_moment(world: World) -> None:
    phone = world.any_phone("inspector_a")
    make.problem(world, phone, world.site(A))
    earlier = now_utc().isoformat()
    make.problem(world, phone, world.site(A))
    period = fresh()
    number = do(world, "publish", period=period, as_of=earlier).json["result"]["number"]
    made = get(world, f"/{number}/restatement").json
    assert made["total"]["difference"]["found"] == made["total"]["why"]["late"]["found"] == 1


@pytest.mark.answers("periods.difference", 200)
def test_between_two_publications_the_flows_are_told_and_open_their_problems(world: World) -> None:
    phone = world.any_phone("inspector_a")
    gone, kept = (make.problem(world, phone, world.site(A)) for _ in range(2))
    first = do(world, "publish", period=fresh()).json["result"]["number"]
    act = {"verb": "problem.act", "ent": {"t": "problem", "id": gone.id}, "base": {"ver": gone.ver}, "args": make.act("delete", note="误报（示例）")}
    assert world.desk("city").post("/v1/ops", json=act).status_code == 200
    new = make.problem(world, phone, world.site(A))
    second = do(world, "publish", period=fresh()).json["result"]["number"]
    made = get(world, f"/{second}/since/{first}", flow="new", by="department").json
    total = made["total"]
    assert [p["number"] for p in made["problems"]] == [new.number] and total["away"] == total["new"] == 1
    assert total["carried"] + total["new"] - total["away"] == total["standing"] and total["carried"] >= 2
    mine = get(world, f"/{second}/since/{first}", "zichuan").json
    assert mine["total"]["new"] == mine["total"]["away"] == 0, "another district's are not theirs"
    assert told(get(world, f"/{first}/since/{second}")) == (422, "invalid") and kept.number


def test_only_the_city_publishes(world: World) -> None:
    for login in ("zhangdian", "education", "auditor", "admin"):
        assert told(do(world, "publish", login=login, period="2026-10")) == (403, "forbidden")


@pytest.mark.answers("periods.listed", 403, 422)
@pytest.mark.answers("periods.period", 403, 404, 422)
@pytest.mark.answers("periods.restatement", 403, 404, 422)
@pytest.mark.answers("periods.changes", 403, 404, 422)
@pytest.mark.answers("periods.check", 403, 404)
@pytest.mark.answers("periods.difference", 403, 404, 422)
def test_what_is_not_there_or_asked_wrongly_is_refused(world: World) -> None:
    number = do(world, "publish", period=fresh()).json["result"]["number"]
    assert told(do(world, "restate", "QB-1999-0001")) == (404, "not_found")
    phone = world.any_phone("inspector_a")
    for path, wrong in (("", {"limit": "0"}), (f"/{number}", {"by": "x"}), (f"/{number}/restatement", {"by": "x"}), (f"/{number}/changes", {"reason": "x"})):
        assert told(get(world, path, **wrong)) == (422, "invalid")
        assert told(phone.ask("GET", f"/v1/periods{path}")) == (403, "forbidden")
    for tail in ("", "/restatement", "/changes", "/check"):
        assert told(get(world, f"/QB-1999-0001{tail}")) == (404, "not_found")
    assert told(get(world, f"/{number}/restatement", edition="9")) == (404, "not_found")
    assert told(phone.ask("GET", f"/v1/periods/{number}/check")) == (403, "forbidden")
    since = f"/{number}/since/{number}"
    assert told(phone.ask("GET", f"/v1/periods{since}")) == (403, "forbidden") and told(get(world, since, flow="x")) == (422, "invalid")
    assert told(get(world, f"/{number}/since/QB-1999-0001")) == (404, "not_found")
    assert date.fromisoformat(get(world, f"/{number}").json["period"]["to_on"]) == local_date(now_utc())
