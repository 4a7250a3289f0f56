"""Reads of proceedings; each begins with who asks. A proceeding is seen by who sees its problem, a transfer by its sides."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, func, or_
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.problems.models import Problem
from backend.problems.queries import hold as hold_a_problem
from backend.supervision.models import Proceeding, TransferSide

BOXES = ("received", "sent")
# what is counted on the desk: 已接收未回复 · 已接收未反馈 · 已抄告未回复 · 已抄告未反馈
STATES = {
    "unreplied": ("sent",),
    "unanswered": ("sent", "received"),
    "answered": ("answered",),
    "all": ("sent", "received", "answered"),
}


def get(session: Session, actor: Actor, kind: str, name: str) -> Proceeding | None:
    """One proceeding of a kind that `actor` may see."""
    return session.scalars(_seen(actor, kind).where(Proceeding.id == name)).first()


def hold(session: Session, name: str) -> Proceeding:
    """The same, read again and locked, for whoever holds its problem."""
    held = visible(Proceeding, SYSTEM).where(Proceeding.id == name).with_for_update()
    return session.scalars(held.execution_options(populate_existing=True)).one()


def hold_problem(session: Session, problem_id: str) -> Problem:
    """The problem of a proceeding that may be seen, locked: who receives a transfer need not see the problem otherwise."""
    found = hold_a_problem(session, SYSTEM, problem_id)
    assert found is not None, "a problem is never erased"
    return found


def standing(session: Session, problem_id: str, kind: str, status: str) -> Proceeding | None:
    """The newest proceeding of a held problem with this status, locked."""
    where = (Proceeding.problem_id == problem_id, Proceeding.kind == kind, Proceeding.status == status)
    newest = visible(Proceeding, SYSTEM).where(*where).order_by(Proceeding.opened_at.desc(), Proceeding.id.desc())
    return session.scalars(newest.with_for_update().execution_options(populate_existing=True)).first()


def ids_of(session: Session, actor: Actor, problem_id: str) -> list[str]:
    """Ids of the proceedings of a problem."""
    return list(
        session.scalars(
            visible(Proceeding, actor).with_only_columns(Proceeding.id).where(Proceeding.problem_id == problem_id)
        )
    )


def of_problem(session: Session, actor: Actor, problem_id: str) -> Sequence[Proceeding]:
    """The proceedings of a problem that `actor` sees, oldest first."""
    mine = visible(Problem, actor).with_only_columns(Problem.id).where(Problem.id == problem_id)
    statement = visible(Proceeding, SYSTEM).where(Proceeding.problem_id.in_(mine))
    return session.scalars(statement.order_by(Proceeding.opened_at, Proceeding.id)).all()


def newest(session: Session, actor: Actor, kind: str, problem_id: str, box: str = "received") -> Proceeding | None:
    """The newest proceeding of a kind on a problem that `actor` may see; a transfer as one side of it (`box`) has it."""
    statement = _box(actor, box, STATES["all"]) if kind == "transfer" else _seen(actor, kind)
    statement = statement.where(Proceeding.problem_id == problem_id)
    return session.scalars(statement.order_by(Proceeding.opened_at.desc(), Proceeding.id.desc())).first()


def received(session: Session, actor: Actor, problem_id: str) -> Sequence[Proceeding]:
    """Transfers of a problem that the actor's office is to receive or to answer still, oldest first."""
    statement = _box(actor, "received", STATES["unanswered"]).where(Proceeding.problem_id == problem_id)
    return session.scalars(statement.order_by(Proceeding.opened_at, Proceeding.id)).all()


def unended(
    session: Session, statuses: Sequence[str], only: str | None, after: str, limit: int
) -> Sequence[tuple[Proceeding, TransferSide, str]]:
    """(transfer, the side that is to act, number of its problem) of whatever waits with these statuses, by id; whoever asks."""
    columns = (TransferSide, Problem.number)
    statement = visible(Proceeding, SYSTEM).add_columns(*columns).join(Problem, Problem.id == Proceeding.problem_id)
    statement = statement.join(TransferSide, TransferSide.proceeding_id == Proceeding.id).where(
        TransferSide.box == "received", Proceeding.kind == "transfer", Proceeding.status.in_(statuses), Proceeding.id > after
    )  # fmt: skip
    statement = statement if only is None else statement.where(Proceeding.id == only)
    return [(row[0], row[1], row[2]) for row in session.execute(statement.order_by(Proceeding.id).limit(limit))]


def given(actor: Actor) -> Select[Any]:
    """SELECT of the ids of the problems that were transferred to the actor's office: it answers for them, and need not see them
    otherwise."""
    return _box(actor, "received", STATES["all"]).with_only_columns(Proceeding.problem_id)


def get_given(session: Session, actor: Actor, name: str) -> Problem | None:
    """A problem, by id or number, that was transferred to the actor's office."""
    named = (Problem.id == name) | (Problem.number == name)
    return session.scalars(visible(Problem, SYSTEM).where(named, Problem.id.in_(given(actor)))).first()


def transfers(
    session: Session, actor: Actor, box: str, state: str, after: tuple[datetime, str] | None, limit: int
) -> Sequence[Any]:
    """(proceeding, number, description, site of its problem) of a box, newest first, those after a position (time, id)."""
    columns = (Proceeding, Problem.number, Problem.description, Problem.site_id, Problem.state)
    statement = (
        _box(actor, box, STATES[state]).join(Problem, Problem.id == Proceeding.problem_id).with_only_columns(*columns)
    )
    if after is not None:
        at, key = after
        statement = statement.where(
            or_(Proceeding.opened_at < at, (Proceeding.opened_at == at) & (Proceeding.id < key))
        )
    return session.execute(statement.order_by(Proceeding.opened_at.desc(), Proceeding.id.desc()).limit(limit)).all()


def counts(session: Session, actor: Actor, today: date) -> dict[str, int]:
    """What waits on the desk of `actor`: transfers by box and state, open applications, decisions and reports that are due,
    what was escalated, what has recurred."""
    found = {f"{box}_{state}": _count(session, _box(actor, box, STATES[state]))
             for box in BOXES for state in ("unreplied", "unanswered")}  # fmt: skip
    late = Proceeding.due_on < today
    found |= {f"{box}_overdue": _count(session, _box(actor, box, STATES["unanswered"]).where(late)) for box in BOXES}
    for name, condition in _problems(actor, today).items():
        found[name] = _count(session, visible(Problem, actor).where(Problem.is_open, condition))
    return found


def _problems(actor: Actor, today: date) -> dict[str, Any]:
    return {
        "extensions_open": Problem.waits_for == "extension", "acceptances_open": Problem.waits_for == "acceptance",
        "candidates_open": Problem.is_candidate_major, "candidates_overdue": Problem.decide_by_on < today,
        "listed": Problem.is_listed, "reports_overdue": Problem.report_by_on < today,
        "overdue": Problem.clock_on < today, "escalated": Problem.escalated_level.is_not(None),
        "escalated_to_me": Problem.escalated_level == actor.role, "recurred": Problem.recurs_id.is_not(None),
    }  # fmt: skip


def _count(session: Session, statement: Select[Any]) -> int:
    return int(session.execute(statement.with_only_columns(func.count())).scalar_one())


def _box(actor: Actor, box: str, statuses: Sequence[str]) -> Select[Proceeding]:
    mine = visible(TransferSide, actor).with_only_columns(TransferSide.proceeding_id).where(TransferSide.box == box)
    return visible(Proceeding, SYSTEM).where(
        Proceeding.kind == "transfer", Proceeding.status.in_(statuses), Proceeding.id.in_(mine)
    )


def _seen(actor: Actor, kind: str) -> Select[Proceeding]:
    if kind == "transfer":
        return _box(actor, "received", STATES["all"])
    mine = visible(Problem, actor).with_only_columns(Problem.id)
    return visible(Proceeding, SYSTEM).where(Proceeding.kind == kind, Proceeding.problem_id.in_(mine))
