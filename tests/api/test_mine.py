"""GET /v1/mine and the page /mine: what waits for whoever asks, counted and listed, theirs alone, in a fixed number of statements."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from backend.accounts.models import Holding
from backend.console.texts import texts
from backend.database import db
from backend.mine import rules
from backend.now import now_utc
from backend.problems.models import Problem
from backend.workdays import local_date
from tests import make
from tests.cast import A_SITE, CAST, A, B, World

TODAY = local_date(now_utc())
DUE = {"overdue": -3, "today": 0, "soon": 5, "later": 40, "undated": None}


def mine(world: World, login: str) -> Any:
    answer = world.desk(login).get("/v1/mine")
    assert answer.status_code == 200, answer.text
    return answer.json


def problem(world: World, district: str = A, site: str = "", **values: Any) -> Any:
    made = make.problem(world, world.any_phone("inspector_a" if district == A else "inspector_b"), site or world.site(district), values.pop("item", make.ITEM))
    values = {"next_actor": "supervisor", "is_open": True, "clock_on": None, **values}
    world.change(Problem.__table__.update().where(Problem.id == made.id).values(**values))
    return made


def numbers(found: Any) -> set[str]:
    return {row["number"] for row in found["problems"]["rows"]}


@pytest.mark.answers("mine.mine", 200)
def test_each_urgency_is_counted_and_the_most_urgent_comes_first(world: World) -> None:
    before = mine(world, "zhangdian")["problems"]["counts"]
    for days in DUE.values():
        problem(world, due_on=None if days is None else TODAY + timedelta(days=days))
    found = mine(world, "zhangdian")["problems"]
    assert {name: n - before[name] for name, n in found["counts"].items()} == {**dict.fromkeys(DUE, 1), "total": 5}
    assert Counter(row["urgency"] for row in found["rows"]) == Counter({k: n for k, n in found["counts"].items() if n and k != "total"})
    days = [row["due_on"] or "9999" for row in found["rows"]]
    assert days == sorted(days)


def test_the_day_is_that_of_the_clock_that_runs_for_the_next_actor(world: World) -> None:
    one = problem(world, due_on=TODAY + timedelta(days=30), clock="reinspect", clock_on=TODAY - timedelta(days=1), next_actor="inspector")
    (row,) = [row for row in mine(world, "zhangdian")["problems"]["rows"] if row["number"] == one.number]
    assert (row["urgency"], row["clock"], row["due_on"]) == ("overdue", "reinspect", (TODAY - timedelta(days=1)).isoformat())


@pytest.mark.parametrize("why", ["no_day_set", "no_calendar", "not_confirmed", "no_limit", "no_term", "before_clocks"])
def test_where_there_is_no_day_it_is_said_why(world: World, why: str) -> None:
    one = problem(world, clock_on=None, due_on=None, clock_reason={"limit": "fix", "none": why})
    (row,) = [row for row in mine(world, "zhangdian")["problems"]["rows"] if row["number"] == one.number]
    assert (row["urgency"], row["due_on"], row["no_day"]) == ("undated", None, why)
    page = world.desk("zhangdian").get("/mine", headers={"Accept": "text/html", "Accept-Language": "zh"}).text
    assert f"未定期限 · {texts('zh')[f'why_{why}']}" in page


@pytest.mark.parametrize(("word", "waits"), [
    ("supervisor", {"zhangdian"}), ("inspector", {"zhangdian"}), ("department", {"education", "nanding", "kindergarten"}),
    ("department,supervisor", {"zhangdian", "education", "nanding", "kindergarten"}), (None, set()),
])  # fmt: skip
def test_a_problem_waits_for_those_whom_its_next_actor_means_and_for_nobody_else(world: World, word: str | None, waits: set[str]) -> None:
    item = {"supervisor": "A102", "inspector": "A103", "department": "A104", "department,supervisor": "A105", None: "A106"}[word]
    one = problem(world, site=A_SITE, item=item, next_actor=word, department_id="education")
    seen = {login for login in CAST if CAST[login].role not in ("inspector", "expert", "admin") and one.number in numbers(mine(world, login))}
    assert seen == waits


def test_what_has_ended_and_what_is_another_departments_waits_for_nobody_here(world: World) -> None:
    ended = problem(world, is_open=False, next_actor="supervisor")
    other = problem(world, next_actor="department", department_id="market")
    assert ended.number not in numbers(mine(world, "zhangdian")) and other.number not in numbers(mine(world, "education"))


def test_what_no_district_has_waits_for_the_city(world: World) -> None:
    one = problem(world, district_id=None)
    assert one.number in numbers(mine(world, "city"))


def test_an_account_that_signs_for_a_post_has_what_hangs_on_the_post(world: World) -> None:
    one = problem(world, B, next_actor="supervisor")
    assert one.number not in numbers(mine(world, "auditor"))
    world.change(Holding.__table__.update().where(Holding.post_id == f"district-{B}").values(user_id="u-auditor"))
    assert one.number in numbers(mine(world, "auditor"))
    world.change(Holding.__table__.update().where(Holding.post_id == f"district-{B}").values(to_on=date(2026, 1, 1)))
    assert one.number not in numbers(mine(world, "auditor")), "a term that is over gives nothing"


def op(world: World, login: str, verb: str, name: str, **args: Any) -> None:
    answer = world.desk(login).post("/v1/ops", json={"verb": verb, "ent": {"t": "handover", "id": name}, "args": args})
    assert answer.status_code == 200, answer.text


def acts(world: World, login: str, name: str) -> list[str]:
    return [act["what"] for act in mine(world, login)["acts"]["rows"] if act["id"] == name]


def test_a_handover_is_to_sign_to_answer_to_judge_and_to_close_each_by_whom_it_waits_for(world: World) -> None:
    one, name = problem(world), make.new_id()
    op(world, "city", "handover.issue", name, to={"area": A}, due_on=TODAY.isoformat(), problems=[one.number], demand="尽快（示例）")
    assert (acts(world, "zhangdian", name), acts(world, "city", name), acts(world, "zichuan", name)) == (["sign"], [], [])
    op(world, "zhangdian", "handover.sign", name)
    assert (acts(world, "zhangdian", name), acts(world, "city", name)) == (["reply"], [])
    op(world, "zhangdian", "handover.reply", name, results=[{"problem": one.number, "result": "cannot", "note": "停工（示例）"}])
    assert (acts(world, "zhangdian", name), acts(world, "city", name)) == ([], ["judge"])
    op(world, "city", "handover.judge", name, problems=[one.number], accepted=False, note="不充分")
    assert (acts(world, "zhangdian", name), acts(world, "city", name)) == (["reply"], [])
    world.change(Problem.__table__.update().where(Problem.id == one.id).values(is_open=False))
    assert (acts(world, "zhangdian", name), acts(world, "city", name)) == ([], ["close"])
    op(world, "city", "handover.close", name)
    assert acts(world, "city", name) == []


def statements(world: World, login: str) -> int:
    """How many statements the answer takes."""
    said: list[str] = []
    with world.app.app_context():
        engine = db.engine

    def hear(*args: Any) -> None:
        said.append(args[2])

    event.listen(engine, "before_cursor_execute", hear)
    try:
        mine(world, login)
    finally:
        event.remove(engine, "before_cursor_execute", hear)
    return len(said)


def test_the_number_of_statements_does_not_grow_with_what_waits(world: World) -> None:
    few = statements(world, "zhangdian")
    for _ in range(6):
        one, name = problem(world), make.new_id()
        op(world, "city", "handover.issue", name, to={"area": A}, due_on=TODAY.isoformat(), problems=[one.number])
        op(world, "zhangdian", "handover.sign", name)
    assert statements(world, "zhangdian") <= few + 2 <= 28  # at the most what merged problems became


@pytest.mark.parametrize("login", sorted(CAST))
@pytest.mark.answers("console.mine", 200)
def test_everybody_has_the_page_in_both_languages(world: World, login: str) -> None:
    page = world.desk(login).get("/mine")
    assert page.status_code == 200 and "我的待办" in page.text
    assert "Mine today" in world.desk(login).get("/mine?lang=en").text


def test_the_page_lists_what_the_route_lists(world: World) -> None:
    problem(world, due_on=TODAY)
    page, found = world.desk("zhangdian").get("/mine").text, mine(world, "zhangdian")
    assert found["problems"]["rows"] and all(row["number"] in page for row in found["problems"]["rows"])
    assert all(act["name"] in page for act in found["acts"]["rows"])


@pytest.mark.answers("console.mine", 302)
def test_a_stranger_is_sent_to_sign_in(world: World) -> None:
    assert world.anonymous().get("/mine").headers["Location"] == "/login"


def test_every_role_of_a_desk_is_in_the_table_and_every_urgency_has_words() -> None:
    assert set(rules.WAITS_FOR) == {"city", "district", "department", "township", "school"}
    assert rules.urgency(TODAY + timedelta(days=rules.SOON_DAYS), TODAY) == "soon"
    assert rules.urgency(TODAY + timedelta(days=rules.SOON_DAYS + 1), TODAY) == "later"
