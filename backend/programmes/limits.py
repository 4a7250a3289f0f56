"""The limits of the clocks: rows of a file in, days with their reason out. Never a clock of its own, never a number of law in code.

A day that cannot be reckoned (a year without a calendar, a row that the city has not confirmed, no such row) is None, and
the reason says why.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from backend.packs import LIMITS
from backend.workdays import CalendarUnknown, add_workdays

UNITS = ("workdays", "days", "quarter", "term")
Due = tuple[date | None, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Limit:
    """How long something may take. `basis` None: no law gives the number."""

    id: str
    name_zh: str
    name_en: str
    unit: str
    n: int
    basis: Mapping[str, Any] | None
    scope: str
    is_enabled: bool
    city_confirms: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Term:
    """A school term, both days with it."""

    id: str
    begins_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class Limits:
    """One version of the file."""

    version: int
    rows: Mapping[str, Limit]
    terms: tuple[Term, ...]

    def due(self, name: str, start_on: date, times: int = 1) -> Due:
        """The last day of a limit that runs from `start_on` (a day in China, itself not counted), and the reason of it."""
        row = self.rows.get(name)
        if row is None or not row.is_enabled:
            return None, {"limit": name, "none": "not_confirmed" if row else "no_limit"}
        return self.reckon(row, start_on, times)

    def reckon(self, row: Limit, start_on: date, times: int = 1) -> Due:
        """The same for a row, whether it is enabled or not."""
        reason = {"limit": row.id, "n": row.n, "unit": row.unit, "from": start_on.isoformat(), "version": self.version}
        reason |= {"basis": dict(row.basis) if row.basis else None}
        try:
            return _LAST[row.unit](self, row.n * times, start_on), reason
        except CalendarUnknown as unknown:
            return None, {**reason, "none": "no_calendar", "detail": str(unknown)}
        except NoTerm as unknown:
            return None, {**reason, "none": "no_term", "detail": str(unknown)}


class NoTerm(LookupError):
    """The term of a day is not known."""


def _quarter(_: Limits, n: int, start_on: date) -> date:
    """The last day of the n-th quarter, the one that has begun being the first."""
    month = (start_on.month - 1) // 3 * 3 + 3 * n
    year, month = start_on.year + month // 12, month % 12 + 1
    return date(year, month, 1) - timedelta(days=1)


def _term(limits: Limits, n: int, start_on: date) -> date:
    """The last day of the n-th term, the one that has not ended yet being the first."""
    ahead = [term for term in limits.terms if term.ends_on >= start_on]
    if len(ahead) < n or start_on < limits.terms[0].begins_on:
        raise NoTerm(f"no school term is known for {start_on}")
    return ahead[n - 1].ends_on


_LAST: Mapping[str, Callable[[Limits, int, date], date]] = {
    "workdays": lambda _, n, start_on: add_workdays(start_on, n),
    "days": lambda _, n, start_on: start_on + timedelta(days=n),
    "quarter": _quarter,
    "term": _term,
}


def read(path: Path) -> Limits:
    """The limits of a file. Raises ValueError naming the row that is wrong."""
    body = yaml.safe_load(path.read_text(encoding="utf-8"))
    rows = [_row(row) for row in body["limits"]]
    terms = tuple(
        Term(t["id"], date.fromisoformat(t["begins_on"]), date.fromisoformat(t["ends_on"])) for t in body["terms"]
    )
    if len({row.id for row in rows}) < len(rows):
        raise ValueError("a limit is given twice")
    ends = [day for term in terms for day in (term.begins_on, term.ends_on)]
    if not terms or ends != sorted(set(ends)):
        raise ValueError("terms follow one another, and each begins before it ends")
    return Limits(body["version"], {row.id: row for row in rows}, terms)


def _row(row: Mapping[str, Any]) -> Limit:
    fault = (
        row["unit"] not in UNITS or not isinstance(row["n"], int) or row["n"] < 0
        or (row["basis"] is None and not (row["scope"] == "sample" and row["city_confirms"]))
        or (row["basis"] is not None and set(row["basis"]) != {"title", "article"})
    )  # fmt: skip
    if fault:
        raise ValueError(f"{row['id']}: a unit, a number, and a basis or that it is a sample which the city confirms")
    return Limit(row["id"], row["name"]["zh"], row["name"]["en"], row["unit"], row["n"], row["basis"], row["scope"],
                 row["enabled"], row["city_confirms"], row.get("note", ""))  # fmt: skip


@cache
def shipped() -> Limits:
    """The limits that ship with the server."""
    return read(LIMITS)


def due(name: str, start_on: date, times: int = 1) -> Due:
    """The last day of a shipped limit; see `Limits.due`."""
    return shipped().due(name, start_on, times)
