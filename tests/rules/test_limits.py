"""Each clock of the domain, worked by hand from the State Council's notices across Spring Festival and National Day, 2025 and 2026."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from backend.packs import LIMITS
from backend.programmes import limits

# The n-th working day after a Friday before the holidays, counted on a calendar of paper.
# 2025-01-24: Sun 26 Jan worked; 28 Jan – 4 Feb off; Sat 8 Feb worked.
# 2025-09-26: Sun 28 Sep worked; 1 – 8 Oct off; Sat 11 Oct worked.
# 2026-02-13: Sat 14 Feb worked; 15 – 23 Feb off; Sat 28 Feb worked.
# 2026-09-18: Sun 20 Sep worked; 25 – 27 Sep and 1 – 7 Oct off; Sat 10 Oct worked.
STARTS = ("2025-01-24", "2025-09-26", "2026-02-13", "2026-09-18")
BY_HAND: dict[str, tuple[str, str, str, str]] = {
    # 核实并交办 1
    "assign": ("2025-01-26", "2025-09-28", "2026-02-14", "2026-09-20"),
    "receipt": ("2025-01-26", "2025-09-28", "2026-02-14", "2026-09-20"),  # 签收 1
    # 复查 3 · 限期改正通知书 3 · 重大通知书 3 · 提级区县 3
    "reinspect": ("2025-02-05", "2025-09-30", "2026-02-25", "2026-09-22"),
    "notice_timed": ("2025-02-05", "2025-09-30", "2026-02-25", "2026-09-22"),
    "notice_major": ("2025-02-05", "2025-09-30", "2026-02-25", "2026-09-22"),
    "escalate_district": ("2025-02-05", "2025-09-30", "2026-02-25", "2026-09-22"),
    # 公示 5
    "publish_listing": ("2025-02-07", "2025-10-10", "2026-02-27", "2026-09-24"),
    "publish_delisting": ("2025-02-07", "2025-10-10", "2026-02-27", "2026-09-24"),
    # 集体研究 7 · 提级市级 7
    "decide_major": ("2025-02-10", "2025-10-13", "2026-03-02", "2026-09-29"),
    "escalate_city": ("2025-02-10", "2025-10-13", "2026-03-02", "2026-09-29"),
    # 专家论证 10 · 抄告回复 10 · 延期审批 10 · 验收 10
    "expert_opinion": ("2025-02-13", "2025-10-16", "2026-03-05", "2026-10-09"),
    "reply": ("2025-02-13", "2025-10-16", "2026-03-05", "2026-10-09"),
    "decide_extension": ("2025-02-13", "2025-10-16", "2026-03-05", "2026-10-09"),
    "visit_acceptance": ("2025-02-13", "2025-10-16", "2026-03-05", "2026-10-09"),
    # 挂牌延期须届满前 15: the first day on which it would be too late to ask
    "extension_listed": ("2025-02-20", "2025-10-23", "2026-03-12", "2026-10-15"),
    # 当日
    "extension_general": STARTS,
    "escalate_township": STARTS,
    # 每季度 · 复发 365 日
    "progress_report": ("2025-03-31", "2025-09-30", "2026-03-31", "2026-09-30"),
    "recurs": ("2026-01-24", "2026-09-26", "2027-02-13", "2027-09-18"),
}
# 7 + 10 working days where experts are asked: the one counted on from the other.
WITH_EXPERTS = ("2025-02-24", "2025-10-27", "2026-03-16", "2026-10-19")
TERMS = (None, "2026-01-30", "2026-07-10", "2027-01-29")  # before the first term that is known there is none


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_a_clock_across_the_long_holidays_ends_on_the_day_found_by_hand(name: str) -> None:
    shipped = limits.shipped()
    found = [shipped.reckon(shipped.rows[name], date.fromisoformat(start))[0] for start in STARTS]
    assert [day and day.isoformat() for day in found] == list(BY_HAND[name])


def test_experts_have_their_days_after_those_of_the_decision() -> None:
    first = [limits.due("decide_major", date.fromisoformat(start))[0] for start in STARTS]
    assert [limits.due("expert_opinion", day)[0].isoformat() for day in first] == list(WITH_EXPERTS)  # type: ignore[arg-type,union-attr]


def test_a_clock_by_term_ends_with_the_term_and_an_unknown_term_is_said() -> None:
    shipped = limits.shipped()
    row = shipped.rows["joint_check"]
    for start, ends_on in zip(STARTS, TERMS, strict=True):
        on, reason = shipped.reckon(row, date.fromisoformat(start))
        assert (on and on.isoformat()) == ends_on
        assert (reason.get("none") == "no_term") == (ends_on is None)
    assert shipped.reckon(row, date(2026, 8, 1))[0] == date(2027, 1, 29), "in the holidays: the term that comes"
    assert shipped.reckon(row, date(2027, 3, 1))[1]["none"] == "no_term"


def test_every_clock_is_in_the_table_by_hand() -> None:
    assert set(limits.shipped().rows) == set(BY_HAND) | {"joint_check"}


def test_a_year_without_a_calendar_is_said_and_no_day_is_guessed() -> None:
    on, reason = limits.due("reply", date(2050, 12, 20))
    assert on is None and (reason["none"], reason["detail"]) == ("no_calendar", "no working-day calendar for 2050")
    assert limits.due("recurs", date(2050, 12, 20))[0] == date(2051, 12, 20), "days of the calendar need none"


def test_a_local_rule_that_nobody_has_confirmed_gives_no_day_and_says_so() -> None:
    assert limits.due("publish_listing", date(2026, 4, 7)) == (None, {"limit": "publish_listing", "none": "not_confirmed"})
    assert limits.due("no such", date(2026, 4, 7)) == (None, {"limit": "no such", "none": "no_limit"})


def test_every_row_has_its_source_or_says_that_the_city_confirms_it() -> None:
    for row in limits.shipped().rows.values():
        assert row.basis or (row.scope == "sample" and row.city_confirms), row.id
        assert not row.scope.startswith("local") or row.city_confirms, f"{row.id}: another place's rule"
        assert row.name_zh and row.name_en


@pytest.mark.parametrize("spoilt", [
    {"unit": "weeks"}, {"n": -1}, {"n": "3"}, {"basis": None, "scope": "national"}, {"basis": {"title": "某规定"}},
])  # fmt: skip
def test_a_row_with_a_slip_is_refused(tmp_path: Path, spoilt: dict[str, object]) -> None:
    body = yaml.safe_load(LIMITS.read_text(encoding="utf-8"))
    body["limits"][1] |= spoilt
    (tmp_path / "limits.yaml").write_text(yaml.safe_dump(body, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ValueError, match="reinspect"):
        limits.read(tmp_path / "limits.yaml")
