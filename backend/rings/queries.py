"""Reads of sweeps as rings: how far, what is open, what came late; each begins with who asks."""

from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.handovers import queries as handovers
from backend.inspections.models import Inspection
from backend.programmes import queries as programmes
from backend.rings.rules import Ring
from backend.sweeps.models import Sweep, Task
from backend.territory import queries as territory

MOST = 500  # open tasks and late arrivals that are listed one by one; their number is always whole


def task_counts(session: Session, actor: Actor, sweep_id: str) -> dict[str, int]:
    """Number of a sweep's tasks that the actor sees, by state."""
    statement = visible(Task, actor).with_only_columns(Task.state, func.count()).where(Task.sweep_id == sweep_id)
    found = {state: n for state, n in session.execute(statement.group_by(Task.state))}  # noqa: C416 - a Result is no mapping
    return {state: found.get(state, 0) for state in ("open", "done", "excused")}


def open_tasks(session: Session, actor: Actor, sweep_id: str) -> list[str]:
    """Ids of the first MOST tasks that are neither done nor excused."""
    statement = visible(Task, actor).with_only_columns(Task.id).where(Task.sweep_id == sweep_id, Task.state == "open")
    return list(session.scalars(statement.order_by(Task.id).limit(MOST)))


def ring_of_sweep(session: Session, sweep: Sweep) -> Ring:
    """A sweep with its open tasks and handovers, for the law; whoever asks."""
    tasks = tuple(Ring("task", name, False) for name in open_tasks(session, SYSTEM, sweep.id))
    given = tuple(Ring("handover", number, False) for _, number in handovers.open_of(session, "sweep", [sweep.id]))
    return Ring("sweep", sweep.id, sweep.state == "closed", (*given, *tasks))


def coverage(session: Session, sweep: Sweep) -> dict[str, Any]:
    """How much of what the programmes are about the sweep has seen: sites of their kinds, with a task, inspected, excused.

    `percent` is of the sites; a site without a task (no team in its district) is not covered.
    """
    packs = programmes.newest(session, SYSTEM)
    kinds = sorted({kind for name in sweep.programmes if name in packs for kind in packs[name].site_kinds})
    sites = {site.id for site in territory.sites_of_kinds(session, SYSTEM, kinds)}
    columns = (Task.site_id, Task.state)
    tasks = session.execute(visible(Task, SYSTEM).with_only_columns(*columns).where(Task.sweep_id == sweep.id)).all()
    tasked = {row.site_id for row in tasks}
    inspected = tasked - {row.site_id for row in tasks if row.state != "done"}
    excused = {row.site_id for row in tasks if row.state == "excused"} - inspected
    percent = round(100 * len(inspected & sites) / len(sites), 1) if sites else None
    return {"sites": len(sites), "with_task": len(tasked), "inspected": len(inspected), "excused": len(excused),
            "without_task": len(sites - tasked), "percent": percent}  # fmt: skip


def late(session: Session, actor: Actor, sweep: Sweep) -> list[dict[str, Any]]:
    """Inspections of a closed sweep's tasks that arrived after it was closed, the first MOST by arrival."""
    if sweep.closed_at is None:
        return []
    columns = (Inspection.id, Inspection.task_id, Inspection.site_id, Inspection.received_at, Inspection.failed)
    statement = visible(Inspection, actor).with_only_columns(*columns).join(Task, Task.id == Inspection.task_id)
    statement = statement.where(Task.sweep_id == sweep.id, Inspection.received_at > sweep.closed_at)
    return [
        dict(row._mapping)
        for row in session.execute(statement.order_by(Inspection.received_at, Inspection.id).limit(MOST))
    ]


def sweep_standing(session: Session, actor: Actor, sweep: Sweep) -> dict[str, Any]:
    """Where a sweep stands as far as the actor sees: tasks, what is open, how it was closed, what came late."""
    given = handovers.seen(actor)
    mine = handovers.of_part(session, given, "sweep", sweep.id)
    closing = sweep.closing or {}
    return {
        "sweep": {"id": sweep.id, "title": sweep.title, "programmes": sweep.programmes, "state": sweep.state,
                  "opened_at": sweep.opened_at.isoformat(), "closed_at": sweep.closed_at.isoformat() if sweep.closed_at else None},
        "tasks": task_counts(session, actor, sweep.id), "open_tasks": open_tasks(session, actor, sweep.id),
        "handovers": [{"number": h.number, "state": h.state, "is_open": h.is_open, "due_on": h.due_on.isoformat()} for h in mine],
        "coverage": closing.get("figures"), "coverage_said": closing.get("said"),
        "late": [{**row, "received_at": row["received_at"].isoformat()} for row in late(session, actor, sweep)],
    }  # fmt: skip
