"""Who must act next in a problem, and until when: one of each while it is open, or the reason why there is no day. Pure.

The table says whose turn it is and which clock runs (table.py, WAITS); the days are pack data (programmes/limits.py). Days
are counted from when the server received what began the clock, so that nobody is late because a phone was.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from backend.problems import rules
from backend.problems.table import LEVELS, Step
from backend.programmes import limits
from backend.workdays import local_date

NONE: dict[str, Any] = {
    "next_actor": None,
    "clock": None,
    "clock_on": None,
    "clock_reason": {},
    "escalated_level": None,
}


def of(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What stands on the row of a problem that is as `row` says from `now` on: next actor, clock, day, reason, and that
    nothing of this clock has been escalated yet."""
    wait = rules.waits(row["state"], row["waits_for"])
    if wait is None:
        return {**NONE, "clock_n": row["clock_n"]}
    on, reason = _fix(row) if wait.clock == "fix" else limits.due(wait.clock, local_date(now))
    begun = {"next_actor": wait.next_actor, "clock": wait.clock, "clock_on": on, "clock_reason": reason}
    return {**begun, "escalated_level": None, "clock_n": row["clock_n"] + 1}


def _fix(row: Mapping[str, Any]) -> limits.Due:
    """The problem's own day: by its class, by a supervisor, or by a granted extension; deadline_reason says which."""
    due_on, told = row["due_on"], row["deadline_reason"] or {}
    if due_on is not None:
        return due_on, {"limit": "fix"}
    return None, {
        "limit": "fix",
        "none": "no_calendar" if "unknown" in told else "no_day_set",
        "detail": told.get("unknown"),
    }


def waits_after(step: Step, waits_for: str | None) -> str | None:
    """The application that is open after a step: one that moves the problem on has overtaken it."""
    if step.waits is not None:
        return step.waits or None
    return None if step.to is not None else waits_for


def next_level(row: Mapping[str, Any], today: date) -> str | None:
    """The level that an overdue clock is to be told of next, if its day has come."""
    left = levels_after(row["escalated_level"])
    is_told = bool(left) and row["clock_on"] is not None and is_told_by(left[0], row["clock_on"], today)
    return left[0] if is_told else None


def levels_after(told: str | None) -> tuple[str, ...]:
    """The levels that are told after one of them, or all."""
    return LEVELS[LEVELS.index(told) + 1 :] if told else LEVELS


def is_told_by(level: str, last_on: date, today: date) -> bool:
    """Whether the day has come on which a level is told of a clock whose last day was `last_on`; the spacing is pack data."""
    last, _ = limits.due(f"escalate_{level}", last_on)
    return last is not None and last < today
