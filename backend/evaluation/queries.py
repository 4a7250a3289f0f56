"""Reads of weights and evaluations; each begins with who asks."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.evaluation.cases import all_cases
from backend.evaluation.models import Evaluation, EvaluationRow, EvaluationWeights
from backend.periods.rules import digest, window

HEAD = ("number", "kind", "period", "timezone", "weights_version", "clock")
ROW = ("subject", "area_path", "department_id", "figures", "score", "is_small")
MOST = 1000


def weights(session: Session, version: int | None = None) -> EvaluationWeights | None:
    """A version of the weights; the newest where none is named."""
    told = visible(EvaluationWeights, SYSTEM).order_by(EvaluationWeights.version.desc()).limit(1)
    return session.scalars(told if version is None else told.where(EvaluationWeights.version == version)).first()


def get(session: Session, actor: Actor, number: str) -> Evaluation | None:
    """One evaluation."""
    return session.scalars(visible(Evaluation, actor).where(Evaluation.number == number)).first()


def page(session: Session, actor: Actor, limit: int) -> Sequence[Evaluation]:
    """The newest evaluations."""
    return session.scalars(
        visible(Evaluation, actor).order_by(Evaluation.at.desc(), Evaluation.number.desc()).limit(limit)
    ).all()


def scored(session: Session, actor: Actor, number: str) -> list[dict[str, Any]]:
    """Its rows that the actor may see, the best first, those without a score last."""
    columns = [getattr(EvaluationRow, name) for name in ROW]
    kept = visible(EvaluationRow, actor).with_only_columns(*columns).where(EvaluationRow.number == number)
    found = [dict(zip(ROW, row, strict=True)) for row in session.execute(kept)]
    return sorted(found, key=lambda row: (row["score"] is None, -(row["score"] or 0), row["subject"]))


def cases(
    session: Session, actor: Actor, found: Evaluation, subject: str, indicator: str | None
) -> list[dict[str, Any]] | None:
    """What a subject's score was made of, read again as of its moment: the first MOST. None where the subject is not theirs."""
    mine = visible(EvaluationRow, actor).where(EvaluationRow.number == found.number, EvaluationRow.subject == subject)
    if session.scalars(mine).first() is None:
        return None
    asked = window(found.period, ZoneInfo(found.timezone))
    told = (c for c in all_cases(session, asked, found.clock, found.at) if getattr(c, found.kind) == subject)
    return [
        {"indicator": c.indicator, "ref": c.ref, "is_good": c.is_good, "days_late": c.days_late}
        for c in told
        if indicator in (None, c.indicator)
    ][:MOST]


def is_intact(session: Session, found: Evaluation) -> bool:
    """Whether what is kept is what was digested."""
    kept = sorted(scored(session, SYSTEM, found.number), key=lambda row: str(row["subject"]))
    return digest({name: getattr(found, name) for name in HEAD}, kept, ROW) == found.digest
