"""What follows from a clock that has run out: the problem is told of upwards, level by level. May run twice with one effect.

Each level of each clock is one op with a name of its own, so that a second run finds it in custody. What is overdue is the
problems' queries', what a level's day is the clocks'.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from backend.access.scope import SYSTEM
from backend.database import snapshot
from backend.errors import Problem
from backend.ops.apply import submit
from backend.problems import clocks, queries
from backend.problems.table import LEVELS
from backend.workdays import local_date

log = structlog.get_logger(__name__)
LOT = 500


def escalate(now: datetime) -> int:
    """Tell the next level of every open problem whose clock has run out, as far as their days have come; how many times."""
    told, after = 0, ""
    while True:
        with snapshot() as session:
            lot = queries.overdue(session, SYSTEM, local_date(now), LEVELS[-1], after, LOT)
        for row in lot:
            told += _tell(row, now)
        if len(lot) < LOT:
            return told
        after = lot[-1]["id"]


def _tell(found: Mapping[str, Any], now: datetime) -> int:
    row, told = dict(found), 0
    while (level := clocks.next_level(row, local_date(now))) is not None:
        args = {"level": level, "clock_n": row["clock_n"]}
        try:
            done = submit("problem.escalate", args, SYSTEM, now, ("problem", row["id"]), op_id=_named(row, level))
        except Problem as refused:  # it has moved on meanwhile: the next look sees how it stands then
            log.info("not_escalated", problem=row["id"], level=level, why=refused.detail)
            return told
        told += done.status == "applied"
        row["escalated_level"] = level
    return told


def _named(row: Mapping[str, Any], level: str) -> str:
    """The name of the op: the same for the same clock and level, however often it is looked at."""
    whole = f"escalate:{row['id']}:{row['clock_n']}:{level}"
    return f"esc-{hashlib.sha256(whole.encode()).hexdigest()[:40]}"
