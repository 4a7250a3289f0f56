"""What a period is, what counts in it, and why a figure differs later. Pure: no database, no clock.

Theory. A period is a question put to the record as of a clock: how many problems were found in these days of the city, and
which of them (and of those found before) were open. The same question put to a later clock may be answered otherwise; each
difference is taken problem by problem, column by column in a fixed order (CHANGES), so that what was published and all
differences sum to what is told now, for every place and along every axis.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

MEASURES = ("found", "open", "overdue", "standing", "standing_overdue")
KEY = ("area_path", "district_id", "township_id", "site_id", "department_id", "category", "grade", "programme", "state",
       "unplaced_reason")  # fmt: skip
LINE = (*KEY, "is_open", "is_counted", "due_on", "found_at")  # what of a ledger's line counts
NAME = re.compile(
    r"(?P<week>\d{4}-W\d{2})|(?P<month>\d{4}-\d{2})|(?P<quarter>\d{4}-Q[1-4])|(?P<days>\d{4}-\d\d-\d\d/\d{4}-\d\d-\d\d)"
)
REASONS: Mapping[str, str] = {
    "late": "期内发现，公布后收到（迟到同步）", "moved": "位置更正", "found_day": "发现日期更正", "reassigned": "改派部门", "recategorised": "类别更正",
    "regraded": "等级更正", "due": "期限变更", "merged": "并案", "separated": "拆案", "deleted": "撤销", "restored": "恢复",
    "refuted": "查证不成立", "closed": "公布后销号", "reopened": "公布后反销号", "progress": "状态变化",
}  # fmt: skip
# Columns that changed together for one reason, in the order in which they are told; the state comes last (_of_state).
CHANGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("moved", ("area_path", "district_id", "township_id", "site_id", "unplaced_reason")), ("found_day", ("found_at",)),
    ("reassigned", ("department_id",)), ("recategorised", ("category", "programme")), ("regraded", ("grade",)), ("due", ("due_on",)),
)  # fmt: skip
Line = Mapping[str, Any]
Figures = tuple[int, ...]
NOTHING: Figures = (0,) * len(MEASURES)


@dataclass(frozen=True, slots=True)
class Window:
    """Days of the city, both included."""

    name: str
    from_on: date
    to_on: date
    zone: ZoneInfo

    @property
    def begins_at(self) -> datetime:
        """The first instant."""
        return datetime.combine(self.from_on, time(), self.zone)

    @property
    def ends_at(self) -> datetime:
        """The first instant after it."""
        return datetime.combine(self.to_on + timedelta(days=1), time(), self.zone)


def window(name: str, zone: ZoneInfo) -> Window:
    """A period by its name (ISO 8601): 2026-W47, 2026-11, 2026-Q4 or 2026-11-01/2026-11-15. Raises ValueError."""
    found = NAME.fullmatch(name)
    if found is None:
        raise ValueError("a week 2026-W47, a month 2026-11, a quarter 2026-Q4 or days 2026-11-01/2026-11-15")
    from_on, to_on = _DAYS[str(found.lastgroup)](name)
    return Window(name, from_on, to_on, zone)


def _week(name: str) -> tuple[date, date]:
    first = date.fromisocalendar(int(name[:4]), int(name[6:]), 1)
    return first, first + timedelta(days=6)


def _months(year: int, first: int, count: int) -> tuple[date, date]:
    after = date(year + (first + count > 12), (first + count - 1) % 12 + 1, 1)
    return date(year, first, 1), after - timedelta(days=1)


def _days(name: str) -> tuple[date, date]:
    first, last = (date.fromisoformat(part) for part in name.split("/"))
    if first > last:
        raise ValueError("a period ends after it begins")
    return first, last


_DAYS: Mapping[str, Callable[[str], tuple[date, date]]] = {
    "week": _week,
    "month": lambda name: _months(int(name[:4]), int(name[5:]), 1),
    "quarter": lambda name: _months(int(name[:4]), 3 * int(name[6]) - 2, 3),
    "days": _days,
}


def figures(line: Line | None, asked: Window) -> Figures:
    """What one line adds to each of MEASURES. Lateness is judged by the period's last day, so that time alone changes nothing."""
    if line is None or not line["is_counted"] or line["found_at"] >= asked.ends_at:
        return NOTHING
    is_new = int(line["found_at"] >= asked.begins_at)
    is_open = int(bool(line["is_open"]))
    is_late = int(bool(is_open and line["due_on"] and line["due_on"] < asked.to_on))
    return is_new, is_new & is_open, is_new & is_late, is_open, is_late


def changes(then: Line | None, now: Line | None, asked: Window) -> Iterator[tuple[str, Line, Figures]]:
    """(reason, key, signed figures) by which a problem counts otherwise now than then; None: it was not on record.

    Their sum is figures(now) at its key less figures(then) at its own.
    """
    was_there, is_there = (line is not None and bool(line["is_counted"]) for line in (then, now))
    if was_there and is_there:
        assert then is not None and now is not None, "counted, and not there"
        yield from _stepwise(then, now, asked)
    elif is_there:
        assert now is not None, "counted, and not there"
        reason = "late" if then is None else "separated" if then["state"] == "merged" else "restored"
        yield from _half(reason, now, figures(now, asked), 1)
    elif was_there:
        assert then is not None, "counted, and not there"
        yield from _half(str(now["state"]) if now else "deleted", then, figures(then, asked), -1)


def _stepwise(then: Line, now: Line, asked: Window) -> Iterator[tuple[str, Line, Figures]]:
    at = dict(then)
    for reason, columns in (*CHANGES, (_of_state(then, now), ("state", "is_open"))):
        if all(at[name] == now[name] for name in columns):
            continue
        step = {**at, **{name: now[name] for name in columns}}
        if key_of(at) == key_of(step):
            moved = tuple(b - a for a, b in zip(figures(at, asked), figures(step, asked), strict=True))
            yield from _half(reason, step, moved, 1)
        else:
            yield from _half(reason, at, figures(at, asked), -1)
            yield from _half(reason, step, figures(step, asked), 1)
        at = step


def _half(reason: str, line: Line, counts: Figures, sign: int) -> Iterator[tuple[str, Line, Figures]]:
    if any(counts):
        yield reason, {name: line[name] for name in KEY}, tuple(sign * n for n in counts)


def _of_state(then: Line, now: Line) -> str:
    if now["state"] == "refuted":
        return "refuted"
    if bool(then["is_open"]) == bool(now["is_open"]):
        return "progress"
    return "reopened" if now["is_open"] else "closed"


def key_of(line: Line) -> tuple[Any, ...]:
    """By what a line counts."""
    return tuple(line[name] for name in KEY)


def digest(head: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], names: tuple[str, ...]) -> str:
    """SHA-256 of a publication: its head and then each row as canonical JSON, a line each, in the order given."""
    made = hashlib.sha256(orjson.dumps(head, option=orjson.OPT_SORT_KEYS) + b"\n")
    for row in rows:
        made.update(orjson.dumps([row[name] for name in names]) + b"\n")
    return made.hexdigest()
