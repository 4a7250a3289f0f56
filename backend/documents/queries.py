"""Reads of issued documents; each begins with who asks. Who may see a problem may see its documents."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, and_, or_, true
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, condition, visible
from backend.documents.models import Document
from backend.handovers.models import Handover
from backend.handovers.queries import seen
from backend.problems.models import Problem
from backend.supervision import queries as supervision
from sync_protocol.identity import fingerprint

OF_A_PLACE = ("node", "ledger", "evaluation")  # seen by who sees the place and line that they were issued for
OF_A_TRANSFER = ("handover", "receipt", "feedback")  # papers that travel between the two sides of a transfer


def _seen(actor: Actor) -> Select[Document]:
    """SELECT of the documents that `actor` may see: of a problem by the problem (those of a transfer by its receiver as
    well), of a handover by the handover, of a place by the place and department."""
    mine = visible(Problem, actor).with_only_columns(Problem.id)
    of_problem = and_(Document.ent_type == "problem", Document.ent_id.in_(mine))
    told = supervision.given(actor)
    of_transfer = and_(Document.ent_type == "problem", Document.kind.in_(OF_A_TRANSFER), Document.ent_id.in_(told))
    where = condition(Document, actor)
    of_node = and_(Document.ent_type.in_(OF_A_PLACE), true() if where is None else where)
    given = seen(actor).with_only_columns(Handover.id)
    of_handover = and_(Document.ent_type == "handover", Document.ent_id.in_(given))
    return visible(Document, SYSTEM).where(or_(of_problem, of_transfer, of_node, of_handover))


def get(session: Session, actor: Actor, number: str) -> Document | None:
    """A document that `actor` may see, or None."""
    return session.scalars(_seen(actor).where(Document.number == number)).first()


def is_intact(document: Document) -> bool:
    """Whether the stored facts are still those that were digested."""
    return fingerprint(document.facts) == document.digest


def page(
    session: Session,
    actor: Actor,
    problem_id: str | None,
    kind: str | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[Document]:
    """Documents that `actor` may see, the newest first, those after a position (time, number)."""
    statement = _seen(actor)
    if problem_id:
        named = visible(Problem, actor).with_only_columns(Problem.id)
        named = named.where(or_(Problem.id == problem_id, Problem.number == problem_id))
        statement = statement.where(Document.ent_type == "problem", Document.ent_id.in_(named))
    if kind:
        statement = statement.where(Document.kind == kind)
    if after:
        at, number = after
        statement = statement.where(
            (Document.issued_at < at) | ((Document.issued_at == at) & (Document.number < number))
        )
    return session.scalars(statement.order_by(Document.issued_at.desc(), Document.number.desc()).limit(limit)).all()
