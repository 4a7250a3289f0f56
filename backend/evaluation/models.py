"""Published weights and evaluations. None of these rows is ever written again. No queries."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Date, Float, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class EvaluationWeights(Scoped, Base):
    """One version: what each indicator weighs."""

    __tablename__ = "evaluation_weights"
    __scope__ = PUBLIC
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    weights: Mapped[dict[str, int]] = mapped_column(JSON)
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_by: Mapped[str] = mapped_column(Key)


class Evaluation(Scoped, Base):
    """One evaluation of all subjects of a kind in a period, as of a moment of the record."""

    __tablename__ = "evaluations"
    __scope__ = PUBLIC
    number: Mapped[str] = mapped_column(String(32), primary_key=True)
    year: Mapped[int] = mapped_column(Integer)
    n: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(12))
    period: Mapped[str] = mapped_column(String(24))
    from_on: Mapped[date] = mapped_column(Date)
    to_on: Mapped[date] = mapped_column(Date)
    timezone: Mapped[str] = mapped_column(String(40))
    weights_version: Mapped[int] = mapped_column(Integer)
    clock: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_by: Mapped[str] = mapped_column(Key)
    digest: Mapped[str] = mapped_column(String(64))


class EvaluationRow(Scoped, Base):
    """One subject: [good, all] of each indicator, and the score (percent; none where nothing was to be judged)."""

    __tablename__ = "evaluation_rows"
    __scope__ = Scope(area="area_path", department="department_id")
    number: Mapped[str] = mapped_column(String(32), primary_key=True)
    subject: Mapped[str] = mapped_column(Key, primary_key=True)
    area_path: Mapped[str] = mapped_column(AreaPath)
    department_id: Mapped[str | None] = mapped_column(Key)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    score: Mapped[float | None] = mapped_column(Float)
    is_small: Mapped[bool] = mapped_column(Boolean)
