"""What differs between the moments of two publications: carried over, new, recurred, closed, gone. Reads only.

Law: carried + new + recurred + came − closed − away − went = open at the end, for every place and along every axis. `came` and
`went` are problems that were open all the while and belong to another cell now (moved, reassigned, regraded); over the whole of
an axis where nothing enters or leaves the place they are equal.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import and_, or_
from sqlalchemy.orm import Session, aliased

from backend import incoming
from backend.access.scope import SYSTEM, Actor, lies, sees, visible
from backend.errors import Invalid
from backend.ledgers import queries as ledgers
from backend.ledgers.models import LedgerLine
from backend.ledgers.sums import held_at
from backend.periods.models import LedgerPeriod
from backend.problems.models import Problem

FLOWS = ("carried", "new", "recurred", "came", "closed", "away", "went", "standing")
MOST = 1000
_READ = ("area_path", "district_id", "township_id", "site_id", "department_id", "category", "grade", "programme", "state",
         "is_open", "is_counted")  # fmt: skip
Side = Mapping[str, Any] | None


def difference(
    session: Session, actor: Actor, first: LedgerPeriod, second: LedgerPeriod, node: str, by: str
) -> dict[str, Any]:
    """The flows of each row at a node between the clocks of two publications. `again`: of the new, those at a site and item
    where a problem had been closed before.

    Raises Invalid where the second speaks of an earlier moment; NotFound for a node that is not theirs.
    """
    path, column, kind = _asked(session, actor, first, second, node, by)
    made: dict[Any, dict[str, int]] = {}
    for _, key, flow, is_again in _flows(session, actor, (first.clock, second.clock), path, column):
        row = made.setdefault(key, dict.fromkeys((*FLOWS, "again"), 0))
        row[flow] += 1
        row["again"] += is_again
    names = ledgers.names_of(session, actor, kind, made)
    rows = [{"id": key or "-", "name": names.get(key or "", "（其余）"), **row}
            for key, row in sorted(made.items(), key=lambda item: item[0] or "~")]  # fmt: skip
    total = {flow: sum(row[flow] for row in made.values()) for flow in (*FLOWS, "again")}
    return {"first": first.number, "second": second.number, "node": node, "by": by, "total": total, "rows": rows}


def rows(
    session: Session, actor: Actor, first: LedgerPeriod, second: LedgerPeriod, node: str, by: str, key: str | None, flow: str
) -> list[dict[str, Any]]:  # fmt: skip
    """The first MOST problems of one flow, by id, with their numbers. Raises as `difference`; Invalid for no such flow."""
    incoming.one_of("flow", flow, FLOWS)
    path, column, _ = _asked(session, actor, first, second, node, by)
    found = sorted(
        name for name, at, what, _ in _flows(session, actor, (first.clock, second.clock), path, column)
        if what == flow and (key is None or (at or "-") == key)
    )[:MOST]  # fmt: skip
    named = visible(Problem, actor).with_only_columns(Problem.id, Problem.number).where(Problem.id.in_(found))
    numbers = {row.id: row.number for row in session.execute(named)}
    return [{"problem_id": name, "number": numbers.get(name)} for name in found]


def _asked(
    session: Session, actor: Actor, first: LedgerPeriod, second: LedgerPeriod, node: str, by: str
) -> tuple[str, str, str]:
    if second.clock < first.clock:
        raise Invalid(errors=[{"pointer": "?to", "code": "invalid", "detail": "speaks of an earlier moment"}])
    path = ledgers.path_of(session, actor, node)
    return path, *ledgers.column_of(path, by)


def _flows(
    session: Session, actor: Actor, clocks: tuple[int, int], path: str, column: str
) -> Iterator[tuple[str, Any, str, bool]]:
    """(problem, key of the axis, flow, whether the same was closed there before) of what is placed and the actor's."""
    again = _closed_before(session, clocks[0])
    for name, item, was, now in _pairs(session, clocks):
        before, after = (_key(side, actor, path, column) for side in (was, now))
        was_open, is_open = (bool(side and side["is_open"] and side["is_counted"]) for side in (was, now))
        if before is not None and was_open:
            yield name, before[0], "carried", False
            if not is_open:
                yield name, before[0], "closed" if now and now["is_counted"] else "away", False
            elif after != before:
                yield name, before[0], "went", False
        if after is not None and is_open:
            yield name, after[0], "standing", False
            if not was_open:
                is_new = was is None or not was["is_counted"]
                is_again = bool(is_new and now and (now["site_id"], item) in again)
                yield name, after[0], "new" if is_new else "recurred", is_again
            elif after != before:
                yield name, after[0], "came", False
        elif after is not None and was is None and now and now["is_counted"]:
            yield name, after[0], "new", False  # found and closed between the two
            yield name, after[0], "closed", False


def _key(side: Side, actor: Actor, path: str, column: str) -> tuple[Any] | None:
    """The cell in which a line stands; None: not in this place, or not this reader's."""
    if side is None or not side["district_id"] or not lies(side["area_path"], path):
        return None
    return (side[column],) if sees(actor, side["area_path"], side["department_id"]) else None


def _pairs(session: Session, clocks: tuple[int, int]) -> Iterator[tuple[str, str, Side, Side]]:
    """(problem, item, its line as of the first clock, as of the second) of those that were open at either, or began between."""
    was, now = aliased(LedgerLine), aliased(LedgerLine)
    earlier = and_(was.problem_id == now.problem_id, *held_at(clocks[0], was))
    columns = [getattr(side, name) for side in (was, now) for name in _READ]
    statement = visible(LedgerLine, SYSTEM).with_only_columns(now.problem_id, Problem.item, was.problem_id, *columns)
    statement = statement.select_from(now).outerjoin(was, earlier).join(Problem, Problem.id == now.problem_id)
    statement = statement.where(*held_at(clocks[1], now))
    statement = statement.where(or_(now.is_open, was.is_open, was.problem_id.is_(None)))
    for name, item, had, *values in session.execute(statement.execution_options(yield_per=5000)):
        size = len(_READ)
        before = dict(zip(_READ, values[:size], strict=True)) if had else None
        yield name, item, before, dict(zip(_READ, values[size:], strict=True))


def _closed_before(session: Session, clock: int) -> set[tuple[str | None, str]]:
    """(site, item) of what stood closed as of a clock."""
    columns = (LedgerLine.site_id, Problem.item)
    held = visible(LedgerLine, SYSTEM).with_only_columns(*columns).join(Problem, Problem.id == LedgerLine.problem_id)
    held = held.where(*held_at(clock), LedgerLine.state == "closed")
    return {(site, item) for site, item in session.execute(held.distinct()) if site}
