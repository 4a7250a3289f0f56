"""How complete the record is at the moment of a publication: tasks, silent devices, problems without a place. Reads only."""

from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, visible
from backend.ledgers.models import LedgerLine
from backend.ledgers.sums import stood
from backend.periods import field
from backend.periods.rules import Window
from backend.sweeps.models import Task


def stated(session: Session, asked: Window, clock: int, now: datetime) -> dict[str, Any]:
    """{is_over, tasks, districts, devices, unplaced}: what a reader must know before the figures are believed.

    `tasks` and `devices` are of the moment of publication, `unplaced` of the clock. `percent`: done or excused of all tasks.
    """
    by_district = _tasks(session)
    whole: Counter[str] = sum(by_district.values(), Counter())
    told = field.silence(session, now)
    return {
        "is_over": now >= asked.ends_at, "tasks": _share(whole),
        "districts": {name: _share(counts) for name, counts in sorted(by_district.items())},
        "devices": dict(told) if told else None, "unplaced": _unplaced(session, asked, clock),
    }  # fmt: skip


def _tasks(session: Session) -> dict[str, Counter[str]]:
    counts = visible(Task, SYSTEM).with_only_columns(Task.area_path, Task.state, func.count())
    found: dict[str, Counter[str]] = {}
    for path, state, n in session.execute(counts.group_by(Task.area_path, Task.state)):
        district = path.split("/")[1] if "/" in path else path
        found.setdefault(district, Counter())[state] += n
    return found


def _share(counts: Counter[str]) -> dict[str, Any]:
    total, ended = counts.total(), counts["done"] + counts["excused"]
    return {"total": total, "done": counts["done"], "excused": counts["excused"],
            "percent": round(100 * ended / total, 1) if total else None}  # fmt: skip


def _unplaced(session: Session, asked: Window, clock: int) -> dict[str, Any]:
    """Those found until the end of the period that have no place, by reason."""
    where = (*stood(clock), LedgerLine.district_id.is_(None), LedgerLine.found_at < asked.ends_at)
    counts = visible(LedgerLine, SYSTEM).with_only_columns(LedgerLine.unplaced_reason, func.count()).where(*where)
    reasons = {reason or "unknown": n for reason, n in session.execute(counts.group_by(LedgerLine.unplaced_reason))}
    return {"count": sum(reasons.values()), "reasons": dict(sorted(reasons.items()))}
