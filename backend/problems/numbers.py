"""The numbers that people call problems by: one series a year, given out in order of commit. Nothing else."""

from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from backend import rows
from backend.problems import queries
from backend.problems.models import ProblemNumber


def prepare(session: Session, now: datetime) -> None:
    """Read (and lock) the last number before many are taken."""
    _last(session, _series(now))


def take(session: Session, now: datetime) -> str:
    """The next number of the year, for example ZB-2026-000123."""
    series = _series(now)
    last = _last(session, series)
    if last is None:
        last = {"series": series, "n": 0}
        rows.add(session, ProblemNumber, dict(last))
        rows.keep(session, ProblemNumber, {series: last})
    rows.change(session, ProblemNumber, {"series": series}, {"n": last["n"] + 1})
    return f"{series}-{last['n']:06d}"


def _series(now: datetime) -> str:
    return f"ZB-{now.year}"


def _last(session: Session, series: str) -> dict[str, Any] | None:
    return rows.kept(session, ProblemNumber, series, partial(queries.hold_number, session, series))
