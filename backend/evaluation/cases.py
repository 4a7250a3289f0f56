"""What counts for each indicator in a period, read from the record as of a moment. Reads only; what is well is rules.py's.

Fair clocks (DECISIONS.md has the table): the record is cut by receipt, so that a publication can be opened again as it was;
what it holds is judged by when it was done, where that rests on the server's clock.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, visible
from backend.evaluation.rules import Case, Deed, deed, earliest, is_proven, is_within, kept_limit, lasted
from backend.handovers.models import Handover
from backend.inspections.models import Inspection
from backend.ledgers.models import LedgerLine
from backend.ledgers.sums import stood
from backend.periods import field
from backend.periods.rules import Window
from backend.problems.models import Problem, ProblemEvent
from backend.sampling.models import SampleItem
from backend.sampling.rules import PASSED
from backend.territory import queries as territory

FIXES = ("report_fixed", "close", "confirm_fix")
SIGHTS = ("raise", "report", "danger")  # acts whose photos show the danger
UNFOUNDED = ("refuted", "deleted")
KEPT = ("applied", "proposed")
Told = tuple[str, str | None, datetime]  # of what, by which op, when it was received


def all_cases(session: Session, asked: Window, clock: int, at: datetime) -> Iterator[Case]:
    """The cases of every indicator as of a clock, which was at `at`."""
    yield from _coverage(session, asked, at)
    held = _lines(session, clock)
    events = _events(session, at)
    yield from _on_time(session, asked, held, events, at)
    yield from _lasting(session, asked, held, events)
    yield from _evidence(session, asked, held, events)
    yield from _reinspected(session, asked, at)
    yield from _replies(session, asked, at)


def _deeds(session: Session, told: Iterable[Told]) -> dict[str, list[Deed]]:
    """What was done of each thing, with the time at which it was."""
    found = list(told)
    known = field.recorded(session, sorted({op_id for _, op_id, _ in found if op_id}))
    made: dict[str, list[Deed]] = defaultdict(list)
    for ref, op_id, received_at in found:
        made[ref].append(deed(known.get(op_id) if op_id else None, received_at))
    return made


def _late(one: Deed | None, asked: Window) -> int:
    return one.days_late(asked.zone) if one else 0


def _coverage(session: Session, asked: Window, at: datetime) -> Iterator[Case]:
    """Each school: was it inspected in the period, whenever the phone synced?"""
    columns = (Inspection.site_id, Inspection.op_id, Inspection.received_at)
    seen = visible(Inspection, SYSTEM).with_only_columns(*columns)
    came = seen.where(Inspection.received_at >= asked.begins_at, Inspection.received_at <= at)
    deeds = _deeds(session, ((row.site_id, row.op_id, row.received_at) for row in session.execute(came)))
    for site in territory.sites_of_kinds(session, SYSTEM, ("school",)):
        first = earliest(each for each in deeds.get(site.id, ()) if is_within(each, asked))
        yield Case(
            "coverage",
            site.id,
            first is not None,
            district=site.district_id,
            school=site.id,
            days_late=_late(first, asked),
        )


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
        ProblemEvent.photos,
    )
    told = (
        visible(ProblemEvent, SYSTEM)
        .with_only_columns(*columns)
        .where(ProblemEvent.at <= at, ProblemEvent.status.in_(KEPT))
    )
    return list(session.execute(told.order_by(ProblemEvent.problem_id, ProblemEvent.n)))


def _told(event: Any) -> Told:
    return event.problem_id, event.op_id, event.at


def _case(indicator: str, line: Any, is_good: bool, days_late: int) -> Case:
    return Case(indicator, line.problem_id, is_good, line.district_id, line.department_id, line.site_id, days_late)


def _on_time(session: Session, asked: Window, held: dict[str, Any], events: list[Any], at: datetime) -> Iterator[Case]:
    """Each problem whose limit lies in the period: was it put right within it? What still has time is not judged."""
    due = {name: line for name, line in held.items() if line.due_on and asked.from_on <= line.due_on <= asked.to_on}
    fixes = _deeds(session, (_told(event) for event in events if event.action in FIXES and event.problem_id in due))
    for name, line in sorted(due.items()):
        first = earliest(fixes.get(name, ()))
        is_good = kept_limit(first, line.due_on, at, asked.zone)
        if is_good is not None:
            yield _case("on_time", line, is_good, _late(first, asked))


def _lasting(session: Session, asked: Window, held: dict[str, Any], events: list[Any]) -> Iterator[Case]:
    """Each problem that was closed in the period: did it stay so, under its own number and under any other?"""
    ends = [event for event in events if event.to_state == "closed" and event.from_state != "closed"]
    begins = [e for e in events if e.from_state == "closed" and e.to_state not in ("closed", "deleted", "merged")]
    closings = _deeds(session, map(_told, ends))
    again = _deeds(session, [*map(_told, begins), *_recurrences(session, events)])
    for name in sorted(closings.keys() & held.keys()):
        is_good = lasted(closings[name], again.get(name, ()), asked)
        if is_good is not None:
            yield _case("lasting", held[name], is_good, _late(earliest(closings[name]), asked))


def _recurrences(session: Session, events: list[Any]) -> Iterator[Told]:
    """What was closed and found again as a problem of its own: which one it was, and how it was found. Not what turned out to be no
    hazard, or was no record at all."""
    columns = (Problem.id, Problem.recurs_id)
    linked = visible(Problem, SYSTEM).with_only_columns(*columns).where(Problem.recurs_id.is_not(None))
    recurs = {row.id: row.recurs_id for row in session.execute(linked.order_by(Problem.id))}
    states = {event.problem_id: event.to_state for event in events}  # as of the record's moment: the last one stands
    for event in events:
        if event.action == "raise" and event.problem_id in recurs and states[event.problem_id] not in UNFOUNDED:
            yield recurs[event.problem_id], event.op_id, event.at


def _evidence(session: Session, asked: Window, held: dict[str, Any], events: list[Any]) -> Iterator[Case]:
    """Each problem that was closed in the period: is there a photo of the danger and one of its end? It is the district's alone:
    who had to put it right has no say in what the finder photographed."""
    closings = _deeds(session, (_told(e) for e in events if e.to_state == "closed" and e.from_state != "closed"))
    before, after = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for event in events:
        is_fixed_at_once = (
            event.action in SIGHTS and event.to_state == "fix_reported"
        )  # both are in the finder's one list
        if event.action in SIGHTS:
            before[event.problem_id].update(event.photos)
        if event.action in FIXES or is_fixed_at_once:
            after[event.problem_id].update(event.photos)
    for name in sorted(closings.keys() & held.keys()):
        first = earliest(each for each in closings[name] if is_within(each, asked))
        if first is not None:
            is_good = is_proven(before[name], after[name])
            yield Case("evidence", name, is_good, held[name].district_id, days_late=_late(first, asked))


def _reinspected(session: Session, asked: Window, at: datetime) -> Iterator[Case]:
    """Each result of a random re-inspection that was seen in the period."""
    seen = visible(SampleItem, SYSTEM).where(SampleItem.seen_at >= asked.begins_at, SampleItem.seen_at <= at)
    items = list(session.scalars(seen.order_by(SampleItem.number, SampleItem.problem_id)))
    known = field.recorded(session, sorted({item.seen_op for item in items if item.seen_op}))
    for item in items:
        assert item.seen_at is not None, "chosen by it"
        done = deed(known.get(item.seen_op or ""), item.seen_at)
        if is_within(done, asked):
            yield _case("reinspection", item, item.result in PASSED, _late(done, asked))


def _replies(session: Session, asked: Window, at: datetime) -> Iterator[Case]:
    """Each handover whose limit lies in the period: was it answered within it? By its first reply; one that has time is not judged."""
    given = visible(Handover, SYSTEM).where(
        Handover.due_on >= asked.from_on, Handover.due_on <= asked.to_on, Handover.issued_at <= at
    )
    found = list(session.scalars(given.where(Handover.state != "withdrawn").order_by(Handover.id)))
    came = ((each, each.first_replied_at) for each in found)
    deeds = _deeds(session, ((h.id, h.first_reply_op, t) for h, t in came if t is not None and t <= at))
    for each in found:
        first = earliest(deeds.get(each.id, ()))
        is_good = kept_limit(first, each.due_on, at, asked.zone)
        if is_good is not None:
            parts = each.area_path.split("/")
            district = parts[1] if len(parts) > 1 and each.department_id is None else None
            school = parts[3] if len(parts) > 3 else None
            yield Case("reply", each.number, is_good, district, each.department_id, school, _late(first, asked))
