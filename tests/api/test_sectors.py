"""`sector.act`, GET /v1/sectors: the five steps in order, each after the one before, with the ledger's own figures."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.problems.models import Problem
from backend.rings import loops
from tests import make
from tests.cast import A, World, told

SECTOR = make.PROGRAMME
PERIODS = iter(f"20{year}-{month:02d}" for year in range(40, 99) for month in range(1, 13))


def act(world: World, period: str, step: str, follows: str | None, login: str = "zhangdian", **more: Any) -> Any:
    args = {"sector": SECTOR, "period": period, "step": step, "content": f"{loops.STEPS.get(step, step)}（示例）", "follows": follows, **more}
    return world.desk(login).post("/v1/ops", json={"verb": "sector.act", "ent": {"t": "sector_act", "id": f"{period}-{login}-{step}"}, "args": args})


def loop(world: World, period: str, login: str = "auditor") -> Any:
    answer = world.desk(login).get(f"/v1/sectors?period={period}")
    assert answer.status_code == 200, answer.text
    return answer.json["loops"]


@pytest.mark.answers("rings.sectors", 200)
def test_the_five_steps_come_in_order_each_refers_to_the_one_before_and_says_what_the_ledger_says(world: World) -> None:
    period, before = next(PERIODS), None
    made = [make.problem(world, world.any_phone("inspector_a"), world.site()) for _ in range(2)]
    assert loop(world, period) == []
    for n, step in enumerate(loops.ORDER):
        for other in loops.ORDER[n + 1 :]:
            early = act(world, period, other, before)
            assert (early.status_code, early.json["reason"]) == (409, "guard_failed")
        assert act(world, period, step, "another").status_code == 409
        if step == "report":
            world.change(Problem.__table__.update().where(Problem.id == made[0].id).values(is_open=False, state="closed"))
        done = act(world, period, step, before)
        assert done.status_code == 200, done.text
        if step != "report":  # the last one was closed past the ledger's books
            rows = world.desk("zhangdian").get(f"/v1/ledgers/rollup?node={A}&by=programme").json["rows"]
            ours = next(row for row in rows if row["id"] == SECTOR)
            total = done.json["result"]["figures"]["total"]
            assert {name: ours[name] for name in total} == total
        assert act(world, period, step, before).status_code == 409, "once is once"
        before = f"{period}-zhangdian-{step}"
        (stands,) = loop(world, period)
        assert stands["due"] == (loops.ORDER[n + 1] if n < 4 else None) and len(stands["steps"]) == n + 1
    figures = {step["step"]: step["figures"] for step in stands["steps"]}
    assert figures["report"]["since_stock"] == {"found": 0, "open": -1, "closed": 1, "overdue": 0}
    assert sum(row["open"] for row in figures["stock"]["by_category"]) == figures["stock"]["total"]["open"]
    assert sum(row["found"] for row in figures["stock"]["by_district"]) == figures["stock"]["total"]["found"]
    assert [step["follows"] for step in stands["steps"]] == [None, *(step["id"] for step in stands["steps"][:-1])]


def test_what_is_said_stands_whatever_becomes_of_the_problems(world: World) -> None:
    period = next(PERIODS)
    first = act(world, period, "focus", None).json["result"]["figures"]
    make.problem(world, world.any_phone("inspector_a"), world.site())
    assert loop(world, period)[0]["steps"][0]["figures"] == first
    second = act(world, period, "stock", f"{period}-zhangdian-focus").json["result"]["figures"]
    assert second["total"]["found"] == first["total"]["found"] + 1 and second["clock"] > first["clock"]


def test_each_office_has_a_loop_of_its_own_and_its_next_step_on_its_list(world: World) -> None:
    period = next(PERIODS)
    for login in ("zhangdian", "city", "education"):
        assert act(world, period, "focus", None, login).status_code == 200
    assert sorted((each["area_path"], each["department_id"]) for each in loop(world, period)) == [
        ("370300", ""), ("370300", "education"), (f"370300/{A}", ""),
    ]  # fmt: skip
    mine = world.desk("zhangdian").get("/v1/mine").json["acts"]["rows"]
    (row,) = [r for r in mine if r["ring"] == "sector" and period in r["name"]]
    assert (row["what"], row["title"], row["due_on"]) == ("publish", "分析隐患存量", loops.last_day(period).isoformat())
    for login in ("nanding", "auditor", "kindergarten"):
        assert act(world, period, "focus", None, login).status_code == 403


@pytest.mark.answers("rings.sectors", 403)
@pytest.mark.answers("rings.sectors", 422)
def test_what_is_no_period_and_no_sector_is_refused(world: World) -> None:
    assert told(world.desk("city").get("/v1/sectors?period=2026-13")) == (422, "invalid")
    assert told(world.any_phone("inspector_a").ask("GET", "/v1/sectors")) == (403, "forbidden")
    assert world.desk("city").get("/v1/sectors").status_code == 200
    assert act(world, "2026-Q5", "focus", None).status_code == 422
    assert act(world, next(PERIODS), "focus", None, sector="love").status_code == 422


def test_a_month_and_a_quarter_end_on_their_last_day() -> None:
    ends = {"2024-02": date(2024, 2, 29), "2026-02": date(2026, 2, 28), "2026-12": date(2026, 12, 31)}
    ends |= {"2026-Q1": date(2026, 3, 31), "2026-Q4": date(2026, 12, 31)}
    assert {period: loops.last_day(period) for period in ends} == ends


@given(st.integers(1, 9999), st.integers(1, 12))
def test_the_day_after_a_months_last_day_is_the_first_of_the_next(year: int, month: int) -> None:
    end = loops.last_day(f"{year:04d}-{month:02d}")
    assert (end.year, end.month) == (year, month) and (end.toordinal() == date.max.toordinal() or date.fromordinal(end.toordinal() + 1).day == 1)
