"""Working days, worked by hand from the State Council's notices for 2025 and 2026. No app, no database."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.workdays import (
    Calendar,
    CalendarUnknown,
    add_workdays,
    is_workday,
    local_date,
    workdays_between,
)

DAYS = st.dates(date(2025, 1, 1), date(2026, 11, 30))

# Spring Festival 2025: 28 Jan - 4 Feb off; Sun 26 Jan and Sat 8 Feb worked. National Day 2025: 1 - 8 Oct off;
# Sun 28 Sep and Sat 11 Oct worked. Spring Festival 2026: 15 - 23 Feb off; Sat 14 and Sat 28 Feb worked.
# National Day 2026: Mid-Autumn 25 - 27 Sep and 1 - 7 Oct off; Sun 20 Sep and Sat 10 Oct worked.
BY_HAND = [
    ("2025-01-24", 1, "2025-01-26"),
    ("2025-01-24", 2, "2025-01-27"),
    ("2025-01-24", 3, "2025-02-05"),
    ("2025-01-24", 6, "2025-02-08"),
    ("2025-01-24", 7, "2025-02-10"),
    ("2025-01-30", 1, "2025-02-05"),
    ("2025-09-26", 1, "2025-09-28"),
    ("2025-09-26", 3, "2025-09-30"),
    ("2025-09-26", 4, "2025-10-09"),
    ("2025-09-26", 6, "2025-10-11"),
    ("2025-09-26", 7, "2025-10-13"),
    ("2026-02-13", 1, "2026-02-14"),
    ("2026-02-13", 2, "2026-02-24"),
    ("2026-02-13", 6, "2026-02-28"),
    ("2026-02-13", 7, "2026-03-02"),
    ("2026-09-18", 1, "2026-09-20"),
    ("2026-09-18", 5, "2026-09-24"),
    ("2026-09-18", 6, "2026-09-28"),
    ("2026-09-18", 9, "2026-10-08"),
    ("2026-09-18", 11, "2026-10-10"),
    ("2026-09-18", 12, "2026-10-12"),
]


@pytest.mark.parametrize(("start_on", "n", "due_on"), BY_HAND)
def test_a_deadline_across_a_long_holiday_falls_on_the_day_found_by_hand(
    start_on: str, n: int, due_on: str
) -> None:
    start, due = date.fromisoformat(start_on), date.fromisoformat(due_on)
    assert add_workdays(start, n) == due
    assert workdays_between(start, due) == n


def test_a_make_up_sunday_is_worked_and_a_holiday_monday_is_not() -> None:
    assert is_workday(date(2025, 9, 28))
    assert not is_workday(date(2025, 10, 6))
    assert not is_workday(date(2025, 11, 22))


def test_a_year_without_data_is_said_and_not_guessed() -> None:
    with pytest.raises(CalendarUnknown) as unknown:
        is_workday(date(2051, 3, 1))
    assert unknown.value.year == 2051
    assert isinstance(unknown.value, LookupError)


def test_a_deadline_that_runs_into_an_unknown_year_names_that_year() -> None:
    last = Calendar({2050: {"holidays": [], "workdays": []}})
    with pytest.raises(CalendarUnknown) as unknown:
        last.add_workdays(date(2050, 12, 28), 15)
    assert unknown.value.year == 2051
    assert last.add_workdays(date(2050, 12, 28), 2) == date(2050, 12, 30)  # a Friday


def test_a_city_may_load_a_year_before_it_is_published() -> None:
    own = Calendar({2050: {"holidays": ["2050-03-01"], "workdays": [date(2050, 3, 5)]}})
    assert not own.is_workday(date(2050, 3, 1))  # a Tuesday
    assert own.is_workday(date(2050, 3, 5))  # a Saturday
    assert own.is_workday(date(2050, 3, 2))
    assert own.is_workday(date(2025, 9, 28)), "published years stay"


def test_a_loaded_year_counts_before_the_published_one() -> None:
    own = Calendar({2025: {"holidays": [], "workdays": []}})
    assert own.is_workday(date(2025, 10, 6))
    assert not is_workday(date(2025, 10, 6))


@pytest.mark.parametrize(
    ("days", "word"),
    [
        ({"holidays": ["2049-12-31"]}, "another year"),
        ({"workdays": ["2050-03-01"]}, "make-up"),
        ({"holidays": ["2050-03-05"], "workdays": ["2050-03-05"]}, "make-up"),
        ({"holydays": []}, "unknown list"),
        ({"holidays": ["2050-02-30"]}, "day is out of range"),
    ],
)
def test_a_loaded_year_with_a_slip_is_refused(days: dict[str, list[str]], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Calendar({2050: days})


def test_the_day_is_that_of_china_and_not_of_greenwich() -> None:
    assert local_date(datetime(2025, 3, 14, 15, 59, 59, tzinfo=UTC)) == date(2025, 3, 14)
    assert local_date(datetime(2025, 3, 14, 16, 0, tzinfo=UTC)) == date(2025, 3, 15)
    with pytest.raises(ValueError, match="time zone"):
        local_date(datetime(2025, 3, 14, 16, 0))


def test_an_instant_in_place_of_a_day_is_refused() -> None:
    with pytest.raises(TypeError, match="local_date"):
        is_workday(datetime(2025, 3, 14, tzinfo=UTC))


def test_nothing_is_counted_backwards() -> None:
    assert add_workdays(date(2025, 3, 14), 0) == date(2025, 3, 14)
    assert workdays_between(date(2025, 3, 14), date(2025, 3, 7)) == 0
    with pytest.raises(ValueError, match="forwards"):
        add_workdays(date(2025, 3, 14), -1)


@given(DAYS, st.integers(1, 15))
def test_the_nth_working_day_is_worked_and_n_working_days_away(start_on: date, n: int) -> None:
    due = add_workdays(start_on, n)
    assert is_workday(due)
    assert workdays_between(start_on, due) == n
    assert workdays_between(start_on, due - timedelta(days=1)) == n - 1


@given(DAYS, st.integers(0, 8), st.integers(0, 7))
def test_two_steps_come_to_the_same_day_as_one(start_on: date, n: int, more: int) -> None:
    assert add_workdays(add_workdays(start_on, n), more) == add_workdays(start_on, n + more)
