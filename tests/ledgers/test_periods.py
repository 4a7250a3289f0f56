"""The law of restatement on random histories, through the real handlers: what was published and the reasons told for each
difference sum to what is told now, for every place and axis; what was published never changes."""

import itertools
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from backend import rows
from backend.access.scope import SYSTEM, Actor
from backend.database import clock, db, snapshot, to_ms
from backend.ledgers import queries as ledgers
from backend.now import now_utc
from backend.ops.apply import apply
from backend.ops.op import desk_op
from backend.periods import comparing, queries
from backend.periods.rules import MEASURES, REASONS
from sync_protocol.clock import exact
from tests.ledgers import history, recount
from tests.problems.ground import Ground, new_id

ZONE = ZoneInfo("Asia/Shanghai")
STEPS = st.sampled_from((*history.STEPS, "late", "late"))
STORIES = st.lists(st.tuples(STEPS, st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=8)
ASKED = {"370300": ("area", *ledgers.AXES), "370303": ("department", "grade", "school"), "370302": ("township", "state")}
FRESH = itertools.count(30)  # so that each example has periods that nobody has published


class Player(history.Player):
    """One who also brings what was found days ago."""

    def step(self, what: str, one: int, other: int) -> None:
        if what == "late":
            self._bring(1 + other * 3)
        else:
            super().step(what, one, other)

    def _bring(self, days: int) -> None:
        finding, (site, item), now = new_id(), self.ground.place(), now_utc()
        args = {"site_id": site, "item": item, "programme": "campus-perimeter", "template_version": 1, "remark": "迟到（示例）"}
        made = replace(desk_op(new_id(), "problem.report", args, SYSTEM.id, ("finding", finding), now), recorded=exact(to_ms(now - timedelta(days=days))))
        (done,) = rows.run(lambda session: apply(session, [made], SYSTEM, now))
        assert done.status == "applied", done
        self.mine.append(f"p-{finding}:{item}")


def published(ground: Ground, period: str) -> Any:
    done = ground.do("ledger.publish", "city", "system", kind="ledger", period=period)
    assert done.status == "applied", done
    return done.result


def figures(found: dict[str, Any]) -> dict[str, list[int]]:
    return {row["id"]: [row[m] for m in MEASURES] for row in found["rows"]}


def recounted(problems: list[dict[str, Any]], axis: str, first: Any, last: Any, node: str = "370300") -> dict[str, list[int]]:
    """The five figures from the problems' own rows, in plain Python: the oracle."""
    made: dict[str, list[int]] = {}
    for p in problems:
        day = p["found_at"].astimezone(ZONE).date()
        is_open = p["state"] not in ("closed", "refuted")
        if p["district_id"] is None or p["state"] in ("merged", "deleted") or day > last or node not in p["area_path"].split("/"):
            continue
        late = is_open and p["due_on"] is not None and p["due_on"] < last
        five = [day >= first, day >= first and is_open, day >= first and late, is_open, late]
        at = made.setdefault(p[recount.AXES[axis]] or "-", [0] * 5)
        at[:] = [a + b for a, b in zip(at, five, strict=True)]
    return {key: five for key, five in made.items() if any(five)}


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(before=STORIES, after=STORIES)
def test_published_and_reasons_sum_to_now_for_every_place_and_axis(both: Ground, before: Any, after: Any) -> None:
    player, today, k = Player(both), now_utc().astimezone(ZONE).date(), next(FRESH)
    spans = [(today - timedelta(days=k), today), (today - timedelta(days=k), today - timedelta(days=5))]
    for step in before:
        player.step(*step)
    told = [published(both, f"{first}/{last}") for first, last in spans]
    with snapshot() as session:
        then = recount.now(session)[1]
    for step in after:
        player.step(*step)
    end = published(both, f"{today - timedelta(days=k)}/{today - timedelta(days=1)}")
    with snapshot() as session:
        now = recount.now(session)[1]
        flows_hold(session, told[0]["number"], end["number"], then, now)
        for (first, last), told_of in zip(spans, told, strict=True):
            period = queries.get(session, SYSTEM, told_of["number"])
            assert period is not None
            assert queries.checked(session, period) == {"is_intact": True, "is_reproduced": True}
            for axis in ledgers.AXES:
                assert figures(queries.rollup(session, SYSTEM, period, "370300", axis)) == recounted(then, axis, first, last), axis
            for node, axes in ASKED.items():
                for axis in axes:
                    found = queries.restated(session, SYSTEM, period, None, node, axis)
                    oracle = recounted(now, axis, first, last, node)
                    for row in (*found["rows"], found["total"]):
                        for name in MEASURES:
                            assert row["then"][name] + sum(w[name] for w in row["why"].values()) == row["now"][name], (node, axis, row)
                            assert row["difference"][name] == row["now"][name] - row["then"][name]
                        assert set(row["why"]) <= set(REASONS)
                    assert {r["id"]: [r["now"][m] for m in MEASURES] for r in found["rows"] if any(r["now"].values())} == oracle, (node, axis)


def flows_hold(session: Any, first: str, second: str, then: list[dict[str, Any]], now: list[dict[str, Any]]) -> None:
    """Carried over, and what came and went, is what is open at the end: of each row, against a recount."""
    one, two = (queries.get(session, SYSTEM, number) for number in (first, second))
    assert one is not None and two is not None
    for axis in ("department", "grade", "township", "school", "category"):
        made = comparing.difference(session, SYSTEM, one, two, "370300", axis)
        was, is_now = ({key: row[1] for key, row in recount.counted(each, axis, date.max).items() if row[1]} for each in (then, now))
        for row in made["rows"]:
            came, went = row["new"] + row["recurred"] + row["came"], row["closed"] + row["away"] + row["went"]
            assert row["carried"] + came - went == row["standing"], (axis, row)
            assert (row["carried"], row["standing"]) == (was.get(row["id"], 0), is_now.get(row["id"], 0)), (axis, row)
            for flow in comparing.FLOWS:
                assert len(comparing.rows(session, SYSTEM, one, two, "370300", axis, row["id"], flow)) == row[flow]
        assert made["total"]["standing"] == sum(is_now.values())


def test_a_restatement_is_numbered_kept_and_told_apart_from_the_next(both: Ground) -> None:
    player, today, k = Player(both), now_utc().astimezone(ZONE).date(), next(FRESH)
    player.step("raise", 0, 0)
    player.step("late", 0, 2)
    told = published(both, f"{today - timedelta(days=k)}/{today}")
    nothing = both.do("ledger.restate", told["number"], "system", kind="ledger")
    assert (nothing.status, nothing.reason) == ("parked", "guard_failed")
    player.step("late", 0, 3)  # found ten days ago
    late = player.mine[-1]
    first = both.do("ledger.restate", told["number"], "system", kind="ledger", note="迟到同步")
    assert first.status == "applied" and first.result["number"] == f"{told['number']}-R1"
    player.step("grow", 0, 0)
    player.step("delete", 1, 0)
    second = both.do("ledger.restate", told["number"], "system", kind="ledger")
    assert second.result["number"] == f"{told['number']}-R2"
    with snapshot() as session:
        period = queries.get(session, SYSTEM, told["number"])
        editions = queries.restatements(session, SYSTEM, told["number"])
        assert period is not None and [e.edition for e in editions] == [1, 2]
        one, two = (queries.restated(session, SYSTEM, period, e, "370300", "grade")["total"] for e in editions)
        assert set(one["why"]) == {"late"} and one["difference"]["found"] == 1 and one["then"] == two["then"]
        assert set(two["why"]) == {"late", "regraded", "deleted"} and two["difference"]["found"] == 0
        (row,) = queries.rows(session, SYSTEM, period, editions[0], "370300", "grade", "general", "late")
        assert row["problem_id"] == late and row["told"]["days_late"] == 10 and row["told"]["person"] == "system"
        for each in (period, *editions):
            assert queries.checked(session, each) == {"is_intact": True, "is_reproduced": True}
        stranger = Actor("u-x", "district", ("370300/370302",))
        assert queries.rows(session, stranger, period, editions[1], "370302", "grade", None, None) == []
        assert clock(session) > period.clock


@pytest.mark.parametrize("table", ["ledger_period_cells", "ledger_periods"])
def test_a_figure_or_head_that_was_altered_is_seen(both: Ground, table: str) -> None:
    player, today = Player(both), now_utc().astimezone(ZONE).date()
    player.step("raise", 0, 0)
    told = published(both, f"{today - timedelta(days=next(FRESH))}/{today}")
    session = db.session()
    try:
        change = "found = found + 1" if table == "ledger_period_cells" else "clock = clock - 1"
        session.execute(text(f"UPDATE {table} SET {change} WHERE number = :n"), {"n": told["number"]})  # in a view that is never kept
        period = queries.get(session, SYSTEM, told["number"])
        assert period is not None and not queries.checked(session, period)["is_intact"]
    finally:
        session.rollback()
        session.close()
