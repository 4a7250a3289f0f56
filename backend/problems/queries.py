"""Reads of problems; each begins with who asks."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, func
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.database import lock
from backend.plain import plain
from backend.problems.models import Conflict, Problem, ProblemEvent, ProblemNumber, ProblemReport
from backend.problems.rules import AWAY
from sync_protocol.lineage import Version

Line = tuple[Version, str, str]  # version, action, status


def get(session: Session, actor: Actor, problem_id: str) -> Problem | None:
    """One problem within the actor's rows, by id or number."""
    where = (Problem.id == problem_id) | (Problem.number == problem_id)
    return session.scalars(visible(Problem, actor).where(where)).first()


def hold(session: Session, actor: Actor, problem_id: str) -> Problem | None:
    """The same, read again and locked until the end of the transaction: whoever changes a problem begins here.

    A photo's arrival and a second report may change one problem at the same moment; neither may undo the other.
    """
    return session.scalars(_held(actor), {"name": problem_id}).first()


# Made once for who asks (mostly the system, from a photo or a push): to make one costs as much as to run it.
@lru_cache(maxsize=64)
def _held(actor: Actor) -> Any:
    where = (Problem.id == bindparam("name")) | (Problem.number == bindparam("name"))
    return visible(Problem, actor).where(where).with_for_update().execution_options(populate_existing=True)


@lru_cache(maxsize=64)
def _merged(actor: Actor) -> Any:
    into = Problem.merged_into.in_(bindparam("ids", expanding=True))
    return plain(visible(Problem, actor).with_only_columns(Problem.id).where(into))


@lru_cache(maxsize=64)
def _held_open(actor: Actor) -> Any:
    of_these = Problem.open_key.in_(bindparam("keys", expanding=True))
    held = visible(Problem, actor).with_only_columns(*_JOINED).where(of_these)
    return plain(held.order_by(Problem.id).with_for_update())


def by_ids(session: Session, actor: Actor, ids: Sequence[str]) -> dict[str, Problem]:
    """Problems with these ids that `actor` may see."""
    return {row.id: row for row in session.scalars(visible(Problem, actor).where(Problem.id.in_(ids)))}


def finders(session: Session, actor: Actor, ids: Sequence[str]) -> dict[str, str]:
    """Problem → who raised it, of these that `actor` may see."""
    columns = (ProblemEvent.problem_id, ProblemEvent.actor_id)
    raised = visible(ProblemEvent, actor).with_only_columns(*columns)
    raised = raised.where(ProblemEvent.problem_id.in_(ids), ProblemEvent.action == "raise")
    return {row.problem_id: row.actor_id for row in session.execute(raised)}


# What joining one more report reads and tells of a problem.
_JOINED = (
    Problem.id, Problem.number, Problem.open_key, Problem.state, Problem.ver, Problem.report_count, Problem.found_at,
    Problem.area_path, Problem.district_id, Problem.township_id, Problem.site_id, Problem.school_id, Problem.team_id,
    Problem.lon, Problem.lat,
)  # fmt: skip


def hold_open(session: Session, actor: Actor, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The open problem of each of these keys that has one, as plain rows, locked until the end of the transaction."""
    found = session.execute(_held_open(actor), {"keys": list(keys)})
    return {row.open_key: dict(row._mapping) for row in found}


def open_keys(session: Session, actor: Actor, keys: Sequence[str]) -> dict[str, Any]:
    """Id of the open problem of each of these keys that has one."""
    columns = (Problem.open_key, Problem.id)
    statement = visible(Problem, actor).with_only_columns(*columns).where(Problem.open_key.in_(keys))
    return {row.open_key: row.id for row in session.execute(statement)}


def hold_number(session: Session, series: str) -> dict[str, Any] | None:
    """The last number given out in a series, locked until the end of the transaction; None before the first."""
    lock(session, [f"number:{series}"])
    found = session.get(ProblemNumber, series, with_for_update=True, populate_existing=True)
    return {"series": series, "n": found.n} if found else None


def last_lines(session: Session, actor: Actor, problem_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """{problem: {"n": number of the newest line of its history}}; 0 before the first."""
    if not problem_ids:
        return {}
    columns = (ProblemEvent.problem_id, func.max(ProblemEvent.n))
    lines = visible(ProblemEvent, actor).with_only_columns(*columns).where(ProblemEvent.problem_id.in_(problem_ids))
    found = {name: {"n": last} for name, last in session.execute(lines.group_by(ProblemEvent.problem_id))}
    return {name: found.get(name, {"n": 0}) for name in problem_ids}


def overdue(
    session: Session, actor: Actor, today: date, last_level: str, after: str, limit: int
) -> list[dict[str, Any]]:
    """Open problems whose clock has run out and that not every level has been told of, in order of their ids after one."""
    columns = (Problem.id, Problem.clock_on, Problem.clock_n, Problem.escalated_level)
    is_left = Problem.escalated_level.is_(None) | (Problem.escalated_level != last_level)
    statement = visible(Problem, actor).with_only_columns(*columns).where(
        Problem.is_open, Problem.clock_on < today, is_left, Problem.id > after
    )  # fmt: skip
    return [dict(row._mapping) for row in session.execute(statement.order_by(Problem.id).limit(limit))]


def dated(session: Session, actor: Actor, column: Any, only: str | None, after: str, limit: int) -> Sequence[Problem]:
    """Open problems that have a day of their own besides the clock (`column`), in order of their ids after one; or one of them."""
    statement = visible(Problem, actor).where(Problem.is_open, column.is_not(None), Problem.id > after)
    statement = statement if only is None else statement.where(Problem.id == only)
    return session.scalars(statement.order_by(Problem.id).limit(limit)).all()


@lru_cache(maxsize=16)
def _last_closed(actor: Actor) -> Any:
    columns = (Problem.id, Problem.site_id, Problem.item, Problem.closed_at, Problem.recurrence)
    statement = visible(Problem, actor).with_only_columns(*columns).where(
        Problem.site_id.in_(bindparam("sites", expanding=True)), Problem.item.in_(bindparam("items", expanding=True)),
        Problem.state == "closed", Problem.closed_at.is_not(None),
    )  # fmt: skip
    return plain(statement.order_by(Problem.closed_at, Problem.id))


def last_closed(session: Session, actor: Actor, hazards: Sequence[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """The problem of each of these (site, item) that was closed last, by "site:item"."""
    named = {"sites": sorted({site for site, _ in hazards}), "items": sorted({item for _, item in hazards})}
    found = session.execute(_last_closed(actor), named)
    return {f"{row.site_id}:{row.item}": dict(row._mapping) for row in found}


def open_without_site(
    session: Session, actor: Actor, item: str, box: tuple[float, float, float, float]
) -> list[dict[str, Any]]:
    """Open problems of `item` without a site within a box of degrees (west, south, east, north): plain rows, locked."""
    west, south, east, north = box
    statement = visible(Problem, actor).with_only_columns(*_JOINED).where(
        Problem.item == item, Problem.is_open, Problem.site_id.is_(None),
        Problem.lon.between(west, east), Problem.lat.between(south, north),
    )  # fmt: skip
    return [dict(row._mapping) for row in session.execute(statement.order_by(Problem.id).with_for_update())]


def of_finding(session: Session, actor: Actor, finding_id: str) -> Problem | None:
    """The problem that a finding was joined into."""
    report = session.scalars(visible(ProblemReport, actor).where(ProblemReport.finding_id == finding_id)).first()
    return hold(session, actor, report.problem_id) if report else None


def reports(session: Session, actor: Actor, problem_id: str) -> list[ProblemReport]:
    """The findings of a problem, oldest first."""
    statement = visible(ProblemReport, actor).where(ProblemReport.problem_id == problem_id)
    return list(session.scalars(statement.order_by(ProblemReport.at, ProblemReport.finding_id)))


def history(session: Session, actor: Actor, problem_id: str) -> list[ProblemEvent]:
    """The steps of a problem, oldest first."""
    statement = visible(ProblemEvent, actor).where(ProblemEvent.problem_id == problem_id)
    return list(session.scalars(statement.order_by(ProblemEvent.n)))


def lines(session: Session, actor: Actor, problem_id: str) -> list[Line]:
    """The history of a problem as far as judgements need it: (version, action, status), oldest first."""
    columns = (
        ProblemEvent.ver,
        ProblemEvent.op_id,
        ProblemEvent.base,
        ProblemEvent.action,
        ProblemEvent.status,
    )
    statement = visible(ProblemEvent, actor).with_only_columns(*columns).where(ProblemEvent.problem_id == problem_id)
    found = session.execute(statement.order_by(ProblemEvent.n)).all()
    return [(Version(row.ver, row.op_id, row.base), row.action, row.status) for row in found]


def merged_into(session: Session, actor: Actor, problem_id: str) -> list[str]:
    """Ids of the problems that were merged into this one, directly or by way of another."""
    found, todo = list[str](), [problem_id]
    while todo:
        todo = sorted(session.execute(_merged(actor), {"ids": todo}).scalars())
        found += todo
    return found


def counted() -> Any:
    """Condition: problems that stand for themselves; those merged or deleted are in no ledger and on no map."""
    return Problem.state.not_in(sorted(AWAY))


def conflict(session: Session, actor: Actor, conflict_id: str) -> Conflict | None:
    """One conflict within the actor's area."""
    return session.scalars(visible(Conflict, actor).where(Conflict.id == conflict_id)).first()


def hold_conflict(session: Session, conflict_id: str) -> Conflict:
    """The same, read again and locked, for whoever holds its problem."""
    held = visible(Conflict, SYSTEM).where(Conflict.id == conflict_id).with_for_update()
    return session.scalars(held.execution_options(populate_existing=True)).one()


def conflicts(
    session: Session, actor: Actor, is_settled: bool | None, after: tuple[datetime, str] | None, limit: int
) -> Sequence[Conflict]:
    """Conflicts of problems that the actor sees, oldest first, those after a position (time, id)."""
    statement = _conflicts(actor, is_settled)
    if after is not None:
        at, key = after
        statement = statement.where((Conflict.at > at) | ((Conflict.at == at) & (Conflict.id > key)))
    return session.scalars(statement.order_by(Conflict.at, Conflict.id).limit(limit)).all()


def waiting_conflicts(session: Session, actor: Actor) -> int:
    """How many conflicts wait for somebody to settle them."""
    return session.execute(_conflicts(actor, False).with_only_columns(func.count())).scalar_one()


def _conflicts(actor: Actor, is_settled: bool | None) -> Select[Conflict]:
    mine = visible(Problem, actor).with_only_columns(Problem.id)
    statement = visible(Conflict, actor).where(Conflict.ent_id.in_(mine))
    if is_settled is None:
        return statement
    return statement.where(Conflict.resolved_at.is_not(None) if is_settled else Conflict.resolved_at.is_(None))


def dots(session: Session, actor: Actor, limit: int = 5000) -> Sequence[Any]:
    """(id, lon, lat, state, grade) of placed problems, for the map."""
    columns = (Problem.id, Problem.lon, Problem.lat, Problem.state, Problem.grade)
    statement = visible(Problem, actor).with_only_columns(*columns).where(Problem.lon.is_not(None), counted())
    return session.execute(statement.order_by(Problem.id).limit(limit)).all()
