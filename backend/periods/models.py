"""What was published and is kept as it was: the period, its cells, and what a restatement changed. No queries.

None of these rows is ever written again. A restatement is a publication of its own that names the one it restates.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Date, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class LedgerPeriod(Scoped, Base):
    """One publication. `clock` and `at`: the moment of the record it speaks of. `restates`: what it restates (edition > 0).

    `period_key` is unique: a period is published once, and each of its restatements has an edition of its own.
    """

    __tablename__ = "ledger_periods"
    __scope__ = PUBLIC
    number: Mapped[str] = mapped_column(String(32), primary_key=True)
    year: Mapped[int] = mapped_column(Integer)
    n: Mapped[int] = mapped_column(Integer)
    period: Mapped[str] = mapped_column(String(24))
    edition: Mapped[int] = mapped_column(Integer, default=0)
    period_key: Mapped[str] = mapped_column(String(40), unique=True)
    restates: Mapped[str | None] = mapped_column(String(32), index=True)
    from_on: Mapped[date] = mapped_column(Date)
    to_on: Mapped[date] = mapped_column(Date)
    timezone: Mapped[str] = mapped_column(String(40))
    clock: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_by: Mapped[str] = mapped_column(Key)
    note: Mapped[str] = mapped_column(Text, default="")
    completeness: Mapped[dict[str, Any]] = mapped_column(JSON)
    rows: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64))
    op_id: Mapped[str] = mapped_column(Key)
    __table_args__ = (Index("ix_ledger_periods_newest", "published_at", "number"),)


class Counted(Scoped):
    """By what a published figure is counted, and the five figures (rules.MEASURES)."""

    __scope__ = Scope(area="area_path", department="department_id")
    number: Mapped[str] = mapped_column(String(32), primary_key=True)
    n: Mapped[int] = mapped_column(Integer, primary_key=True)
    area_path: Mapped[str] = mapped_column(AreaPath)
    district_id: Mapped[str | None] = mapped_column(Key)
    township_id: Mapped[str | None] = mapped_column(Key)
    site_id: Mapped[str | None] = mapped_column(Key)
    department_id: Mapped[str | None] = mapped_column(Key)
    category: Mapped[str] = mapped_column(String(40))
    grade: Mapped[str] = mapped_column(String(16))
    programme: Mapped[str] = mapped_column(Key)
    state: Mapped[str] = mapped_column(String(16))
    unplaced_reason: Mapped[str | None] = mapped_column(String(24))
    found: Mapped[int] = mapped_column(Integer)
    open: Mapped[int] = mapped_column(Integer)
    overdue: Mapped[int] = mapped_column(Integer)
    standing: Mapped[int] = mapped_column(Integer)
    standing_overdue: Mapped[int] = mapped_column(Integer)


class PeriodCell(Counted, Base):
    """How many problems that are alike were published."""

    __tablename__ = "ledger_period_cells"
    __table_args__ = (Index("ix_ledger_period_cells_area", "number", "area_path"),)


class PeriodChange(Counted, Base):
    """What a restatement takes away from, or adds to, one published cell for one problem, and why (figures are signed)."""

    __tablename__ = "ledger_period_changes"
    problem_id: Mapped[str] = mapped_column(AreaPath)
    reason: Mapped[str] = mapped_column(String(16))
    told: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    __table_args__ = (Index("ix_ledger_period_changes_area", "number", "area_path"),)
