"""Reads of draws, of what may be drawn, and of what was seen; each begins with who asks."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, under, visible
from backend.accounts import queries as accounts
from backend.periods.rules import Window
from backend.problems.models import Problem, ProblemEvent
from backend.sampling.models import Sample, SampleItem

LOOKS = frozenset({"inspector", "expert"})
_LOT = 500


def get(session: Session, actor: Actor, number: str) -> Sample | None:
    """One draw."""
    return session.scalars(visible(Sample, actor).where(Sample.number == number)).first()


def page(session: Session, actor: Actor, limit: int) -> Sequence[Sample]:
    """The newest draws."""
    newest = visible(Sample, actor).order_by(Sample.drawn_at.desc(), Sample.number.desc())
    return session.scalars(newest.limit(limit)).all()


def items(session: Session, actor: Actor, number: str) -> list[dict[str, Any]]:
    """What was drawn and seen, with the problems' numbers: those within the actor's rows, and those that they are to look at."""
    mine = visible(SampleItem, actor).with_only_columns(SampleItem.problem_id).where(SampleItem.number == number)
    whole = visible(SampleItem, SYSTEM).with_only_columns(
        *SampleItem.__table__.columns, Problem.number.label("problem_number")
    )
    whole = whole.join(Problem, Problem.id == SampleItem.problem_id).where(SampleItem.number == number)
    theirs = whole.where(or_(SampleItem.problem_id.in_(mine), SampleItem.inspector_id == actor.id))
    return [dict(row._mapping) for row in session.execute(theirs.order_by(SampleItem.problem_id))]


def hold_item(session: Session, number: str, problem_id: str) -> SampleItem | None:
    """One item, locked; whoever asks is judged by the handler."""
    named = visible(SampleItem, SYSTEM).where(SampleItem.number == number, SampleItem.problem_id == problem_id)
    return session.scalars(named.with_for_update().execution_options(populate_existing=True)).first()


def closed(session: Session, path: str, asked: Window) -> list[Any]:
    """Placed problems under a path that stand closed and were closed in these days, by id."""
    columns = (
        Problem.id,
        Problem.grade,
        Problem.district_id,
        Problem.site_id,
        Problem.department_id,
        Problem.area_path,
    )
    where = (Problem.state == "closed", Problem.district_id.is_not(None), Problem.closed_at >= asked.begins_at,
             Problem.closed_at < asked.ends_at, under(Problem.area_path, path))  # fmt: skip
    return list(
        session.execute(visible(Problem, SYSTEM).with_only_columns(*columns).where(*where).order_by(Problem.id))
    )


def acted(session: Session, problem_ids: Sequence[str]) -> dict[str, list[str]]:
    """{problem: everybody who stands in its history}: who found, fixed or closed it does not judge it."""
    found: dict[str, set[str]] = {}
    for at in range(0, len(problem_ids), _LOT):
        columns = (ProblemEvent.problem_id, ProblemEvent.actor_id)
        lot = (
            visible(ProblemEvent, SYSTEM)
            .with_only_columns(*columns)
            .where(ProblemEvent.problem_id.in_(problem_ids[at : at + _LOT]))
        )
        for problem, person in session.execute(lot.distinct()):
            found.setdefault(problem, set()).add(person)
    return {problem: sorted(people) for problem, people in found.items()}


def inspectors(session: Session) -> list[str]:
    """Everybody who may be sent, by id."""
    return sorted(user.id for user in accounts.users(session, SYSTEM) if user.role in LOOKS and user.is_active)
