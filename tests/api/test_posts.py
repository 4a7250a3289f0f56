"""`post.…`, gaps, who answered when: what is open follows a post's holder, and at each moment each layer has one or a named gap."""

import itertools
from datetime import date, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.accounts.models import Holding, Post
from backend.now import now_utc
from backend.ops import terms
from backend.problems.models import Problem
from backend.responsibility.models import FormerLink, Responsibility
from backend.workdays import local_date
from sync_protocol.identity import fingerprint
from tests import make
from tests.cast import A, B, World, told

DISTRICT = "district-370303"
TODAY = local_date(now_utc())


def do(world: World, verb: str, post: str = DISTRICT, login: str = "admin", **args: Any) -> Any:
    return world.desk(login).post("/v1/ops", json={"verb": f"post.{verb}", "ent": {"t": "post", "id": post}, "args": args})


def day(n: int) -> str:
    return (TODAY + timedelta(days=n)).isoformat()


def link(world: World, problem: Any, layer: str = "district") -> Any:
    found = world.desk("city").get(f"/v1/problems/{problem.id}").json["responsibility"]
    return next(each for each in found if each["layer"] == layer)


def answered(world: World, problem: Any, **query: str) -> list[dict[str, Any]]:
    answer = world.desk("city").get(f"/v1/responsibilities/{problem.id}", query_string=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json["terms"]
    return found


def offered(desk: Any, former: str, person: str) -> Any:
    """The newest list that waits for this person to take over from that one."""
    lists = desk.get("/v1/post-handovers?limit=500").json["lists"]
    return next(each for each in reversed(lists) if (each["from_person"], each["to_person"]) == (former, person))


@pytest.fixture
def raised(world: World) -> Any:
    """An open problem of district A, whose post is held from long ago by one person."""
    (post,) = world.look(Post.__table__.select().where(Post.layer == "district", Post.area_id == A))
    assert post.id == DISTRICT
    world.change(
        Holding.__table__.delete().where(Holding.post_id == DISTRICT),
        Holding.__table__.insert().values(post_id=DISTRICT, person="老负责人（示例）", from_on=date(2020, 1, 1)),
    )
    do(world, "settle", login="admin")
    made = make.problem(world, world.any_phone("inspector_a"), world.site())
    with world.app.app_context():
        terms.settle(now_utc())
    return made


@pytest.mark.answers("responsibility.answered", 200)
@pytest.mark.answers("responsibility.post_handovers", 200)
@pytest.mark.answers("responsibility.post_handover", 200)
def test_what_is_open_goes_to_the_new_holder_with_a_list_that_they_accept(world: World, raised: Any) -> None:
    before = link(world, raised)["holder"]
    assert do(world, "hold", person="新负责人（示例）", from_on=day(0)).status_code == 200
    assert link(world, raised)["holder"] == "新负责人（示例）" != before
    desk = world.desk("zhangdian")
    made = offered(desk, before, "新负责人（示例）")
    assert made["accepted_at"] is None
    listed = desk.get(f"/v1/post-handovers/{made['id']}").json["problems"]
    assert len(listed) == made["count"] and raised.number in {row["number"] for row in listed}
    assert fingerprint(orjson.dumps(listed, option=orjson.OPT_SORT_KEYS).decode()) == made["digest"]
    assert made["overdue"] == sum(row["is_overdue"] for row in listed)
    accept = {"verb": "post.accept", "ent": {"t": "post_handover", "id": made["id"]}, "args": {"digest": made["digest"]}}
    assert desk.post("/v1/ops", json={**accept, "args": {"digest": "0" * 64}}).status_code == 409
    assert world.desk("zichuan").post("/v1/ops", json=accept).status_code == 404
    assert world.desk("city").post("/v1/ops", json=accept).status_code == 403, "the city does not take over a district's post"
    assert desk.post("/v1/ops", json=accept).status_code == 200
    assert desk.post("/v1/ops", json=accept).status_code == 409
    assert made["id"] not in {row["id"] for row in desk.get("/v1/post-handovers?limit=500").json["lists"]}
    assert made["id"] in {row["id"] for row in desk.get("/v1/post-handovers?state=accepted&limit=500").json["lists"]}
    told_of = [t for t in answered(world, raised) if t["layer"] == "district"]
    *_, former, present = told_of
    assert [former["holder"], present["holder"]] == [before, "新负责人（示例）"] and former["to_at"] == present["since_at"]
    assert {t["holder"] for t in answered(world, raised, on=day(0)) if t["layer"] == "district"} >= {before, "新负责人（示例）"}
    assert answered(world, raised, on="2020-01-01") == []


def test_a_named_account_accepts_for_the_holder_and_nobody_else(world: World, raised: Any) -> None:
    assert do(world, "hold", person="有账号的（示例）", from_on=day(0), user_id="nobody").status_code == 422
    assert do(world, "hold", person="有账号的（示例）", from_on=day(0), user_id="u-nanding").status_code == 200
    made = offered(world.desk("zhangdian"), "老负责人（示例）", "有账号的（示例）")
    accept = {"verb": "post.accept", "ent": {"t": "post_handover", "id": made["id"]}, "args": {"digest": made["digest"]}}
    assert world.desk("zhangdian").post("/v1/ops", json=accept).status_code == 403


def test_a_term_that_begins_later_takes_over_on_its_day_and_the_job_may_run_twice(world: World, raised: Any) -> None:
    before = link(world, raised)["holder"]
    assert do(world, "hold", person="以后的（示例）", from_on=day(3)).status_code == 200
    assert link(world, raised)["holder"] == before
    later = now_utc() + timedelta(days=3)
    with world.app.app_context():
        assert terms.settle(later) == 1 and terms.settle(later) == 0
    assert link(world, raised)["holder"] == "以后的（示例）"
    world.change(Holding.__table__.update().where(Holding.post_id == DISTRICT, Holding.person == "以后的（示例）").values(from_on=date(2026, 1, 1)))


def test_a_holder_who_leaves_leaves_a_named_gap_and_the_next_one_fills_it(world: World, raised: Any) -> None:
    assert do(world, "leave", to_on=day(-1)).status_code == 200
    gap = link(world, raised)
    assert gap["is_gap"] and gap["holder"] is None and gap["post_id"] == DISTRICT
    assert do(world, "leave", to_on=day(-1)).status_code in (200, 409)
    assert do(world, "hold", person="补位（示例）", from_on=day(0)).status_code == 200
    assert not link(world, raised)["is_gap"]
    holders = [t["holder"] for t in answered(world, raised) if t["layer"] == "district"]
    assert holders[-2:] == [None, "补位（示例）"]


def test_a_deputy_acts_on_the_days_of_the_absence_and_on_no_other(world: World, raised: Any) -> None:
    assert link(world, raised)["acting"] is None
    assert do(world, "away", deputy="副职（示例）", from_on=day(0), to_on=day(2)).status_code == 200
    assert link(world, raised)["acting"] == "副职（示例）" and link(world, raised)["holder"] == "老负责人（示例）"
    assert do(world, "away", deputy="又一人（示例）", from_on=day(2), to_on=day(5)).status_code == 409
    assert do(world, "away", deputy="又一人（示例）", from_on=day(9), to_on=day(5)).status_code == 422
    assert do(world, "away", deputy="又一人（示例）", from_on="2019-12-31", to_on="2020-01-02").status_code == 409, "nobody held it then"
    slip = {"verb": "document.issue", "ent": {"t": "problem", "id": raised.number}, "args": {"kind": "handover", "fields": {"to": "公安局"}}}
    number = world.desk("zhangdian").post("/v1/ops", json=slip).json["result"]["document"]
    printed = world.desk("zhangdian").get(f"/v1/documents/{number}").json["facts"]["chain"]
    assert any(who == "老负责人（示例）（副职（示例） 代）" for _, _, who in printed), printed
    assert do(world, "back", on=day(1)).status_code == 200
    assert link(world, raised)["acting"] == "副职（示例）", "the day before the return is the deputy's still"
    assert do(world, "back", on=day(0)).status_code == 200
    assert link(world, raised)["acting"] is None and do(world, "back", on=day(0)).status_code == 409


@pytest.mark.answers("responsibility.gap_report", 200)
def test_the_report_names_what_is_vacant_now_and_soon_with_what_hangs_on_it(world: World, raised: Any) -> None:
    def row(login: str = "city", **query: Any) -> Any:
        answer = world.desk(login).get("/v1/gaps", query_string=query)
        assert answer.status_code == 200, answer.text
        return next((r for r in answer.json["rows"] if (r["layer"], r["area_id"]) == ("district", A)), None)

    assert row(node=A) is None
    do(world, "leave", to_on=day(10))
    assert row(days=9) is None
    soon = row(days=10 + 1, node=A)
    assert (soon["vacant"], soon["soon"], soon["empty"][0]["vacant_on"]) == (0, 1, day(11))
    with world.app.app_context():
        terms.settle(now_utc() + timedelta(days=11))
    world.change(Holding.__table__.update().where(Holding.post_id == DISTRICT).values(to_on=TODAY - timedelta(days=1)))
    now = row()
    hanging = world.look(Responsibility.__table__.select().join(Problem, Problem.id == Responsibility.problem_id)
                         .where(Responsibility.post_id == DISTRICT, Problem.is_open))  # fmt: skip
    assert now["vacant"] == 1 and now["open_problems"] == len(hanging) > 0
    assert row("zichuan") is None and world.desk("zichuan").get(f"/v1/gaps?node={A}").status_code == 404
    csv = world.desk("city").get("/v1/exports/gaps.csv").text
    assert "区县" in csv and "sha256" in csv
    mine = world.desk("education").get("/v1/gaps").json["rows"]
    assert {r["department_id"] for r in mine} <= {"education"}


def test_units_without_a_post_of_their_own_are_named_as_missing(world: World, raised: Any) -> None:
    unit = (Responsibility.problem_id == raised.id, Responsibility.layer == "unit")
    world.change(Responsibility.__table__.update().where(*unit).values(post_id=None, is_gap=True))
    rows = world.desk("city").get("/v1/gaps", query_string={"node": A}).json["rows"]
    assert sum(r["missing"] for r in rows if r["layer"] == "unit") >= 1


MOVES = st.lists(st.tuples(st.sampled_from(["hold", "leave", "assign"]), st.integers(0, 3)), min_size=1, max_size=7)


@settings(max_examples=12)
@given(moves=MOVES)
def test_at_each_moment_each_layer_has_exactly_one_holder_or_a_named_gap(world: World, moves: list[tuple[str, int]]) -> None:
    """Holders come and go and the problem is given to others; the terms of each layer meet end to end, none overlaps."""
    problem = make.problem(world, world.any_phone("inspector_a"), world.site())
    first = {(t["layer"], t["department_id"]) for t in answered(world, problem)}
    for kind, n in moves:
        if kind == "assign":
            args = make.assign(["market", "police", "education", "fire"][n], note="改派")
            give = {"verb": "problem.assign", "ent": {"t": "problem", "id": problem.id}, "args": args}
            world.desk("city").post("/v1/ops", json=give)
        elif kind == "hold":
            world.change(Holding.__table__.delete().where(Holding.post_id == DISTRICT))
            assert do(world, "hold", person=f"负责人{n}（示例）", from_on=day(0)).status_code == 200
        else:
            do(world, "leave", to_on=day(-1) if n % 2 else day(0))
    by_layer: dict[tuple[str, str], list[Any]] = {}
    for term in answered(world, problem):
        by_layer.setdefault((term["layer"], term["department_id"]), []).append(term)
        assert (term["holder"] is None) == term["is_gap"], "nobody without being a named gap"
    assert {key for key in first if key[0] != "department"} <= by_layer.keys()
    for (layer, _), held in by_layer.items():
        starts = [(datetime.fromisoformat(t["since_at"]), t["to_at"] and datetime.fromisoformat(t["to_at"])) for t in held]
        for (_, end), (start, _) in itertools.pairwise(starts):
            assert end is not None and end <= start, "two at one moment"
            assert end == start or layer == "department", "nobody at some moment"
        assert layer == "department" or starts[-1][1] is None, "somebody or a gap stands now"
    assert all(row.since_at < row.to_at for row in world.look(FormerLink.__table__.select().where(FormerLink.problem_id == problem.id)))


@pytest.mark.answers("responsibility.gap_report", 403)
@pytest.mark.answers("responsibility.gap_report", 404)
@pytest.mark.answers("responsibility.gap_report", 422)
@pytest.mark.answers("responsibility.answered", 403)
@pytest.mark.answers("responsibility.answered", 404)
@pytest.mark.answers("responsibility.answered", 422)
@pytest.mark.answers("responsibility.post_handovers", 403)
@pytest.mark.answers("responsibility.post_handovers", 422)
@pytest.mark.answers("responsibility.post_handover", 403)
@pytest.mark.answers("responsibility.post_handover", 404)
def test_what_cannot_be_meant_and_what_is_not_theirs_is_refused(world: World, raised: Any) -> None:
    desk, phone = world.desk("city"), world.any_phone("inspector_a")
    for path in ("/v1/gaps?days=x", "/v1/gaps?days=367", f"/v1/responsibilities/{raised.id}?on=x", "/v1/post-handovers?state=lost"):
        assert told(desk.get(path)) == (422, "invalid"), path
    for path in (f"/v1/gaps?node={B}", f"/v1/responsibilities/{raised.id}", "/v1/post-handovers/nobody"):
        assert told(world.desk("kindergarten").get(path)) == (404, "not_found"), path
    for path in ("/v1/gaps", f"/v1/responsibilities/{raised.id}", "/v1/post-handovers", "/v1/post-handovers/x"):
        assert told(phone.ask("GET", path)) == (403, "forbidden"), path
    assert do(world, "away", post="nobody", deputy="某", from_on=day(0), to_on=day(0)).status_code == 404
    assert do(world, "settle", login="city").status_code == 403
