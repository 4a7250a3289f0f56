"""What counts for each indicator in a period, read from the record as of a moment. Reads only.

Fair clocks: whether a limit was kept is judged by when the fix was made known to be made (the op's own time, where it rests on
the server's, else its receipt) against a limit that counts from receipt; what nobody here knew makes nobody late.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, visible
from backend.evaluation.rules import Case
from backend.handovers.models import Handover
from backend.inspections.models import Inspection
from backend.ledgers.models import LedgerLine
from backend.ledgers.sums import stood
from backend.periods import field
from backend.periods.rules import Window
from backend.problems.models import ProblemEvent
from backend.sampling.models import SampleItem
from backend.sampling.rules import PASSED
from backend.territory import queries as territory

FIXES = ("report_fixed", "close", "confirm_fix")
KEPT = ("applied", "proposed")


def all_cases(session: Session, asked: Window, clock: int, at: datetime) -> Iterator[Case]:
    """The cases of every indicator as of a clock, which was at `at`."""
    yield from _coverage(session, asked, at)
    held = _lines(session, clock)
    events = _events(session, at)
    yield from _on_time(session, asked, held, events)
    yield from _lasting(asked, held, events)
    yield from _reinspected(session, asked, at)
    yield from _replies(session, asked, at)


def _coverage(session: Session, asked: Window, at: datetime) -> Iterator[Case]:
    """Each school: was it inspected in the period?"""
    seen = visible(Inspection, SYSTEM).with_only_columns(Inspection.site_id).distinct()
    sites = set(session.scalars(seen.where(Inspection.received_at >= asked.begins_at, Inspection.received_at <= at)))
    for site in territory.sites_of_kinds(session, SYSTEM, ("school",)):
        yield Case("coverage", site.id, site.id in sites, district=site.district_id, school=site.id)


def _lines(session: Session, clock: int) -> dict[str, Any]:
    columns = (
        LedgerLine.problem_id,
        LedgerLine.district_id,
        LedgerLine.department_id,
        LedgerLine.site_id,
        LedgerLine.due_on,
    )
    where = (*stood(clock), LedgerLine.district_id.is_not(None))
    return {
        row.problem_id: row
        for row in session.execute(visible(LedgerLine, SYSTEM).with_only_columns(*columns).where(*where))
    }


def _events(session: Session, at: datetime) -> list[Any]:
    columns = (
        ProblemEvent.problem_id,
        ProblemEvent.action,
        ProblemEvent.at,
        ProblemEvent.op_id,
        ProblemEvent.from_state,
        ProblemEvent.to_state,
    )
    told = (
        visible(ProblemEvent, SYSTEM)
        .with_only_columns(*columns)
        .where(ProblemEvent.at <= at, ProblemEvent.status.in_(KEPT))
    )
    return list(session.execute(told.order_by(ProblemEvent.problem_id, ProblemEvent.n)))


def _case(indicator: str, line: Any, is_good: bool) -> Case:
    return Case(indicator, line.problem_id, is_good, line.district_id, line.department_id, line.site_id)


def _on_time(session: Session, asked: Window, held: dict[str, Any], events: list[Any]) -> Iterator[Case]:
    """Each problem whose limit lies in the period: was it put right within it?"""
    due = {name: line for name, line in held.items() if line.due_on and asked.from_on <= line.due_on <= asked.to_on}
    fixes = [event for event in events if event.action in FIXES and event.problem_id in due]
    told_at = field.recorded(session, sorted({event.op_id for event in fixes if event.op_id}))
    first: dict[str, datetime] = {}
    for event in fixes:
        at = min(told_at.get(event.op_id, event.at), event.at)
        first[event.problem_id] = min(at, first.get(event.problem_id, at))
    for name, line in sorted(due.items()):
        done = first.get(name)
        yield _case("on_time", line, done is not None and done.astimezone(asked.zone).date() <= line.due_on)


def _lasting(asked: Window, held: dict[str, Any], events: list[Any]) -> Iterator[Case]:
    """Each problem that was closed in the period: did it stay so?"""
    closed, again = set(), set()
    for event in events:
        if event.to_state == "closed" and event.from_state != "closed" and asked.begins_at <= event.at < asked.ends_at:
            closed.add(event.problem_id)
        if event.from_state == "closed" and event.to_state not in ("closed", "deleted", "merged"):
            again.add(event.problem_id)
    yield from (_case("lasting", held[name], name not in again) for name in sorted(closed) if name in held)


def _reinspected(session: Session, asked: Window, at: datetime) -> Iterator[Case]:
    """Each result of a random re-inspection in the period."""
    seen = visible(SampleItem, SYSTEM).where(
        SampleItem.seen_at >= asked.begins_at, SampleItem.seen_at < asked.ends_at, SampleItem.seen_at <= at
    )
    for item in session.scalars(seen.order_by(SampleItem.number, SampleItem.problem_id)):
        yield Case(
            "reinspection", item.problem_id, item.result in PASSED, item.district_id, item.department_id, item.site_id
        )


def _replies(session: Session, asked: Window, at: datetime) -> Iterator[Case]:
    """Each handover whose limit lies in the period: was it answered within it?"""
    given = visible(Handover, SYSTEM).where(
        Handover.due_on >= asked.from_on, Handover.due_on <= asked.to_on, Handover.issued_at <= at
    )
    for each in session.scalars(given.where(Handover.state != "withdrawn").order_by(Handover.id)):
        answered = each.replied_at if each.replied_at and each.replied_at <= at else None
        is_good = answered is not None and answered.astimezone(asked.zone).date() <= each.due_on
        parts = each.area_path.split("/")
        district = parts[1] if len(parts) > 1 and each.department_id is None else None
        yield Case("reply", each.number, is_good, district, each.department_id, parts[3] if len(parts) > 3 else None)
