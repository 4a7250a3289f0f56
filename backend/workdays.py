"""Working days of China with their make-up workdays. A year without data is said (CalendarUnknown), never guessed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import chinese_calendar


class CalendarUnknown(LookupError):
    """No calendar for that year has been published or loaded."""

    def __init__(self, year: int) -> None:
        super().__init__(f"no working-day calendar for {year}")
        self.year = year


@dataclass(frozen=True, slots=True)
class Year:
    """A year loaded by a city: days off that fall on weekdays, and weekend days that are worked."""

    holidays: frozenset[date]
    workdays: frozenset[date]


@dataclass(frozen=True, slots=True)
class Calendar:
    """The published calendar, with the city's own years before it."""

    years: Mapping[int, Year] = field(default_factory=dict)

    def is_workday(self, day: date) -> bool:
        """Whether people work on `day`. Raises CalendarUnknown."""
        own = self.years.get(day.year)
        if own is not None:
            return day in own.workdays or (day.weekday() < 5 and day not in own.holidays)
        try:
            return bool(chinese_calendar.is_workday(day))
        except NotImplementedError as unknown:
            raise CalendarUnknown(day.year) from unknown

    def add_workdays(self, start_on: date, n: int) -> date:
        """The `n`-th working day after `start_on` (the day itself is not counted). Raises CalendarUnknown."""
        day = start_on
        while n > 0:
            day += timedelta(days=1)
            n -= self.is_workday(day)
        return day

    def workdays_between(self, start_on: date, end_on: date) -> int:
        """Working days after `start_on` up to and with `end_on`; 0 where it is not later. Raises CalendarUnknown."""
        days = (end_on - start_on).days
        return sum(self.is_workday(start_on + timedelta(days=n + 1)) for n in range(max(days, 0)))


PUBLISHED = Calendar()
is_workday = PUBLISHED.is_workday
add_workdays = PUBLISHED.add_workdays
workdays_between = PUBLISHED.workdays_between
