"""The sector loop (五步闭环): its five steps in order, and the figures of the ledger as of each. Pure rules and reads; begins with who asks.

A sector is a programme; a loop is of one office (area, department) in one period: a month (2026-11) or a quarter (2026-Q4).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Integer, and_, case, cast, func
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, under, visible
from backend.database import clock
from backend.handovers.models import HandoverItem
from backend.problems.models import Problem
from backend.problems.queries import counted
from backend.programmes import queries as programmes
from backend.rings.models import SectorAct
from backend.sweeps.models import Task

# step → its name; the order is the loop's.
STEPS: Mapping[str, str] = {
    "focus": "发布防控重点", "stock": "分析隐患存量", "hand_out": "交办具体任务", "forces": "调整力量部署", "report": "通报问题整改",
}  # fmt: skip
ORDER = tuple(STEPS)
PERIOD = re.compile(r"(\d{4})-(0[1-9]|1[0-2]|Q[1-4])")


def last_day(period: str) -> date:
    """The last day of a month or a quarter. Raises ValueError for what is neither."""
    found = PERIOD.fullmatch(period)
    if found is None or found[1] == "0000":
        raise ValueError("a month (2026-11) or a quarter (2026-Q4)")
    year, month = int(found[1]), int(found[2][1]) * 3 if found[2][0] == "Q" else int(found[2])
    return date(year, 12, 31) if month == 12 else date(year, month + 1, 1) - timedelta(days=1)


def due_step(done: Sequence[str]) -> str | None:
    """The step that is due after these were recorded in order; None: the loop is closed."""
    return ORDER[len(done)] if len(done) < len(ORDER) else None


def acts(session: Session, actor: Actor, period: str, sector: str | None = None) -> Sequence[SectorAct]:
    """The steps of a period's loops, loop by loop in order."""
    statement = visible(SectorAct, actor).where(SectorAct.period == period)
    if sector is not None:
        statement = statement.where(SectorAct.sector == sector)
    order = (SectorAct.sector, SectorAct.area_path, SectorAct.department_id, SectorAct.n)
    return session.scalars(statement.order_by(*order)).all()


def begun(session: Session, area_path: str, department_id: str) -> Sequence[SectorAct]:
    """Every step that an office has recorded, by period and loop."""
    where = (SectorAct.area_path == area_path, SectorAct.department_id == department_id)
    found = visible(SectorAct, SYSTEM).where(*where).order_by(SectorAct.period, SectorAct.sector, SectorAct.n)
    return session.scalars(found).all()


def loops(session: Session, actor: Actor, period: str, today: date) -> list[dict[str, Any]]:
    """Where each loop of a period stands: its steps, the one that is due, and whether the period has passed over it."""
    found: dict[tuple[str, str, str], list[SectorAct]] = {}
    for act in acts(session, actor, period):
        found.setdefault((act.sector, act.area_path, act.department_id), []).append(act)
    end = last_day(period)
    return [
        {"sector": sector, "area_path": path, "department_id": department, "due": (due := due_step([a.step for a in steps])),
         "due_on": end, "is_overdue": due is not None and end < today, "steps": steps}
        for (sector, path, department), steps in found.items()
    ]  # fmt: skip


def figures(
    session: Session, actor: Actor, sector: str, path: str, step: str, before: Mapping[str, Any] | None, today: date
) -> dict[str, Any]:
    """What the ledger says of a sector at a place at this moment, as the actor sees it; more of what a step is about."""
    more: dict[str, Any] = {}
    if step in ("focus", "stock"):
        more["by_category"] = _groups(session, actor, sector, path, Problem.category, today)
    if step in ("stock", "forces"):
        more["by_district"] = _groups(session, actor, sector, path, Problem.district_id, today)
    if step == "forces":
        more["tasks"] = _tasks(session, actor, sector, path)
    if step == "hand_out":
        more["handed_over"] = _handed_over(session, actor, sector, path)
    now = _groups(session, actor, sector, path, None, today)
    total = now[0] if now else {"found": 0, "open": 0, "closed": 0, "overdue": 0}
    if step == "report" and before is not None:
        more["since_stock"] = {
            name: total[name] - before["total"][name] for name in ("found", "open", "closed", "overdue")
        }
    return {"as_of": today.isoformat(), "clock": clock(session), "total": total, **more}


def _groups(session: Session, actor: Actor, sector: str, path: str, column: Any, today: date) -> list[dict[str, Any]]:
    def number(condition: Any) -> Any:
        return func.coalesce(func.sum(cast(case((condition, 1), else_=0), Integer)), 0)

    is_late = and_(Problem.is_open, Problem.due_on < today)
    sums = (func.count(), number(Problem.is_open), number(Problem.is_open.is_(False)), number(is_late))
    statement = visible(Problem, actor).with_only_columns(*((column,) if column is not None else ()), *sums)
    placed = Problem.district_id.is_not(None)  # as the ledger has it: what has no place yet stands beside
    statement = statement.where(Problem.programme == sector, counted(), placed, under(Problem.area_path, path))
    if column is not None:
        statement = statement.group_by(column).order_by(column)
    names = ("id",) if column is not None else ()
    return [
        dict(zip((*names, "found", "open", "closed", "overdue"), row, strict=True))
        for row in session.execute(statement)
    ]


def _tasks(session: Session, actor: Actor, sector: str, path: str) -> dict[str, int]:
    statement = visible(Task, actor).with_only_columns(Task.state, func.count())
    statement = statement.where(Task.programme == sector, under(Task.area_path, path)).group_by(Task.state)
    return {state: n for state, n in session.execute(statement)}  # noqa: C416 - a Result is no mapping


def _handed_over(session: Session, actor: Actor, sector: str, path: str) -> dict[str, int]:
    theirs = (
        visible(Problem, actor)
        .with_only_columns(Problem.id)
        .where(Problem.programme == sector, under(Problem.area_path, path))
    )
    columns = (func.count(HandoverItem.problem_id), func.count(HandoverItem.handover_id.distinct()))
    given = visible(HandoverItem, SYSTEM).with_only_columns(*columns).where(HandoverItem.open_key.in_(theirs))
    row = session.execute(given).one()
    return {"problems": row[0], "handovers": row[1]}


def sectors(session: Session, actor: Actor) -> dict[str, str]:
    """{sector: its name}: the programmes that are installed."""
    return {name: pack.name_zh for name, pack in programmes.newest(session, actor).items()}
