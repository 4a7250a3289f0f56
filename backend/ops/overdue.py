"""What follows from a clock that has run out: it is told of upwards, level by level. May run twice with one effect.

Each level of each clock is one op with a name of its own, so that a second run finds it in custody. Every clock is a row of LOOKS:
a problem's own first, then those beside it (notices/clocks.py). What runs and what a level's day is, is theirs.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM
from backend.database import snapshot
from backend.errors import Problem
from backend.notices import clocks
from backend.ops import custody
from backend.ops.apply import submit
from backend.problems import clocks as own
from backend.problems import queries
from backend.problems.table import LEVELS
from backend.workdays import local_date

log = structlog.get_logger(__name__)
LOT = 500


@dataclass(frozen=True, slots=True)
class Step:
    """One level that is told of one clock: the op that says so, under the same name however often it is looked at."""

    ent: tuple[str, str]
    verb: str
    args: Mapping[str, Any]
    level: str
    clock: str

    @property
    def op_id(self) -> str:
        return f"esc-{hashlib.sha256(f'{self.clock}:{self.level}'.encode()).hexdigest()[:40]}"


Look = Callable[
    [Session, date, str], tuple[list[Step], str]
]  # (session, today, after) → steps, where the next lot begins ("": no more)


def escalate(now: datetime) -> int:
    """Tell the next levels of every clock that has run out, as far as their days have come; how many times."""
    return sum(_tell(lot, now) for look in LOOKS for lot in _lots(look, local_date(now)))


def _lots(look: Look, today: date) -> Iterator[Sequence[Step]]:
    """Steps that have not been taken, a lot at a time."""
    after, is_more = "", True
    while is_more:
        with snapshot() as session:
            steps, after = look(session, today, after)
            known = custody.known_outcomes(session, [step.op_id for step in steps])
        yield [step for step in steps if step.op_id not in known]
        is_more = bool(after)


def _tell(steps: Sequence[Step], now: datetime) -> int:
    told, moved_on = 0, set[str]()
    for step in steps:
        if step.clock in moved_on:
            continue
        try:
            told += submit(step.verb, step.args, SYSTEM, now, step.ent, op_id=step.op_id).status == "applied"
        except Problem as refused:  # it has moved on meanwhile: the next look sees how it stands then
            log.info("not_escalated", clock=step.clock, level=step.level, why=refused.detail)
            moved_on.add(step.clock)
    return told


def _own(session: Session, today: date, after: str) -> tuple[list[Step], str]:
    """A problem's own clock, whichever runs."""
    lot = queries.overdue(session, SYSTEM, today, LEVELS[-1], after, LOT)
    steps = [
        Step(("problem", row["id"]), "problem.escalate", {"level": level, "clock_n": row["clock_n"]}, level, f"escalate:{row['id']}:{row['clock_n']}")
        for row in lot for level in own.levels_after(row["escalated_level"]) if own.is_told_by(level, row["clock_on"], today)
    ]  # fmt: skip
    return steps, lot[-1]["id"] if len(lot) == LOT else ""


def _beside(name: str, session: Session, today: date, after: str) -> tuple[list[Step], str]:
    """A clock beside it."""
    lot = clocks.CLOCKS[name].running(session, None, after, LOT)
    steps = [
        _step(name, each, level, each.last_on)
        for each in lot if each.last_on is not None and each.last_on < today
        for level in clocks.levels(each) if clocks.is_time(level, each.last_on, today)
    ]  # fmt: skip
    return steps, lot[-1].ent[1] if len(lot) >= LOT else ""


def _step(name: str, of: clocks.Running, level: str, last_on: date) -> Step:
    args = {"clock": name, "level": level, "last_on": last_on.isoformat(), "n": of.n}
    return Step(of.ent, "clock.escalate", args, level, f"{name}:{of.ent[1]}:{of.n}:{last_on}")


LOOKS: tuple[Look, ...] = (_own, *(partial(_beside, name) for name in clocks.CLOCKS))
