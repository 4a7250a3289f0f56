"""Working days of China with their make-up workdays (调休). Never a guess: a year without data is said.

The published years come from the State Council's yearly notices by way of chinesecalendar; a city may load a
year of its own before a new release. Never a clock, a database or a deadline's legal meaning here.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import chinese_calendar

CITY_TIME = ZoneInfo("Asia/Shanghai")
LoadedYear = Mapping[str, Iterable[date | str]]


class CalendarUnknown(LookupError):
    """No calendar for that year has been published or loaded."""

    def __init__(self, year: int) -> None:
        super().__init__(f"no working-day calendar for {year}")
        self.year = year


def local_date(at: datetime) -> date:
    """The day in China (Asia/Shanghai) of an aware instant. Raises ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError("an instant without a time zone has no day")
    return at.astimezone(CITY_TIME).date()


class Calendar:
    """The published calendar, with the city's own years before it. Immutable."""

    def __init__(self, extra: Mapping[int, LoadedYear] | None = None) -> None:
        """`extra`: year → {"holidays": days off, "workdays": weekend days worked}, as dates or ISO text.

        Ordinary weekends need not be listed. Raises ValueError for a day of another year, a "workday" that is
        no weekend day, a day in both lists, or a list of another name.
        """
        self._own = {year: _loaded(year, days) for year, days in (extra or {}).items()}

    def is_workday(self, day: date) -> bool:
        """Whether people work on `day`, a day in China. Raises CalendarUnknown; TypeError for an instant."""
        if isinstance(day, datetime):
            raise TypeError("an instant is no day: see local_date")
        own = self._own.get(day.year)
        if own is not None:
            holidays, workdays = own
            return day in workdays or (day.weekday() < 5 and day not in holidays)
        try:
            return bool(chinese_calendar.is_workday(day))
        except NotImplementedError as unknown:
            raise CalendarUnknown(day.year) from unknown

    def add_workdays(self, start_on: date, n: int) -> date:
        """The `n`-th working day after `start_on`, which is not counted itself (Civil Code art. 201).

        0 gives `start_on` back. Raises CalendarUnknown where the way leads through a year without data,
        ValueError for n below 0.
        """
        if n < 0:
            raise ValueError("working days are counted forwards")
        day = start_on
        while n > 0:
            day += timedelta(days=1)
            n -= self.is_workday(day)
        return day

    def workdays_between(self, start_on: date, end_on: date) -> int:
        """Working days after `start_on` up to and with `end_on`; 0 where that is not later."""
        days = (end_on - start_on).days
        return sum(self.is_workday(start_on + timedelta(days=n + 1)) for n in range(max(days, 0)))


def _loaded(year: int, days: LoadedYear) -> tuple[frozenset[date], frozenset[date]]:
    strange = set(days) - {"holidays", "workdays"}
    if strange:
        raise ValueError(f"{year}: unknown list {sorted(strange)[0]}")
    holidays, workdays = (
        frozenset(date.fromisoformat(day) if isinstance(day, str) else day for day in days.get(name, ()))
        for name in ("holidays", "workdays")
    )
    for day in sorted(holidays | workdays):
        if day.year != year:
            raise ValueError(f"{year}: {day} is of another year")
    for day in sorted(workdays):
        if day in holidays or day.weekday() < 5:
            raise ValueError(f"{year}: {day} is no make-up workday: it is a weekday or a holiday")
    return holidays, workdays


PUBLISHED = Calendar()
is_workday = PUBLISHED.is_workday
add_workdays = lru_cache(maxsize=4096)(PUBLISHED.add_workdays)  # the same few days, once per problem
workdays_between = PUBLISHED.workdays_between
